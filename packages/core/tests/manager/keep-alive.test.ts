import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it, vi } from "vitest";
import { type Clock, TokenEndpointError, type TokenManager, type TokenManagerOptions } from "../../src/index.ts";
import { disk, holdNextLoad, withoutWatch } from "../support/interference.ts";
import { startSession, typesOf } from "../support/session.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Returns the clock, and the delays of its long timers: `NaN` for one that keeps the process alive. */
function recording(clock: Clock, from = HOUR) {
  const delays: number[] = [];
  const setTimer: Clock["setTimer"] = (callback, delay, keepAlive) => {
    if (delay >= from && !(keepAlive && from === 0)) delays.push(keepAlive ? Number.NaN : delay);
    return clock.setTimer(callback, delay, keepAlive);
  };
  const { now, monotonic, random, randomId } = clock;
  return { clock: { now, monotonic, random, randomId, setTimer }, delays };
}

/** A session whose refresh tokens expire this many milliseconds after their issue, unless another value is told. */
function startIdle(lifetime: number, defaults: TokenManagerOptions = {}) {
  const session = startSession({ keepAlive: true, ...defaults });
  const { issuer } = session;
  const granted = { lifetime: lifetime as number | undefined };
  const refresh: TokenManagerOptions["refresh"] = async (current, context) => {
    const response = await issuer.refresh(current, context);
    return { ...response, refresh_token_expires_in: granted.lifetime && granted.lifetime / SECOND };
  };
  const open = (options: TokenManagerOptions = {}) => session.open({ refresh, ...options });
  const signIn = async (options: TokenManagerOptions = {}) => {
    const manager = open(options);
    const now = session.clock.now();
    await manager.signIn({ ...issuer.tokens(), expiresAt: now + HOUR, refreshTokenExpiresAt: now + lifetime });
    return manager;
  };
  return { ...session, granted, open, signIn };
}

