import { abortMutants } from "./aborting.ts";
import { attachingMutants } from "./attaching.ts";
import { bodyMutants } from "./bodies.ts";
import { errorMutants } from "./errors.ts";
import type { Mutant } from "./mutant.ts";
import { originMutants } from "./origins.ts";
import { redirectMutants } from "./redirects.ts";
import { renewingMutants } from "./renewing.ts";
import { responseMutants } from "./responses.ts";
import { retryingMutants } from "./retrying.ts";
import { settingsMutants } from "./settings.ts";
import { transparencyMutants } from "./transparency.ts";

/** Clients whose adapters have one fault each. */
export const mutants: readonly Mutant[] = [
  ...attachingMutants,
  ...retryingMutants,
  ...renewingMutants,
  ...bodyMutants,
  ...originMutants,
  ...redirectMutants,
  ...abortMutants,
  ...transparencyMutants,
  ...responseMutants,
  ...settingsMutants,
  ...errorMutants,
];
