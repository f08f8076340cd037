import { core, type Mutant } from "./mutate.ts";

const PENDING = "refresh/pending-changes.ts";

/** Mutants that each break one rule about what a process knows before, or after, it is in the store. */
export const PENDING_MUTANTS: readonly Mutant[] = [
  {
    name: "a rotation that is lost on closing in silence",
    edits: [core(PENDING, "throw toLossError(this.#failure, records.location);", "void toLossError;")],
    focus: { world: { kind: "shared" }, faults: ["store out of order at the response"] },
  },
  {
    name: "an unsaved rotation does not keep the process alive",
    edits: [core(PENDING, "if (left > 0) this.#cancelKeepAlive =", "if (left < 0) this.#cancelKeepAlive =")],
  },
  {
    name: "an unsaved rotation revives a session that was signed out",
    edits: [
      core(PENDING, 'if (reason && reason !== "superseded") return this.#drop(rotation, reason);', ""),
      core(PENDING, "if (!reason) this.#host.observe(", "this.#host.observe("),
    ],
    focus: { world: { kind: "shared" }, faults: ["store out of order at the response", "slow response"] },
  },
  {
    name: "a late deadline tick gives up a response that has arrived",
    edits: [core("util/deadline.ts", "clock.monotonic() - due > LATE && extraTicks++ < MAX_EXTRA_TICKS", "false")],
    focus: { faults: ["stopped in mid-exchange"] },
  },
  {
    name: "a notification joins the load that is running",
    edits: [core("manager/record-loader.ts", "await this.#loading?.catch(() => {});", "")],
    focus: { world: { kind: "shared", watches: true, skew: 0 }, faults: ["slow load"] },
  },
  {
    name: "no look after `maxStaleness`",
    edits: [core("manager/driver.ts", 'case "look":\n        this.#loader.look();', 'case "look":')],
    focus: { world: { kind: "shared", watches: false, lifetime: 3_600_000 }, faults: ["slow load"] },
  },
  {
    name: "`adopt` stores a token that was used before",
    edits: [
      core(
        "manager/sign-in-out.ts",
        "isKnown(session, [...stored.spent, ...(stored.seeds ?? []), stored.dead?.digest]);",
        "false;",
      ),
    ],
  },
  {
    name: "no deadline for the store",
    edits: [core("record/record-store.ts", "return withDeadline(run, this.#deps.clock, {", "return run(); ({")],
    focus: { world: { kind: "shared" }, faults: ["load never ends", "save never ends"] },
  },
  {
    name: "what a later release has stored is overwritten by an earlier copy",
    edits: [
      core(
        "record/record.ts",
        "stored ? { ...stored, ...Object.fromEntries(",
        "!stored ? { ...record, ...Object.fromEntries(",
      ),
    ],
    focus: {
      world: { kind: "shared", hasLaterRelease: true, processes: 4 },
      faults: ["old session restored by another program"],
    },
  },
  {
    name: "attempts have no ID from the system",
    edits: [core("refresh/claim.ts", "this.#salt ??= systemClock.randomId();", 'this.#salt = "";')],
    focus: {
      world: { kind: "shared", platform: "none", sameIds: true, skew: 0 },
      faults: ["slow save", "slow response"],
    },
  },
  {
    name: "text that holds no session stands in the way of a commit",
    edits: [core("record/record-store.ts", "if (!hidden) throw error;", "throw error;")],
    focus: {
      world: { kind: "file", mounts: false },
      faults: ["session file torn", "old session restored by another program"],
    },
  },
];
