import { runCase, storeCases } from "@unexpired/testing";
import { describe, it } from "vitest";
import { keychainOrFileFixture } from "../support/sandbox.ts";

const KEYCHAINS = ["works", "no_service"] as const;

/**
 * All cases except those with 50 processes or 800 saves. The two underlying stores pass these in their own tests; what
 * `keychainOrFile` adds is tested in crashes.test.ts and races.test.ts.
 */
const cases = storeCases.filter(({ name }) => !/increment up to|50 times/.test(name));

describe.each(KEYCHAINS)("keychainOrFile with this keychain: %s", (keychain) => {
  it.for(cases)("$name", async (each, ctx) => {
    const skipReason = await runCase(each, { create: () => keychainOrFileFixture(keychain) });
    if (skipReason !== undefined) ctx.skip(skipReason);
  });
});
