import type { FormatCase } from "./cases/case.ts";
import { discardingCases } from "./cases/discarding.ts";
import { entryCases } from "./cases/entries.ts";
import { errorCases } from "./cases/errors.ts";
import { printingCases } from "./cases/printing.ts";
import { purityCases } from "./cases/purity.ts";
import { signOutCases } from "./cases/sign-out.ts";

/** All cases of the contract of session formats as data, to run without a test runner or individually. */
export const formatCases: readonly FormatCase[] = [
  ...printingCases,
  ...signOutCases,
  ...entryCases,
  ...errorCases,
  ...discardingCases,
  ...purityCases,
];
