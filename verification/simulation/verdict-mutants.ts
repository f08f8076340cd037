import { core, type Mutant } from "./mutate.ts";

const verdict = (find: string, replace: string) => core("refresh/verdict.ts", find, replace);
const failure = (find: string, replace: string) => core("refresh/failure.ts", find, replace);

/** Mutants that each break one rule about what a response of the token endpoint means. */
export const VERDICT_MUTANTS: readonly Mutant[] = [
  {
    name: "a response that cannot be read counts as not processed",
    edits: [verdict('return toCode(error) === "" ? "lost" : "transient";', 'return "transient";')],
    focus: { world: { lifetime: 3_600_000 }, faults: ["HTML response after the server"] },
  },
  {
    name: "a refresh token that is being processed counts as dead",
    edits: [verdict('if (/\\bbeing processed\\b/.test(description)) return "transient";', "")],
    focus: { faults: ["already being processed"] },
  },
  {
    name: "a required interaction takes the refresh token away",
    edits: [failure('reason: "interaction_required", keepsRefreshToken: true', 'reason: "interaction_required"')],
    focus: { faults: ["interaction required"] },
  },
  {
    name: "a refusal takes a usable access token away",
    edits: [
      core(
        "refresh/claim.ts",
        'isUsable && reason !== "account_changed" ? tokens?.accessToken : undefined',
        "undefined",
      ),
    ],
    focus: { world: { lifetime: 3_600_000, skew: 0 }, faults: ["interaction required"] },
  },
  {
    name: "an access token that was rejected after a refusal is returned again",
    edits: [core("manager/state-machine.ts", "session.record.dead ? rejected : session", "session")],
    focus: { world: { lifetime: 3_600_000, skew: 0 }, faults: ["interaction required"] },
  },
  {
    name: "tokens of another account are stored",
    edits: [core("refresh/classify.ts", "isOfOtherSubject(tokens.idToken, idToken)", "false")],
    focus: { faults: ["tokens of another account"] },
  },
  {
    name: "a refusal without a reason ends the session at once",
    edits: [failure("const MAX_REFUSALS = 3;", "const MAX_REFUSALS = 1;"), failure("10 * 60_000", "0")],
    focus: { faults: ["refusal without a reason"] },
  },
  {
    name: "refusals without a reason never end the session",
    edits: [failure("refusals.count >= MAX_REFUSALS", "refusals.count < 0")],
    focus: { world: { givesReasons: false }, faults: ["invalid_grant"] },
  },
  {
    name: "a refusal of the client is repeated while the access token is usable",
    edits: [
      failure('(profile.rotation && (attempt.mayBeSpent || kind === "misconfigured")) || undefined', "undefined"),
    ],
    focus: { world: { lifetime: 3_600_000, skew: 0 }, faults: ["invalid_client"] },
  },
  {
    name: "a refusal after one of the client counts as an expiry",
    edits: [failure("const isLost = afterLoss || attempt.mayBeSpent;", "const isLost = afterLoss;")],
    focus: { faults: ["invalid_client after the server"] },
  },
  {
    name: "a refresh token without an access token is thrown away",
    edits: [
      core(
        "refresh/classify.ts",
        "details.error === undefined ? parseTokenUpdate(response, sentAt) : undefined",
        "undefined",
      ),
    ],
    focus: { faults: ["no access_token"] },
  },
  {
    name: "a verdict that could not be saved is forgotten after a look at the store",
    edits: [
      core("refresh/claim.ts", "attempt ?? known?.attempt;", "known?.attempt;"),
      core("refresh/attempt-endings.ts", "if (isPutBack && !this.#isPending(ending))", "if (false)"),
    ],
    focus: {
      world: { kind: "shared", processes: 2, skew: 0 },
      faults: ["invalid_grant", "save never ends", "slow load"],
    },
  },
  {
    name: "a verdict that is saved later judges the access token anew",
    edits: [
      core("refresh/claim.ts", "known.get(accessToken) ?? this.#host.isUsable(record)", "this.#host.isUsable(record)"),
    ],
    focus: { world: { lifetime: 3_600_000 }, faults: ["interaction required", "clock jump", "save fails"] },
  },
];