describe("keepAlive", () => {
  it("renews once a fifth of the refresh token's lifetime is left, again and again, without any call", async () => {
    const { clock, issuer, signIn } = startIdle(10 * DAY);
    const manager = await signIn();
    await clock.advance(8 * DAY - 1);
    expect(issuer.presented).toHaveLength(0);
    await clock.advance(1);
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(80 * DAY);
    expect(issuer.presented).toHaveLength(11);
    expect(manager.state).toMatchObject({ status: "valid" });
    expect(await manager.getAccessToken()).toBe(canary("access", 12));
  });

  it("goes on with the lifetime of the sign-in if the server tells none of its new refresh tokens", async () => {
    const { clock, granted, issuer, open, signIn } = startIdle(10 * DAY);
    await signIn();
    granted.lifetime = undefined;
    await clock.advance(8 * DAY);
    expect(await open().peek()).toMatchObject({ refreshTokenExpiresAt: clock.now() + 10 * DAY });
    await clock.advance(80 * DAY);
    expect(issuer.presented).toHaveLength(11);
  });

  it("sets no timer of more than an hour, and none that keeps the process alive", async () => {
    const { clock, issuer, signIn } = startIdle(100 * DAY);
    const { clock: recorded, delays } = recording(clock);
    await signIn({ clock: recorded });
    await clock.advance(100 * DAY);
    expect(issuer.presented).toHaveLength(1);
    expect(delays.length).toBeLessThanOrEqual(100 * 24 + 1);
    expect(Math.max(...delays)).toBe(HOUR);
    expect(clock.keepingAlive).toBe(0);
  });

  it("is off by default", async () => {
    const { clock, issuer, signIn } = startIdle(10 * DAY, { keepAlive: false });
    await signIn();
    await clock.advance(20 * DAY);
    expect(issuer.presented).toHaveLength(0);
  });

  it.each<[string, object, TokenManagerOptions]>([
    ["the expiry of the refresh token is unknown", { refreshTokenExpiresAt: undefined }, {}],
    ["there is no refresh token", { refreshToken: undefined }, {}],
    ["there is no refresh function", {}, { refresh: undefined as never }],
  ])("sets no timer if %s", async (_name, tokens, options) => {
    const { clock, issuer, open } = startIdle(10 * DAY);
    const { clock: recorded, delays } = recording(clock);
    const signedIn = { ...issuer.tokens(), refreshTokenExpiresAt: clock.now() + DAY, ...tokens };
    await open({ clock: recorded, ...options }).signIn(signedIn);
    await clock.advance(20 * DAY);
    expect(delays).toEqual([]);
    expect(issuer.presented).toHaveLength(0);
  });

  it("finds the session of an earlier process without any call", async () => {
    const { clock, issuer, open, signIn } = startIdle(10 * DAY);
    await (await signIn()).close();
    open();
    await clock.advance(8 * DAY);
    expect(issuer.presented).toHaveLength(1);
  });

  it("finds it later if the store cannot be read at first", async () => {
    const { clock, issuer, open, signIn, store } = startIdle(10 * DAY);
    await (await signIn()).close();
    const { load } = store;
    store.load = () => Promise.reject(disk);
    open();
    await clock.advance(HOUR);
    store.load = load;
    await clock.advance(8 * DAY);
    expect(issuer.presented).toHaveLength(1);
  });

  it("renews at once if the refresh token is about to expire when the process starts", async () => {
    const { clock, issuer, open, signIn } = startIdle(10 * DAY);
    await (await signIn()).close();
    await clock.advance(9 * DAY);
    open();
    await clock.advance(0);
    expect(issuer.presented).toHaveLength(1);
  });

  it("counts from every refresh, for whatever reason it was", async () => {
    const { clock, issuer, signIn } = startIdle(10 * DAY);
    const { clock: recorded, delays } = recording(clock);
    const manager = await signIn({ clock: recorded });
    await clock.advance(5 * DAY);
    for (let call = 0; call < 5; call++) await manager.refresh();
    delays.length = 0;
    await clock.advance(8 * DAY - 1);
    expect(issuer.presented).toHaveLength(5);
    expect(delays.length).toBeLessThanOrEqual(8 * 24); // one timer, which looks at the clock once an hour
    await clock.advance(1);
    expect(issuer.presented).toHaveLength(6);
  });

  it("notices after a sleep of the machine that the time has come, before it is too late", async () => {
    const { clock, issuer, signIn } = startIdle(10 * DAY);
    await signIn();
    await clock.advance(DAY);
    clock.jump(9 * DAY - 2 * HOUR); // the timer stood still
    await clock.advance(HOUR);
    expect(issuer.presented).toHaveLength(1);
  });
});

