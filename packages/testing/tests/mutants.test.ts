import "./compile-cache.ts";
import { afterAll, describe, it } from "vitest";
import { describeTokenStore, runCase, storeCases } from "../src/index.ts";
import { describeMutants } from "./describe-mutants.ts";
import { harnessFor } from "./mutant-harness.ts";
import { mutants } from "./mutants/index.ts";

describe("the reference store that all mutants extend", () => {
  const harness = harnessFor();
  afterAll(() => harness[Symbol.dispose]());
  describeTokenStore({ describe, it }, harness);
});

const caseOf = new Map(storeCases.map((each) => [each.name, each]));

describeMutants(mutants, storeCases, async ({ name, caughtBy, timeout }) => {
  using harness = harnessFor(name);
  const each = caseOf.get(caughtBy);
  if (!each) throw new TypeError(`No case is named "${caughtBy}".`);
  return await runCase(each, harness, { timeout }).catch((error: unknown) => error);
});
