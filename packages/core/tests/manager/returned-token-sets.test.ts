import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
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

describe("a member that cannot be read", () => {
  const refreshed = { accessToken: canary("access", 2), refreshToken: canary("refresh", 2) };

  it.each<[string, object, string[]]>([
    ["an expiry in seconds", { expiresAt: 1_900_000_000 }, ["expiresAt"]],
    ["a date without a time zone", { expiresAt: "2033-05-18T03:33:20" }, ["expiresAt"]],
    ["a Date", { expiresAt: new Date() }, ["expiresAt"]],
    ["an expiry of the refresh token", { refreshTokenExpiresAt: "tomorrow" }, ["refreshTokenExpiresAt"]],
    ["a placeholder", { idToken: "[secret]", expiresAt: Number.NaN }, ["idToken", "expiresAt"]],
    ["a lifetime with a unit", { access_token: canary("access", 2), expires_in: "3600s" }, ["expires_in"]],
  ])("is reported, and loses no token: %s", async (_name, more, members) => {
    const { events, open, record, signIn } = startSession();
    await signIn(0);
    const manager = open({ refresh: async () => ({ ...refreshed, ...more }) as never });
    expect((await manager.getTokenSet()).expiresAt).toBeUndefined();
    expect((await record()).tokens).toMatchObject({ accessToken: canary("access", 2) });
    const attemptId = expect.any(String);
    expect(events.filter(({ type }) => type === "members-ignored")).toEqual([
      { type: "members-ignored", attemptId, members },
    ]);
  });

  it.each<[string, object]>([
    ["a lifetime of 0", { access_token: canary("access", 2), expires_in: 0 }],
    ["a lifetime as a string", { access_token: canary("access", 2), expires_in: "60" }],
    ["an additional parameter of a response", { access_token: canary("access", 2), expiresAt: "soon" }],
    ["null", { ...refreshed, expiresAt: null }],
    ["nothing", refreshed],
  ])("is not %s", async (_name, returned) => {
    const { events, open, signIn } = startSession();
    await signIn(0);
    await open({ refresh: async () => returned as never }).getTokenSet();
    expect(events.map(({ type }) => type)).not.toContain("members-ignored");
  });

  it("keeps the refresh token if it is a placeholder, and reports it", async () => {
    const { events, open, record, signIn } = startSession();
    await signIn(0);
    const copied = { ...refreshed, refreshToken: "[secret]" };
    await open({ refresh: async () => copied }).getAccessToken();
    expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 1));
    expect(events).toContainEqual(expect.objectContaining({ type: "members-ignored", members: ["refreshToken"] }));
  });

  it("is no access token if it is a placeholder, nor a refresh token without one", async () => {
    for (const copied of [
      { ...refreshed, accessToken: "[secret]" },
      { access_token: "[secret]" },
      { refreshToken: "[secret]" },
    ]) {
      const { open, record, signIn } = startSession();
      await signIn(0);
      const error: unknown = await open({ refresh: async () => ({ ...copied, refreshToken: "[secret]" }) as never })
        .getAccessToken()
        .catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        code: "REFRESH_FAILED",
        message: expect.stringMatching(
          /returned no tokens: \w+ is the placeholder "\[secret\]", because JSON\.stringify/,
        ),
      });
      expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 1));
    }
  });
});
