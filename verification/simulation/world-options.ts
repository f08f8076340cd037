import type { ProviderProfile } from "@unexpired/core";
import type { Random } from "./random.ts";

/** The properties in which worlds differ. */
export interface WorldOptions {
  readonly kind: "shared" | "file";
  /** The kind of another program's document that holds the session: as an entry of an object, or of an array. */
  readonly document: "none" | "object" | "array";
  /** How often the program that owns the document acts in a round at most. */
  readonly foreignActs: number;
  /** Whether programs sign in with flows, in which users take part. */
  readonly hasUsers: boolean;
  /** Within how many milliseconds every process reconnects after a failover; `undefined` if the store never fails over. */
  readonly reconnectsWithin: number | undefined;
  readonly processes: number;
  readonly machines: number;
  /** The difference between the clocks of consecutive machines in milliseconds. */
  readonly skew: number;
  readonly watches: boolean;
  /** Only Linux has start times. With `none`, stores have no `holder`. */
  readonly platform: "linux" | "darwin" | "none";
  /** Whether the machines are containers of one host, each with its own PID namespace. */
  readonly hasContainers: boolean;
  /** Whether the processes of a machine are threads of one process. */
  readonly hasThreads: boolean;
  /** Whether the HTTP client aborts the request when its signal fires. */
  readonly aborts: boolean;
  readonly background: boolean;
  readonly lifetime: number;
  readonly graceSeconds: number;
  readonly revokesOnReuse: boolean;
  readonly afterLoss: ProviderProfile["afterLoss"];
  /** Whether the session file is a mount point itself, so that it can only be written in place. */
  readonly mounts: boolean;
  /** Whether the monotonic clock stands still while a machine sleeps, as on Linux, or goes on, as elsewhere. */
  readonly sleepStopsClock: boolean;
  /** Whether the token endpoint says why it refuses a refresh token. */
  readonly givesReasons: boolean;
  /** Whether every process draws the same IDs from its own randomness, as if that were a fake. */
  readonly sameIds: boolean;
  /** Whether every second process runs a later release. */
  readonly hasLaterRelease: boolean;
}

/** Draws the properties of a world. */
export function worldOptions(random: Random, wanted: Partial<WorldOptions> = {}): WorldOptions {
  const pick = <T>(options: readonly T[]) => random.pick("world", options);
  const options = {
    kind: pick(["shared", "shared", "file"] as const),
    processes: pick([1, 2, 3, 3, 4]),
    machines: pick([1, 1, 2, 3]),
    skew: pick([0, 0, 0, 600_000, -600_000, 7_200_000]),
    watches: pick([false, true]),
    platform: pick(["linux", "linux", "darwin", "none"] as const),
    hasContainers: pick([false, true]),
    hasThreads: pick([false, false, true]),
    aborts: pick([false, true]),
    background: pick([true, true, false]),
    lifetime: pick([60_000, 20_000, 600_000, 3_600_000]),
    graceSeconds: pick([0, 0, 30, 120]),
    revokesOnReuse: pick([true, true, false]),
    afterLoss: pick(["retry", "retry", "retry", "sign-in"] as const),
    mounts: pick([false, false, false, true]),
    sleepStopsClock: pick([true, false]),
    givesReasons: pick([true, true, false]),
  };
  const sameIds = pick([false, false, false, true]);
  const hasLaterRelease = pick([false, false, true]);
  const hasUsers = random.pick("user", [false, false, false, false, false, false, false, true]);
  const others = { document: "none" as const, foreignActs: 0, reconnectsWithin: undefined };
  const all = { ...options, sameIds, hasLaterRelease, hasUsers, ...others, ...wanted };
  // These choices have streams of their own, so that a seed without users, or a document, means what it meant before.
  const document = random.pick("document", [
    "none",
    "none",
    "none",
    "none",
    "none",
    "none",
    "object",
    "array",
  ] as const);
  const foreignActs = random.pick("document", [3, 3, 12]);
  if (!wanted.kind && !wanted.document && document !== "none") return { ...all, kind: "file", document, foreignActs };
  return withFailovers(random, all, wanted);
}

/** In some worlds, a cluster that fails over keeps the session. A second prompt is not prevented then. */
function withFailovers(random: Random, options: WorldOptions, wanted: Partial<WorldOptions>): WorldOptions {
  const isCluster = random.pick("failover", [false, false, false, false, false, true]);
  const reconnectsWithin = random.pick("failover", [500, 1_000, 1_200, 5_000]);
  const all = { reconnectsWithin, ...wanted, kind: "shared" as const, hasUsers: false, watches: true };
  const isWanted = "reconnectsWithin" in wanted ? wanted.reconnectsWithin !== undefined : isCluster && !wanted.kind;
  return isWanted ? { ...options, ...all } : options;
}
