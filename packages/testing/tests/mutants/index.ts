import { holderMutants } from "./holders.ts";
import type { Mutant } from "./mutant.ts";
import { placeMutants } from "./places.ts";
import { processMutants } from "./processes.ts";
import { quietMutants } from "./quiet.ts";
import { valueMutants } from "./values.ts";
import { versionMutants } from "./versions.ts";

/** Stores that are broken in one way each. */
export const mutants: readonly Mutant[] = [
  ...valueMutants,
  ...placeMutants,
  ...versionMutants,
  ...quietMutants,
  ...processMutants,
  ...holderMutants,
];
