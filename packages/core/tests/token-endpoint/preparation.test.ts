import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createTokenManager, TokenEndpointError } from "../../src/index.ts";
import { jsonRefresh, oauth2Refresh } from "../../src/oauth2.ts";
import type { RefreshFunction, TokenSet } from "../../src/types.ts";
import { startSession } from "../support/session.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const REFRESHED = { access_token: canary("access", 2), refresh_token: canary("refresh", 2), expires_in: 3600 };
const tokens: TokenSet = {
  accessToken: canary("access", 1),
  refreshToken: canary("refresh", 1),
  tokenType: "Bearer",
  extra: {},
};

type Make = (prepare: () => Promise<void>, more?: { timeout: number }) => RefreshFunction;

/** Both refresh functions, whose requests wait for a function of the caller, and count as sent by `send`. */
function makers() {
  const send = vi.fn<typeof fetch>(async () => Response.json(REFRESHED));
  const json: Make = (prepare, more) =>
    jsonRefresh({
      endpoint: "https://a.example/refresh",
      body: () => prepare().then(() => ({})),
      read: () => REFRESHED,
      fetch: send,
      ...more,
    });
  const oauth2: Make = (prepare, more) =>
    oauth2Refresh({
      tokenEndpoint: "https://a.example/token",
      revocationEndpoint: "https://a.example/revoke",
      clientId: "c",
      clientAuth: prepare,
      fetch: send,
      ...more,
    });
  const deferred: Make = (prepare) =>
    oauth2Refresh(async () => ({
      tokenEndpoint: "https://a.example/token",
      clientId: "c",
      timeout: 20 * 60_000, // applies from the second exchange on
      clientAuth: prepare,
      fetch: send,
    }));
  return { send, json, oauth2, deferred };
}

const never = () => new Promise<never>(() => {});
const failure = (promise: Promise<unknown> | undefined) =>
  promise?.then(
    () => expect.fail("did not reject"),
    (error: unknown) => error,
  );

it.each(["json", "oauth2", "deferred"] as const)(
  "does not sign the user out if the preparation of a request never ends (%s)",
  async (name) => {
    const makes = makers();
    const manager = createTokenManager({ refresh: makes[name](never), provider: { afterLoss: "sign-in" } });
    await manager.signIn({ refreshToken: canary("refresh", 1) });
    const call = failure(manager.getAccessToken());
    await vi.advanceTimersByTimeAsync(31_000);
    expect(await call).toMatchObject({ code: "REFRESH_FAILED", cause: { sent: false } });
    expect(manager.state).toMatchObject({ status: "near-expiry", renewable: true });
    expect(makes.send).not.toHaveBeenCalled();
  },
);

it.each(["json", "oauth2"] as const)("gives the preparation half of the timeout (%s)", async (name) => {
  const { [name]: make, send } = makers();
  const after = (milliseconds: number) => () => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
  const exchange = (milliseconds: number) =>
    make(after(milliseconds), { timeout: 8_000 })(tokens, { signal: new AbortController().signal, attemptId: "1" });
  const late = failure(exchange(4_001));
  await vi.advanceTimersByTimeAsync(4_000);
  expect(await late).toMatchObject({
    sent: false,
    message: expect.stringMatching(
      /received no request: The request was not ready within 4000 ms\. Check the functions/,
    ),
  });
  await vi.advanceTimersByTimeAsync(4_000);
  expect(send).not.toHaveBeenCalled();
  const punctual = exchange(3_999);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(await punctual).toMatchObject(REFRESHED);
});

it("leaves all of the timeout to a request that is under way", async () => {
  const { json, send } = makers();
  send.mockImplementation(() => new Promise((resolve) => setTimeout(() => resolve(Response.json(REFRESHED)), 7_000)));
  const refreshed = json(async () => {}, { timeout: 8_000 })(tokens, {
    signal: new AbortController().signal,
    attemptId: "1",
  });
  await vi.advanceTimersByTimeAsync(7_000);
  expect(await refreshed).toMatchObject(REFRESHED);
});

it("ends a revocation whose preparation never ends", async () => {
  const { oauth2, send } = makers();
  const revoked = failure(oauth2(never).revoke?.(tokens));
  await vi.advanceTimersByTimeAsync(15_000);
  expect(await revoked).toMatchObject({ sent: false });
  expect(send).not.toHaveBeenCalled();
});

it("takes a refresh function at its word if it says at the deadline that it has sent nothing", async () => {
  const { clock, open, signIn } = startSession({ provider: { afterLoss: "sign-in" } });
  await signIn(0);
  const refresh: RefreshFunction = (_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new TokenEndpointError({ sent: false, cause: signal.reason })));
    });
  const manager = open({ refresh });
  const call = failure(manager.getAccessToken());
  await settle();
  await clock.advance(30_000);
  expect(await call).toMatchObject({ code: "REFRESH_FAILED", cause: { sent: false } });
});
