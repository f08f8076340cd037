import { abortCases } from "./cases/aborting.ts";
import { anyFetchCases } from "./cases/any-fetch.ts";
import { attachingCases } from "./cases/attaching.ts";
import { bodyCases } from "./cases/bodies.ts";
import type { AdapterCase } from "./cases/case.ts";
import { challengeCases } from "./cases/challenges.ts";
import { connectionCases } from "./cases/connections.ts";
import { errorClassCases } from "./cases/error-classes.ts";
import { errorCases } from "./cases/errors.ts";
import { insecureCases } from "./cases/insecure.ts";
import { originCases } from "./cases/origins.ts";
import { rejectionCases } from "./cases/rejections.ts";
import { retryingCases } from "./cases/retrying.ts";
import { settingsCases } from "./cases/settings.ts";
import { transparencyCases } from "./cases/transparency.ts";

/** All cases of the adapter contract as data, to run without a test runner or individually with `runAdapterCase`. */
export const adapterCases: readonly AdapterCase[] = [
  ...attachingCases,
  ...retryingCases,
  ...challengeCases,
  ...rejectionCases,
  ...anyFetchCases,
  ...bodyCases,
  ...originCases,
  ...insecureCases,
  ...connectionCases,
  ...abortCases,
  ...transparencyCases,
  ...errorClassCases,
  ...settingsCases,
  ...errorCases,
];
