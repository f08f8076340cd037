import { abortCases } from "./cases/aborting.ts";
import { attachingCases } from "./cases/attaching.ts";
import { bodyCases } from "./cases/bodies.ts";
import type { AdapterCase } from "./cases/case.ts";
import { errorCases } from "./cases/errors.ts";
import { mannersCases } from "./cases/manners.ts";
import { originCases } from "./cases/origins.ts";
import { retryingCases } from "./cases/retrying.ts";
import { settingsCases } from "./cases/settings.ts";

/** Everything that the kit asks of an adapter, as data: to run it without a test runner, or a part of it (`runAdapterCase`). */
export const adapterCases: readonly AdapterCase[] = [
  ...attachingCases,
  ...retryingCases,
  ...bodyCases,
  ...originCases,
  ...abortCases,
  ...mannersCases,
  ...settingsCases,
  ...errorCases,
];
