import { describeTokenStore } from "@unexpired/testing";
import { describe, it } from "vitest";
import { fileKeychainFixture } from "./support/file-keychain-store.ts";

describe("a keychain limited to 2,560 bytes", () => {
  describeTokenStore({ describe, it }, { create: () => fileKeychainFixture({ size: 2_560, unit: "bytes" }) });
});
