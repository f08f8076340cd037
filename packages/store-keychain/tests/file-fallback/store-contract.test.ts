import { runCase, storeCases } from "@unexpired/testing";
import { describe, it } from "vitest";
import { keychainOrFileFixture } from "../support/sandbox.ts";

const KEYCHAINS = ["works", "no_service"] as const;

/**
 * But for what takes 50 processes or 800 saves: the two stores show that by themselves, and what this one adds to it is
 * in crashes.test.ts and races.test.ts.
 */
const cases = storeCases.filter(({ name }) => !/increments|50 times/.test(name));

describe.each(KEYCHAINS)("keychainOrFile with a keychain that says: %s", (keychain) => {
  it.for(cases)("$name", async (each, ctx) => {
    const reason = await runCase(each, { create: () => keychainOrFileFixture(keychain) });
    if (reason !== undefined) ctx.skip(reason);
  });
});
