import { describe, expect, it } from "vitest";
import { adapterCases, describeAdapter, runAdapterCase } from "../../src/index.ts";
import { describeMutants } from "../describe-mutants.ts";
import { mutants } from "./mutants/index.ts";
import { harnessFor } from "./reference-harness.ts";

describe("the reference client that all mutants extend", () => {
  describeAdapter({ describe, it }, harnessFor());

  it("supports every feature, so that no case is skipped", () => {
    expect(harnessFor().unsupported).toEqual({});
  });
});

const caseOf = new Map(adapterCases.map((each) => [each.name, each]));

describeMutants(mutants, adapterCases, async ({ caughtBy, Client }) => {
  const each = caseOf.get(caughtBy);
  if (!each) throw new TypeError(`No case is named "${caughtBy}".`);
  return runAdapterCase(each, harnessFor(Client)).catch((error: unknown) => error);
});
