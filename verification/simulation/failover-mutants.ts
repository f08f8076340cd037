import { core, type Mutant } from "./mutate.ts";
import type { Focus } from "./run.ts";

/** Clusters that fail over, in which nothing else goes wrong. */
const FAILOVERS: Focus = { world: { reconnectsWithin: 1_000 }, faults: [] };

/** Clusters to which some processes return so late that others have saved something by then. */
const LATE: Focus = { world: { reconnectsWithin: 5_000 }, faults: [] };

const mutant = (name: string, ...edits: Mutant["edits"]): Mutant => ({ name, edits, focus: FAILOVERS });

const RESTORED = "const restored = hasReplaced(known, found)";

/** Mutants that each break one rule about what a failover of the store undoes. */
export const FAILOVER_MUTANTS: readonly Mutant[] = [
  mutant(
    "what a failover undid is not restored at a look",
    core("record/record-store.ts", "if (!restored) {", "if (stored || !restored) {"),
  ),
  mutant(
    "a version that is back taken for a new one",
    core("record/rollback.ts", RESTORED, "const restored = known.version === found.version"),
  ),
  mutant(
    "a claim that a failover undid is not restored",
    core(
      "record/rollback.ts",
      RESTORED,
      `if (known.record.attempt?.status === "claimed") return undefined;\n  ${RESTORED}`,
    ),
  ),
  mutant(
    "a sign-out that a failover undid is not restored",
    core(
      "record/rollback.ts",
      RESTORED,
      `if (known.record.dead?.reason === "signed_out") return undefined;\n  ${RESTORED}`,
    ),
  ),
  {
    ...mutant(
      "a verdict that a failover undid is not restored",
      core(
        "record/rollback.ts",
        RESTORED,
        `if (known.record.dead && known.record.dead.reason !== "signed_out") return undefined;\n  ${RESTORED}`,
      ),
    ),
    focus: { ...FAILOVERS, faults: ["invalid_grant"] },
  },
  {
    ...mutant(
      "a sign-out is not restored over a later save",
      core("record/rollback.ts", "if (isSignOutOf(found, record)) return signOutAgain(found, record);", ""),
    ),
    focus: LATE,
  },
  {
    ...mutant(
      "a newer session is not restored over a later save",
      core("record/rollback.ts", "if (isOutdated(found, record)) return putBack(record, found);", ""),
    ),
    focus: LATE,
  },
  mutant(
    "a sign-in is not restored over a later save",
    core("record/rollback.ts", "if (isReplacedBy(found, record)) return putBack(record, found);", ""),
  ),
  {
    ...mutant(
      "a claim is not restored over a later save",
      core("record/rollback.ts", "return isClaimLost(found, record.attempt) ?", 'return known.version === "" ?'),
    ),
    focus: LATE,
  },
  {
    ...mutant(
      "a save over a version that is back after a failover",
      core(
        "record/record-store.ts",
        "return expected && hasReplaced(this.#latest, expected) ? undefined",
        'return expected?.version === "" ? undefined',
      ),
    ),
    focus: { ...FAILOVERS, faults: ["slow response", "slow save"] },
  },
  mutant(
    "a save that was overtaken taken for the newest record",
    core(
      "record/record-store.ts",
      "if (isOvertaken && this.#latest?.version !== version) this.#learn(saved);\n    else this.#latest",
      "this.#latest",
    ),
  ),
  mutant(
    "the end of a failover is not awaited before a claim",
    core("refresh/claim.ts", "await records.settle();", ""),
  ),
];
