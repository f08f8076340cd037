import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A session whose refresh token expires a day after its exchange. */
async function startRefreshed() {
  const session = startSession();
  const manager = await session.signIn(0);
  session.issuer.next((rotated) => ({ ...rotated, refresh_token_expires_in: 86_400 }));
  const { refreshTokenExpiresAt } = await manager.getTokenSet();
  return { ...session, manager, refreshTokenExpiresAt, expected: session.clock.now() + DAY };
}

it("is stored and described, and its lifetime starts again with a new refresh token whose expiry is not told", async () => {
  const { clock, expected, manager, open, record, refreshTokenExpiresAt } = await startRefreshed();
  expect(refreshTokenExpiresAt).toBe(expected);
  await clock.advance(HOUR);
  const next = { refreshTokenExpiresAt: expected + HOUR };
  expect(await manager.getTokenSet()).toMatchObject({ accessToken: canary("access", 3), ...next });
  expect((await record()).tokens).toMatchObject(next);
  expect(await open().peek()).toMatchObject(next);
});

it("is kept with a refresh token that the server keeps", async () => {
  const { clock, expected, issuer, manager } = await startRefreshed();
  await clock.advance(HOUR);
  issuer.next(({ refresh_token: _, ...kept }) => kept);
  expect(await manager.getTokenSet()).toMatchObject({
    accessToken: canary("access", 3),
    refreshToken: canary("refresh", 2),
    refreshTokenExpiresAt: expected,
  });
});

it("is unknown after a rotation of a refresh token that had expired by the clock before it was stored", async () => {
  const { clock, issuer, open } = startSession();
  const manager = open();
  await manager.signIn({ refreshToken: issuer.tokens().refreshToken, refreshTokenExpiresAt: clock.now() - DAY });
  expect((await manager.getTokenSet()).refreshTokenExpiresAt).toBeUndefined();
});

it("is unknown for a refresh token that came without an access token and without an expiry", async () => {
  const { issuer, manager, record } = await startRefreshed();
  issuer.next(({ refresh_token }) => ({ refresh_token }));
  await expect(manager.refresh()).rejects.toMatchObject({ code: "CONFIGURATION" });
  const { tokens } = await record();
  expect(tokens?.refreshToken).toBe(canary("refresh", 3));
  expect(tokens?.refreshTokenExpiresAt).toBeUndefined();
});

it("counts from the next response that tells it", async () => {
  const { clock, issuer, manager } = await startRefreshed();
  await clock.advance(HOUR);
  issuer.next((rotated) => ({ ...rotated, refresh_expires_in: 7_200 }));
  expect(await manager.getTokenSet()).toMatchObject({ refreshTokenExpiresAt: clock.now() + 2 * HOUR });
});

it("ends no session when it has passed, because the clocks of client and server differ", async () => {
  const { clock, manager, open } = await startRefreshed();
  await clock.advance(2 * DAY);
  expect(manager.state).toMatchObject({ status: "near-expiry", renewable: true });
  expect(await open().peek()).toMatchObject({ renewable: true });
  expect(await open().hasSession()).toBe(true);
  expect(await manager.getAccessToken()).toBe(canary("access", 3));
});

it("goes with a refresh token that the server refuses, and with the session", async () => {
  const { issuer, manager, open, record } = await startRefreshed();
  issuer.isRevoked = true;
  await expect(manager.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
  const { tokens } = await record();
  expect(tokens?.accessToken).toBe(canary("access", 2));
  expect(tokens?.refreshTokenExpiresAt).toBeUndefined();
  expect((await open().peek())?.refreshTokenExpiresAt).toBeUndefined();
  await manager.signOut();
  expect((await open().peek())?.refreshTokenExpiresAt).toBeUndefined();
});

it("stays with a refresh token that the server wants to see again after an interaction", async () => {
  const { expected, issuer, manager, record } = await startRefreshed();
  issuer.next(() => ({ error: "interaction_required" }), { before: true });
  await expect(manager.refresh()).rejects.toMatchObject({ reason: "interaction_required" });
  expect((await record()).tokens).toMatchObject({ refreshTokenExpiresAt: expected });
});

it("is that of a refresh token which came without an access token", async () => {
  const { clock, issuer, manager, record } = await startRefreshed();
  issuer.next(({ refresh_token }) => ({ refresh_token, refresh_expires_in: 60 }));
  await expect(manager.refresh()).rejects.toMatchObject({ code: "CONFIGURATION" });
  expect((await record()).tokens).toMatchObject({
    refreshToken: canary("refresh", 3),
    refreshTokenExpiresAt: clock.now() + 60_000,
  });
});
