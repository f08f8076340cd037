import type { StoreCase } from "./cases/case.ts";
import { failureCases } from "./cases/failures.ts";
import { holderCases } from "./cases/holders.ts";
import { namespaceCases } from "./cases/namespaces.ts";
import { overwritingCases } from "./cases/overwriting.ts";
import { processCases } from "./cases/processes.ts";
import { secretCases } from "./cases/secrets.ts";
import { sessionCases } from "./cases/sessions.ts";
import { valueCases } from "./cases/values.ts";
import { versionCases } from "./cases/versions.ts";
import { watchCases } from "./cases/watching.ts";

/** All cases of the store contract as data, to run without a test runner or individually with `runCase`. */
export const storeCases: readonly StoreCase[] = [
  ...valueCases,
  ...overwritingCases,
  ...failureCases,
  ...versionCases,
  ...secretCases,
  ...watchCases,
  ...processCases,
  ...holderCases,
  ...namespaceCases,
  ...sessionCases,
];
