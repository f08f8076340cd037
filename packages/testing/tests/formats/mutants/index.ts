import { discardingMutants } from "./discarding.ts";
import { entryMutants } from "./entries.ts";
import { errorMutants } from "./errors.ts";
import type { Mutant } from "./mutant.ts";
import { purityMutants } from "./purity.ts";
import { readingMutants } from "./reading.ts";
import { signOutMutants } from "./sign-out.ts";
import { writingMutants } from "./writing.ts";

/** Session formats with one fault each. */
export const mutants: readonly Mutant[] = [
  ...readingMutants,
  ...writingMutants,
  ...signOutMutants,
  ...entryMutants,
  ...errorMutants,
  ...discardingMutants,
  ...purityMutants,
];
