import { describeTokenStore } from "@unexpired/testing";
import { describe, it } from "vitest";
import { fileKeychainFixture } from "./support/file-keychain-store.ts";

describe("a keychain limited to 1,280 UTF-16 units", () => {
  describeTokenStore({ describe, it }, { create: () => fileKeychainFixture({ size: 1_280, unit: "utf16" }) });
});
