import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";
import type { RefreshFunction, SessionEvent } from "../../src/index.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

/** A refresh function that returns a token set, as an API with names in camel case does. */
const returning =
  (expiresAt: number | string): RefreshFunction =>
  async () => ({ accessToken: canary("access", 2), refreshToken: canary("refresh", 2), expiresAt });

it.each([
  { name: "a date of ISO 8601", toExpiry: (time: number) => new Date(time).toISOString() },
  { name: "epoch milliseconds", toExpiry: (time: number) => time },
])("keeps the milliseconds of an expiry that a refresh function returns as $name", async ({ toExpiry }) => {
  const { clock, events, open, record, signIn } = startSession();
  await signIn(0);
  const expiresAt = clock.now() + HOUR + 123;
  const manager = open({ refresh: returning(toExpiry(expiresAt)) });
  expect(await manager.getTokenSet()).toMatchObject({ accessToken: canary("access", 2), expiresAt });
  expect((await record()).tokens).toMatchObject({ refreshToken: canary("refresh", 2), expiresAt });
  expect(await open().peek()).toMatchObject({ expiresAt });
  const refreshed = events.find((event): event is SessionEvent & { type: "refreshed" } => event.type === "refreshed");
  expect(refreshed?.expiresAt).toBe(expiresAt);
});

it("returns such a token until that millisecond", async () => {
  const { clock, open, signIn } = startSession({ refreshWindow: 0 });
  await signIn(0);
  let exchanges = 0;
  const refresh: RefreshFunction = async (current, context) => {
    exchanges++;
    return returning(new Date(clock.now() + HOUR + 123).toISOString())(current, context);
  };
  const manager = open({ refresh });
  await manager.getAccessToken();
  await clock.advance(HOUR + 122);
  await manager.getAccessToken();
  expect(exchanges).toBe(1);
  await clock.advance(1);
  await manager.getAccessToken();
  expect(exchanges).toBe(2);
});

it("keeps a refresh token that a refresh function returns without an access token", async () => {
  const { open, record, signIn } = startSession();
  await signIn(0);
  const manager = open({ refresh: async () => ({ refreshToken: canary("refresh", 2) }) });
  await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "CONFIGURATION" });
  expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 2));
});

it("signs in with an expiry of ISO 8601", async () => {
  const { clock, open } = startSession();
  const expiresAt = clock.now() + HOUR + 1;
  await open().signIn({ accessToken: canary("access", 1), expiresAt: new Date(expiresAt).toISOString() });
  expect(await open().getTokenSet()).toMatchObject({ expiresAt });
});
