import { describe, it } from "vitest";
import { describeSessionFormat, formatCases, runFormatCase } from "../../src/index.ts";
import { describeMutants } from "../describe-mutants.ts";
import { jsonHarness } from "./json-harness.ts";
import { mutants } from "./mutants/index.ts";

describe("the format that all mutants spoil", () => {
  describeSessionFormat({ describe, it }, jsonHarness());
});

const caseOf = new Map(formatCases.map((each) => [each.name, each]));

describeMutants(mutants, formatCases, async ({ caughtBy, spoil }) => {
  const each = caseOf.get(caughtBy);
  if (!each) throw new TypeError(`No case is named "${caughtBy}".`);
  return await runFormatCase(each, jsonHarness(spoil)).catch((error: unknown) => error);
});
