import { core, type Mutant } from "./mutate.ts";
import type { Focus } from "./run.ts";

const SIGN_IN = "manager/shared-sign-in.ts";

/** Programs that sign in with flows. */
const USERS: Focus = { world: { hasUsers: true } };

/** The same, on one machine, without faults. */
const CALM_USERS: Focus = {
  world: { hasUsers: true, kind: "shared", processes: 4, machines: 1, skew: 0 },
  faults: [],
};

/** The same, but the store does not always tell whether it has saved. */
const UNCERTAIN_USERS: Focus = {
  world: { ...CALM_USERS.world },
  faults: ["outcome unknown: saved", "outcome unknown: not saved", "slow save"],
};

/** Mutants that each break one rule about who asks the user to sign in, and when. */
export const SIGN_IN_MUTANTS: readonly Mutant[] = [
  {
    name: "the claim of a process that asks its user is ignored",
    edits: [core(SIGN_IN, "if (await this.#waitForOther(stored?.record.signIn, call)) continue;", "")],
    focus: USERS,
  },
  {
    name: "a user is asked although a session has appeared",
    edits: [
      core(
        SIGN_IN,
        "if (await this.#isSignedIn(stored?.record, call)) return false;",
        "if ((await this.#isSignedIn(stored?.record, call)) && !call.awaited) return false;",
      ),
    ],
    focus: USERS,
  },
  {
    name: "a claim to ask the user outlives its flow",
    edits: [core(SIGN_IN, "if (!stored || claim?.id !== id) return;", "if (claim) return;")],
    focus: USERS,
  },
  {
    name: "a user's refusal ends the sign-in of one process only",
    edits: [core(SIGN_IN, "failure = SHARED.find((shared) => shared === reason);", "failure = undefined;")],
    focus: CALM_USERS,
  },
  {
    name: "a sign-in does not end its claim",
    edits: [
      core("manager/sign-in-out.ts", "record?.signIn && record.signIn.id === claim ?", 'claim === "" && record ?'),
    ],
    focus: CALM_USERS,
  },
  {
    name: "a refusal is shared with calls that begin after it",
    edits: [
      core(SIGN_IN, "if (claim.failure !== undefined && isKnown) throw", "if (claim.failure !== undefined) throw"),
    ],
    focus: USERS,
  },
  {
    name: "a claim to ask the user keeps others waiting for ever",
    edits: [
      core(
        SIGN_IN,
        "return isAbandoned || this.#deps.clock.now() - claim.claimedAt >= claim.lease;",
        "return isAbandoned && interval < 0;",
      ),
    ],
    focus: USERS,
  },
  {
    name: "a flow is run on a claim that may not be stored",
    edits: [core(SIGN_IN, "isClaimed = saved?.current?.signIn?.id === id &&", "isClaimed = saved !== undefined &&")],
    focus: UNCERTAIN_USERS,
  },
  {
    name: "a flow is run on a claim that expired during a suspension",
    edits: [core(SIGN_IN, "id && clock.now() - claim.claimedAt < LEASE;", "id;")],
    focus: { world: { ...CALM_USERS.world }, faults: ["suspended before the response", "suspend"] },
  },
  {
    name: "a session that a call has waited for is adopted from any account",
    edits: [
      core(SIGN_IN, "record?.session?.startsWith(", "record?.signIn?.id !== claim || record?.session?.startsWith("),
    ],
    focus: CALM_USERS,
  },
];
