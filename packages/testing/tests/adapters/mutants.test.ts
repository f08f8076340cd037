import { describe, expect, it } from "vitest";
import { adapterCases, type Call, describeAdapter, runAdapterCase } from "../../src/index.ts";
import { describeMutants } from "../describe-mutants.ts";
import { mutants } from "./mutants/index.ts";
import { ReferenceClient } from "./reference-client.ts";
import { harnessFor } from "./reference-harness.ts";

describe("the reference client that all mutants extend", () => {
  describeAdapter({ describe, it }, harnessFor());

  it("supports every feature, so that no case is skipped", () => {
    expect(harnessFor().unsupported).toEqual({});
  });
});

describe("a client that drops user information from URLs", () => {
  class Client extends ReferenceClient {
    protected override resolve(call: Call): URL {
      return Object.assign(super.resolve(call), { username: "", password: "" });
    }
  }
  const cases = adapterCases.filter(({ name }) => /user (information|name)/.test(name));

  it.each(cases)("passes or skips: $name", async (each) => {
    const unsupported = { userInformation: "the client drops it" };
    const reason = await runAdapterCase(each, { ...harnessFor(Client), unsupported });
    expect(reason).toBe(each.needs && "not applicable: the client drops it");
  });
});

const caseOf = new Map(adapterCases.map((each) => [each.name, each]));

describeMutants(mutants, adapterCases, async ({ caughtBy, Client }) => {
  const each = caseOf.get(caughtBy);
  if (!each) throw new TypeError(`No case is named "${caughtBy}".`);
  return runAdapterCase(each, harnessFor(Client)).catch((error: unknown) => error);
});
