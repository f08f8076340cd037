import { abortMutants } from "./aborting.ts";
import { anyFetchMutants } from "./any-fetch.ts";
import { attachingMutants } from "./attaching.ts";
import { bodyMutants } from "./bodies.ts";
import { challengeMutants } from "./challenges.ts";
import { connectionMutants } from "./connections.ts";
import { errorClassMutants } from "./error-classes.ts";
import { errorMutants } from "./errors.ts";
import { insecureMutants } from "./insecure.ts";
import type { Mutant } from "./mutant.ts";
import { originMutants } from "./origins.ts";
import { redirectMutants } from "./redirects.ts";
import { rejectionMutants } from "./rejections.ts";
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
  ...challengeMutants,
  ...rejectionMutants,
  ...anyFetchMutants,
  ...bodyMutants,
  ...originMutants,
  ...insecureMutants,
  ...redirectMutants,
  ...abortMutants,
  ...connectionMutants,
  ...transparencyMutants,
  ...errorClassMutants,
  ...responseMutants,
  ...settingsMutants,
  ...errorMutants,
];
