import { core, type Mutant } from "./mutate.ts";

/** Mutants that each break one rule of the state machine, or of the history that a record keeps. */
export const STATE_MUTANTS: readonly Mutant[] = [
  {
    name: "no cooldown after an exchange",
    edits: [
      core("manager/session.ts", "if (clockCooldown(session, record, ctx) > 0) return false;", ""),
      core("manager/state-machine.ts", "if (cooldown <= 0 && !progress.renewals)", "if (!progress.renewals)"),
    ],
  },
  {
    name: "counts cooldowns on the monotonic clock only",
    edits: [
      core(
        "manager/session.ts",
        "span - Math.max(now - exchangedAt.now, monotonic - exchangedAt.monotonic)",
        "span - (monotonic - exchangedAt.monotonic)",
      ),
    ],
  },
  {
    name: "a token is valid by the wall clock alone",
    edits: [
      core(
        "manager/session.ts",
        "Math.min(session.firstSeen + lifetimeOf(record) - early, stale.monotonic)",
        "stale.monotonic",
      ),
      core("manager/session.ts", "lifetimeOf(record) - (ctx.monotonic - session.firstSeen),", ""),
    ],
  },
  {
    name: "a token is valid by the monotonic clock alone",
    edits: [
      core("manager/session.ts", "now: Math.min(expiresAt - early, stale.now),", "now: stale.now,"),
      core("manager/session.ts", "(record.tokens?.expiresAt ?? Number.POSITIVE_INFINITY) - ctx.now,", ""),
    ],
  },
  {
    name: "rejected token returned again",
    edits: [
      core("manager/session.ts", "|| record.tokens.accessToken === rejected) return", ") return"),
      core("manager/state-machine.ts", "session.record?.tokens?.accessToken !== accessToken)", "true)"),
    ],
  },
  {
    name: "exchange in flight forgotten when its session is replaced",
    edits: [
      core(
        "record/record.ts",
        "attempt.afterLoss || attempt.mayBeSpent)",
        "attempt.afterLoss || attempt.mayBeSpent) && attempt.digest === ''",
      ),
    ],
    focus: { world: { kind: "file" }, faults: ["old session restored by another program", "slow response"] },
  },
  {
    name: "a spent token that is put back during a wait counts as new",
    edits: [core("refresh/protocol.ts", " && !isSpent(record) &&", " &&")],
    focus: {
      world: { kind: "shared", processes: 3, skew: 0 },
      faults: ["old session restored by another program", "slow save", "slow load"],
    },
  },
  {
    name: "the token of an own late response counts as new",
    edits: [core("refresh/protocol.ts", " && !isOwn;", ";")],
    focus: {
      world: { kind: "file", processes: 1, skew: 0, lifetime: 20_000, graceSeconds: 120, afterLoss: "retry" },
      faults: ["response after the deadline", "suspend", "suspended after publishing"],
    },
  },
  {
    name: "an access token counts as new with each refresh token",
    edits: [
      core(
        "manager/session.ts",
        "a.tokens?.accessToken === b?.tokens?.accessToken &&",
        "a.tokens?.accessToken === b?.tokens?.accessToken && a.tokens?.refreshToken === b?.tokens?.refreshToken &&",
      ),
    ],
    focus: { faults: ["no access_token"] },
  },
];
