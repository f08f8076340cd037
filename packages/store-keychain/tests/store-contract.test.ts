import { describeTokenStore } from "@unexpired/testing";
import { describe, it } from "vitest";
import { fileKeychainFixture } from "./support/file-keychain-store.ts";

const LIMITS = [
  ["limited to 2,560 bytes", { size: 2_560, unit: "bytes" }],
  ["limited to 1,280 UTF-16 units", { size: 1_280, unit: "utf16" }],
] as const;

describe.each(LIMITS)("a keychain %s", (_name, limit) => {
  describeTokenStore({ describe, it }, { create: () => fileKeychainFixture(limit) });
});
