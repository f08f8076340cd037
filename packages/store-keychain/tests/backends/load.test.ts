/** The limits of the packages, as they are installed. */
import { expect, it } from "vitest";
import { load } from "../../src/backends/load.ts";
import { reasonAgainstKeytar } from "../support/secret-service-daemon.ts";

const LIMITS = [
  { name: "@napi-rs/keyring", platform: "win32", limit: 1_280 }, // UTF-16 units
  { name: "keytar", platform: "win32", limit: 2_560 }, // bytes
  { name: "@napi-rs/keyring", platform: "darwin", limit: undefined },
  { name: "keytar", platform: "darwin", limit: undefined },
  { name: "@napi-rs/keyring", platform: "linux", limit: undefined },
  { name: "keytar", platform: "linux", limit: undefined },
] as const;

it.for(LIMITS)("$name on $platform takes so much in an item: $limit", async ({ name, platform, limit }, ctx) => {
  const reason = name === "keytar" ? reasonAgainstKeytar() : undefined;
  if (reason !== undefined) ctx.skip(reason);
  const { limit: actual } = await load({ deadline: 1_000, platform })(name, "write");
  expect(actual).toBe(limit);
});
