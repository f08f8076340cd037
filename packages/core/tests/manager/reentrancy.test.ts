import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it, vi } from "vitest";
import { createTokenManager, type RefreshFunction, type TokenManager, type TokenSet } from "../../src/index.ts";
import { startSession } from "../support/session.ts";

/** Calls that foreign code may make. */
const calls: Record<string, (manager: TokenManager, tokens: TokenSet) => unknown> = {
  getAccessToken: (manager) => manager.getAccessToken(),
  replaceRejected: (manager, { accessToken }) => manager.replaceRejected(accessToken),
  refresh: (manager) => manager.refresh(),
  hasSession: (manager) => manager.hasSession(),
  signIn: (manager, tokens) => manager.signIn(tokens),
  signOut: (manager) => manager.signOut(),
  close: (manager) => manager.close(),
  state: (manager) => manager.state,
};
const names = Object.keys(calls);

/** Runs each call with `manager`, and returns the names of those that have not settled after two deadlines. */
async function pendingAfter(clock: ReturnType<typeof startSession>["clock"], started: Record<string, unknown>) {
  const pending = new Set(Object.keys(started));
  for (const [name, call] of Object.entries(started)) {
    const done = () => pending.delete(name);
    Promise.resolve(call).then(done, done);
  }
  await clock.advance(2 * TIMEOUT);
  return [...pending];
}

const TIMEOUT = 2_000;

describe("a listener", () => {
  it("is called once per event, even if listeners subscribe and unsubscribe others", async () => {
    const manager = createTokenManager();
    const removed = vi.fn();
    let calls = 0;
    let stop = () => {};
    let stopRemoved = () => {};
    const subscribeAgain = () => {
      if (++calls > 9) return; // ends the test if nothing else does
      stop();
      stopRemoved();
      stop = manager.subscribe(() => subscribeAgain());
    };
    stop = manager.subscribe(() => subscribeAgain());
    stopRemoved = manager.subscribe(removed);
    await manager.signIn({ accessToken: "a" });
    expect(calls).toBe(1);
    await manager.signOut();
    expect(calls).toBe(2);
    expect(removed).not.toHaveBeenCalled();
  });

  it.each(names)("may call %s at every event", async (name) => {
    const { clock, issuer, open } = startSession();
    const manager = open();
    const tokens = { ...issuer.tokens(), expiresAt: clock.now(), tokenType: "Bearer", extra: {} };
    let events = 0;
    manager.subscribe(() => {
      if (++events > 100) return; // ends the test if nothing else does
      void Promise.resolve(calls[name]?.(manager, tokens)).catch(() => {});
    });
    const signedIn = manager.signIn(tokens);
    await settle();
    const token = manager.getAccessToken();
    expect(await pendingAfter(clock, { signedIn, token, closed: manager.close() })).toEqual([]);
    expect(events).toBeLessThan(20);
  });
});

describe("a refresh function", () => {
  it.each([
    ["getAccessToken", "before it awaits anything", false],
    ["refresh", "after it has awaited something", true],
    ["replaceRejected", "before it awaits anything", false],
    ["close", "after it has awaited something", true],
  ])("that waits for %s of its own manager is told so at once, %s", async (name, _when, isLater) => {
    const { clock, issuer, open } = startSession();
    const errors: unknown[] = [];
    const refresh: RefreshFunction = async (...given) => {
      if (isLater) await settle();
      await Promise.resolve(calls[name]?.(manager, given[0])).catch((error: unknown) => errors.push(error));
      return issuer.refresh(...given);
    };
    const manager = open({ refresh });
    await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() });
    const [token, other] = [manager.getAccessToken(), manager.getAccessToken()];
    expect(await token).toBe(canary("access", 2));
    expect(await other).toBe(canary("access", 2));
    expect(errors).toEqual([expect.any(TypeError)]);
    expect(String(errors[0])).toMatch(/would wait for itself\. Use the token set that is passed to it\./);
    await manager.close();
  });

  it.each(names)("that waits for %s holds nothing up for longer than its deadline", async (name) => {
    const { clock, issuer, open } = startSession();
    const tokens = { ...issuer.tokens(), expiresAt: clock.now() };
    let manager: TokenManager | undefined;
    const refresh: RefreshFunction = Object.assign(
      async (...given: Parameters<RefreshFunction>) => {
        if (manager) await calls[name]?.(manager, given[0]);
        return issuer.refresh(...given);
      },
      { timeout: TIMEOUT },
    );
    manager = open({ refresh });
    await manager.signIn(tokens);
    const token = manager.getAccessToken();
    await settle();
    expect(await pendingAfter(clock, { token, other: manager.getAccessToken(), closed: manager.close() })).toEqual([]);
    expect(issuer.presented.length).toBeLessThanOrEqual(1);
  });
});

describe("a revoke function", () => {
  it.each(names)("may wait for %s", async (name) => {
    const { clock, issuer, open } = startSession();
    let manager: TokenManager | undefined;
    const revoke = async (tokens: TokenSet) => {
      if (manager) await calls[name]?.(manager, tokens);
    };
    manager = open({ refresh: Object.assign(issuer.refresh, { timeout: TIMEOUT, revoke }) });
    await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() });
    const signedOut = manager.signOut();
    expect(await pendingAfter(clock, { signedOut, token: manager.getAccessToken() })).toEqual([]);
  });
});

describe("an account function", () => {
  it.each(names)("may call %s", async (name) => {
    const { clock, issuer, open } = startSession();
    let manager: TokenManager | undefined;
    let runs = 0;
    const errors: unknown[] = [];
    const account = (tokens: TokenSet) => {
      if (++runs > 100) return "ada"; // ends the test if nothing else does
      if (manager) Promise.resolve(calls[name]?.(manager, tokens)).catch((error: unknown) => errors.push(error));
      return "ada";
    };
    manager = open({ account });
    const signedIn = manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() + 3_600_000 });
    const token = signedIn.then(() => manager.getAccessToken());
    expect(await pendingAfter(clock, { signedIn, token })).toEqual([]);
    expect(runs).toBeLessThan(20);
    if (name !== "signIn") return;
    expect(String(errors[0])).toBe(
      "TypeError: account: the function called signIn(), which calls it again. Do not sign in there.",
    );
    expect(await token).toBe(canary("access", 1));
  });
});
