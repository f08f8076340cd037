import { failureMutants } from "./failures.ts";
import { holderMutants } from "./holders.ts";
import { locationMutants } from "./locations.ts";
import type { Mutant } from "./mutant.ts";
import { overwritingMutants } from "./overwriting.ts";
import { processMutants } from "./processes.ts";
import { secretAndWatchMutants } from "./secrets-and-watches.ts";
import { valueMutants } from "./values.ts";
import { versionMutants } from "./versions.ts";

/** Stores with one fault each. */
export const mutants: readonly Mutant[] = [
  ...valueMutants,
  ...locationMutants,
  ...overwritingMutants,
  ...failureMutants,
  ...versionMutants,
  ...secretAndWatchMutants,
  ...processMutants,
  ...holderMutants,
];
