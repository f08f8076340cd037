import { core, type Mutant } from "./mutate.ts";

/** Mutants that each break one rule of the state machine. */
export const STATE_MUTANTS: readonly Mutant[] = [
  {
    name: "no cooldown after an exchange",
    edits: [
      core("manager/session.ts", "if (clockBrake(session, record, ctx) > 0) return false;", ""),
      core("manager/state-machine.ts", "if (cooldown <= 0 && !progress.renewals)", "if (!progress.renewals)"),
    ],
  },
  {
    name: "brakes on the monotonic clock only",
    edits: [
      core(
        "manager/session.ts",
        "span - Math.max(now - exchangedAt.now, monotonic - exchangedAt.monotonic)",
        "span - (monotonic - exchangedAt.monotonic)",
      ),
    ],
  },
  {
    name: "rejected token returned again",
    edits: [
      core("manager/session.ts", "record.tokens.accessToken !== rejected && validFor", "validFor"),
      core("manager/state-machine.ts", "session.record?.tokens?.accessToken !== accessToken)", "true)"),
    ],
  },
];
