import type { Mutant } from "./mutate.ts";
import type { Focus } from "./run.ts";

const TRACKER = "packages/core/src/refresh/attempt-tracker.ts";
const CLAIM = "packages/core/src/refresh/claim.ts";
const ENDINGS = "packages/core/src/refresh/attempt-endings.ts";
const IDENTITY = "packages/store-node/src/process-identity.ts";

const mutant = (name: string, file: string, ...[find, replace]: readonly [string, string]): Mutant => ({
  name,
  edits: [{ file, find, replace }],
});

/** A holder that is stopped, and others that see it. */
const STOPPED: Focus = {
  world: { kind: "shared", platform: "linux", machines: 1, processes: 3 },
  faults: ["stopped in mid-exchange"],
};

/** Holders that die, on a platform. */
const mortalOn = (platform: "linux" | "darwin"): Focus => ({
  world: { kind: "shared", platform, machines: 1, hasThreads: false },
  faults: ["crash", "slow response", "slow save"],
});

/** Mutants that each break one rule about leases, or about what became of the holder of a claim. */
export const HOLDER_MUTANTS: readonly Mutant[] = [
  mutant(
    "a failed check of a holder taken for its end",
    TRACKER,
    'statusOf(holder) ?? "unknown", tracked.status)',
    'statusOf(holder) ?? "unknown", "gone" as const)',
  ),
  {
    ...mutant("a living holder loses its claim with its lease", TRACKER, 'status !== "alive" ||', "true ||"),
    focus: STOPPED,
  },
  { ...mutant("a living holder keeps its claim forever", TRACKER, "HOLD - elapsed)", "HOLD)"), focus: STOPPED },
  {
    ...mutant("a living holder is late from the start", TRACKER, "|| elapsed < lease) return", ") return"),
    focus: STOPPED,
  },
  {
    ...mutant(
      "a claim that has ended is left standing",
      ENDINGS,
      "this.remember(key, { ...ending, retryUntil });\n    this.#retryLater();",
      "this.remember(key, { ...ending, retryUntil });",
    ),
    focus: { world: { kind: "shared" }, faults: ["store goes out of order", "not sent"] },
  },
  {
    ...mutant(
      "a claim that may have been saved is left standing",
      CLAIM,
      "if (!claimed) this.#endings.endLater(key, unsent);",
      "void unsent;",
    ),
    focus: {
      world: { kind: "shared", platform: "linux", machines: 1, processes: 3 },
      faults: ["outcome unknown: saved", "unreadable", "save never ends"],
    },
  },
  {
    ...mutant("a zombie is alive", IDENTITY, 'stat.state === "Z" || ', ""),
    focus: mortalOn("linux"),
  },
  {
    ...mutant("a reused pid is alive", IDENTITY, "stat.startedAt !== startedAt || ", ""),
    focus: mortalOn("linux"),
  },
  mutant(
    "a thread lives as long as its process",
    IDENTITY,
    "const [, pid, tid, startedAt] = parseThread(self);",
    "const [, pid, , startedAt] = parseThread(self);\n  const tid = pid;",
  ),
  {
    ...mutant(
      "a pid that exists is alive without a start time",
      IDENTITY,
      'hasNoProcess(Number(pid), system) ? "gone" : "unknown";\n  });',
      'hasNoProcess(Number(pid), system) ? "gone" : "alive";\n  });',
    ),
    focus: mortalOn("darwin"),
  },
  mutant("all PID namespaces are one", IDENTITY, 'namespaceId(system, "pid")', '"0"'),
  mutant(
    "a file that cannot be read is the end of a process",
    IDENTITY,
    "if (isNotFound(error)) return undefined;\n    throw error;\n  });",
    "void error;\n    return undefined;\n  });",
  ),
];
