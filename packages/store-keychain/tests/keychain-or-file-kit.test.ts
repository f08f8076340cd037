import { describeTokenStore } from "@unexpired/testing";
import { describe, it } from "vitest";
import { eitherBacking } from "./either.ts";

describe("keychainOrFile with a keychain that works", () => {
  describeTokenStore({ describe, it }, { create: () => eitherBacking("works") });
});

describe("keychainOrFile without a keychain", () => {
  describeTokenStore({ describe, it }, { create: () => eitherBacking("no_service") });
});
