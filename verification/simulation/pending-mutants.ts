import { core, type Mutant } from "./mutate.ts";

const PENDING = "refresh/pending-changes.ts";

/** Mutants that each break one rule about what a process knows before, or after, it is in the store. */
export const PENDING_MUTANTS: readonly Mutant[] = [
  {
    name: "a rotation that is lost on closing in silence",
    edits: [core(PENDING, "throw toLossError(this.#failure, records.location);", "void toLossError;")],
  },
  {
    name: "an unsaved rotation does not keep the process alive",
    edits: [core(PENDING, "delay, left > 0);", "delay, false);")],
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
    edits: [core("refresh/exchange.ts", "clock.monotonic() - due > LATE ? start", "clock.monotonic() < due ? start")],
    focus: { faults: ["stopped in mid-exchange"] },
  },
  {
    name: "a notification joins the load that is running",
    edits: [core("manager/record-loader.ts", "await this.#loading?.catch(() => {});", "")],
  },
  {
    name: "no look after `maxStaleness`",
    edits: [core("manager/driver.ts", "this.#loader.look();", "")],
  },
  {
    name: "`adopt` stores a token that was used before",
    edits: [
      core(
        "manager/sign-in-out.ts",
        "isLive(stored) || isKnown(session, [...stored.spent, ...(stored.seeds ?? []), stored.dead?.digest]);",
        "isLive(stored);",
      ),
    ],
  },
];
