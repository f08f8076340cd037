/** The size limits of the installed packages. */
import { expect, it } from "vitest";
import { createBackendLoader } from "../../src/backends/load.ts";
import { keytarSkipReason } from "../support/secret-service-daemon.ts";

const LIMITS = [
  { name: "@napi-rs/keyring", platform: "win32", limit: 1_280 }, // UTF-16 units
  { name: "keytar", platform: "win32", limit: 2_560 }, // bytes
  { name: "@napi-rs/keyring", platform: "darwin", limit: undefined },
  { name: "keytar", platform: "darwin", limit: undefined },
  { name: "@napi-rs/keyring", platform: "linux", limit: undefined },
  { name: "keytar", platform: "linux", limit: undefined },
] as const;

it.for(LIMITS)("limits an item of $name on $platform to $limit", async ({ name, platform, limit }, ctx) => {
  const skipReason = name === "keytar" ? keytarSkipReason() : undefined;
  if (skipReason !== undefined) ctx.skip(skipReason);
  const { limit: actual } = await createBackendLoader({ timeout: 1_000, platform })(name, "write");
  expect(actual).toBe(limit);
});