describe("keepAlive after the end", () => {
  it.each(["signOut", "close"] as const)("does nothing after %s", async (end) => {
    const { clock, issuer, signIn } = startIdle(10 * DAY);
    const { clock: recorded, delays } = recording(clock);
    const manager = await signIn({ clock: recorded });
    await manager[end]();
    delays.length = 0;
    await clock.advance(20 * DAY);
    expect(delays).toEqual([]);
    expect(issuer.presented).toHaveLength(0);
  });

  it("does nothing after a sign-out in another process, and starts again with its sign-in", async () => {
    const { clock, issuer, open, signIn } = startIdle(10 * DAY);
    await signIn();
    const other = open({ keepAlive: false });
    await other.signOut();
    await clock.advance(20 * DAY);
    expect(issuer.presented).toHaveLength(0);
    const refreshTokenExpiresAt = clock.now() + DAY;
    await other.signIn({ ...issuer.tokens(), refreshTokenExpiresAt });
    await clock.advance(DAY);
    expect(issuer.presented).toHaveLength(1);
  });

  it("does nothing if it is closed before its first load", async () => {
    const { clock, open, store } = startIdle(10 * DAY);
    let loads = 0;
    const { load } = store;
    store.load = () => {
      loads++;
      return load();
    };
    await open().close();
    await clock.advance(DAY);
    expect(loads).toBe(0);
  });

  it("does not try again if it is closed while its first load fails", async () => {
    const { clock, open, store } = startIdle(10 * DAY);
    let loads = 0;
    const manager = open();
    store.load = async () => {
      loads++;
      await manager.close();
      throw disk;
    };
    await clock.advance(DAY);
    expect(loads).toBe(1);
  });

  it("does nothing if the server refuses the refresh token, and reports the end of the session", async () => {
    const { clock, events, issuer, signIn } = startIdle(10 * DAY);
    await signIn();
    issuer.isRevoked = true;
    await clock.advance(20 * DAY);
    expect(issuer.presented).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ type: "state-changed", state: { status: "dead" } });
  });

  it("does nothing once the refresh token has expired by the clock, and leaves the session to the next call", async () => {
    const { clock, issuer, open, signIn } = startIdle(10 * DAY);
    await (await signIn()).close();
    await clock.advance(11 * DAY);
    const manager = open();
    await clock.advance(DAY);
    expect(issuer.presented).toHaveLength(0);
    expect(await manager.getAccessToken()).toBe(canary("access", 2)); // the server still accepts it
  });

  it("does nothing if the machine slept until then", async () => {
    const { clock, issuer, signIn } = startIdle(10 * DAY);
    await signIn();
    await clock.advance(DAY);
    clock.jump(20 * DAY);
    await clock.advance(DAY);
    expect(issuer.presented).toHaveLength(0);
  });

  it("sets no timer for tokens that arrive while it is closed", async () => {
    const { clock, issuer, signIn } = startIdle(10 * DAY);
    const { clock: recorded, delays } = recording(clock);
    const manager = await signIn({ clock: recorded });
    await clock.advance(DAY);
    issuer.next(async (rotated) => {
      await settle();
      return rotated;
    });
    const refreshed = manager.refresh();
    await Promise.resolve();
    const closed = manager.close();
    delays.length = 0;
    await Promise.all([refreshed, closed]);
    expect(delays).toEqual([]);
  });

  it("works again if a clock that was ahead is put back", async () => {
    const { clock, issuer, signIn } = startIdle(10 * DAY);
    const manager = await signIn();
    clock.jump(300 * DAY);
    await clock.advance(DAY);
    clock.jump(-300 * DAY);
    await manager.peek();
    await clock.advance(7 * DAY);
    expect(issuer.presented).toHaveLength(1);
  });
});

describe("keepAlive if a renewal does not help", () => {
  it("tries again while the endpoint is down", async () => {
    const { clock, events, issuer, signIn } = startIdle(10 * DAY);
    await signIn();
    for (let time = 0; time < 3; time++)
      issuer.next(() => new TokenEndpointError({ status: 503, sent: true, retryAfter: HOUR }), { before: true });
    await clock.advance(9 * DAY);
    expect(issuer.presented).toHaveLength(4);
    expect(typesOf(events).filter((type) => type === "refresh-failed")).toHaveLength(3);
  });

  it("tries again while the store is down", async () => {
    const { clock, issuer, signIn, store } = startIdle(10 * DAY);
    await signIn();
    const { load } = store;
    store.load = () => Promise.reject(disk);
    await clock.advance(8 * DAY + HOUR);
    store.load = load;
    await clock.advance(3 * HOUR);
    expect(issuer.presented).toHaveLength(1);
  });

  it("makes few exchanges if the server keeps the refresh token, and with it the expiry", async () => {
    const { clock, signIn } = startIdle(10 * DAY);
    const refresh = vi.fn(async () => ({ access_token: canary("access", 2), expires_in: 3600 }));
    await signIn({ refresh });
    await clock.advance(30 * DAY);
    expect(refresh.mock.calls.length).toBeGreaterThan(1);
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(6);
  });

  it.each([1, 10])("does not spin if the refresh token expires after %d s", async (seconds) => {
    const { clock, issuer, signIn } = startIdle(seconds * SECOND);
    const { clock: recorded, delays } = recording(clock, 0);
    issuer.lifetime = 3;
    await signIn({ clock: recorded });
    await clock.advance(MINUTE);
    expect(issuer.presented.length).toBeLessThanOrEqual(61);
    expect(delays.length).toBeLessThanOrEqual(20 * issuer.presented.length);
    expect(delays.filter((delay) => delay < 200 && delay > 0).length).toBeLessThanOrEqual(issuer.presented.length);
  });
});

describe("keepAlive in several processes", () => {
  it.each([
    { name: "notifies of changes", prepare: () => {} },
    { name: "does not notify of changes", prepare: withoutWatch },
  ])("makes one exchange for all of them, if the store $name (P4)", async ({ prepare }) => {
    const { clock, issuer, open, signIn, store } = startIdle(10 * DAY);
    prepare(store);
    await signIn();
    const others = [open(), open(), open()];
    issuer.next(async (rotated) => {
      await settle();
      return rotated;
    });
    await clock.advance(9 * DAY);
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(8 * DAY);
    expect(issuer.presented).toHaveLength(2);
    for (const other of others) expect(await other.hasSession()).toBe(true);
  });

  it.each<[string, (manager: TokenManager) => Promise<string>]>([
    ["refresh()", async (manager) => (await manager.refresh()).accessToken],
    ["getAccessToken()", (manager) => manager.getAccessToken()],
  ])("does not adopt an expired access token for a call of %s during its check", async (_name, call) => {
    const { clock, open, signIn, store } = startIdle(10 * DAY);
    withoutWatch(store);
    const [other, manager] = [await signIn(), open()];
    await manager.peek();
    await clock.advance(5 * DAY);
    await other.refresh();
    await clock.advance(3 * DAY - 1);
    const { finish } = holdNextLoad(store);
    await clock.advance(1);
    expect(manager.state?.status).toBe("refreshing");
    const called = call(manager);
    await settle();
    finish();
    expect(await called).toBe(canary("access", 3));
  });

  it("does not take its check for the refresh that a listener asks for", async () => {
    const { clock, open, signIn, store } = startIdle(10 * DAY);
    withoutWatch(store);
    const [other, manager] = [await signIn(), open()];
    await manager.peek();
    await clock.advance(5 * DAY);
    await other.refresh();
    const asked: Promise<unknown>[] = [];
    manager.subscribe(({ type }) => {
      if (type === "tokens-adopted" && asked.length === 0) asked.push(manager.refresh());
    });
    await clock.advance(3 * DAY);
    expect(await Promise.all(asked)).toMatchObject([{ accessToken: canary("access", 3) }]);
  });

  it.each([
    { name: "notifies of changes", prepare: () => {} },
    { name: "does not notify of changes", prepare: withoutWatch },
  ])("leaves another account's session alone, if the store $name (P14)", async ({ prepare }) => {
    const byUser = ({ extra }: { extra: Readonly<Record<string, unknown>> }) => extra.user as string | undefined;
    const { clock, issuer, open, store } = startIdle(10 * DAY, { account: byUser });
    const { clock: recorded, delays } = recording(clock);
    prepare(store);
    const refreshTokenExpiresAt = clock.now() + 10 * DAY;
    const manager = open({ clock: recorded });
    await manager.signIn({ ...issuer.tokens(), refreshTokenExpiresAt, extra: { user: "ada" } });
    await open({ keepAlive: false }).signIn({ ...issuer.tokens(), refreshTokenExpiresAt, extra: { user: "bob" } });
    await settle();
    delays.length = 0;
    await clock.advance(20 * DAY);
    expect(issuer.presented).toHaveLength(0);
    if (store.watch) expect(delays).toEqual([]);
  });
});
