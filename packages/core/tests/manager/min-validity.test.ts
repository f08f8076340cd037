import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { type Clock, TokenEndpointError } from "../../src/index.ts";
import { disk, gate, withoutWatch } from "../support/interference.ts";
import { startSession } from "../support/session.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** A session whose access token was obtained by an exchange a while ago, and has `left` milliseconds of its hour left. */
async function startWith(left: number) {
  const session = startSession();
  const manager = await session.signIn(0);
  expect(await manager.getAccessToken()).toBe(canary("access", 2));
  await session.clock.advance(HOUR - left);
  session.issuer.presented.length = 0;
  return { ...session, manager };
}

const clockAhead = (clock: Clock, milliseconds: number): Clock => ({
  now: () => clock.now() + milliseconds,
  monotonic: () => clock.monotonic(),
  setTimer: (...timer) => clock.setTimer(...timer),
  random: () => clock.random(),
  randomId: () => clock.randomId(),
});

describe("a token that has to stay valid for a while", () => {
  it("is returned as it is if it does, without a load", async () => {
    const { issuer, manager, store } = await startWith(30 * MINUTE);
    store.load = () => Promise.reject(disk);
    for (const minValidity of [0, 10 * MINUTE, 30 * MINUTE])
      expect(await manager.getAccessToken({ minValidity })).toBe(canary("access", 2));
    expect(issuer.presented).toEqual([]);
  });

  it("is refreshed first otherwise, outside of the refresh window, too", async () => {
    const { clock, issuer, manager } = await startWith(30 * MINUTE);
    expect(manager.state?.status).toBe("valid");
    const set = await manager.getTokenSet({ minValidity: 30 * MINUTE + 1 });
    expect(set).toMatchObject({ accessToken: canary("access", 3), expiresAt: clock.now() + HOUR });
    expect(await manager.getAccessToken({ minValidity: 59 * MINUTE })).toBe(canary("access", 3));
    expect(issuer.presented).toHaveLength(1);
  });

  it("is refreshed first inside of the window, where other callers get the old one at once", async () => {
    const { issuer, manager } = await startWith(MINUTE);
    const { promise, open } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const long = manager.getAccessToken({ minValidity: 10 * MINUTE });
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    open();
    expect(await long).toBe(canary("access", 3));
    expect(issuer.presented).toHaveLength(1);
  });

  it("comes from the exchange that is running in the background", async () => {
    const { issuer, manager } = await startWith(MINUTE);
    expect(await manager.getAccessToken()).toBe(canary("access", 2)); // starts it
    expect(await manager.getAccessToken({ minValidity: 10 * MINUTE })).toBe(canary("access", 3));
    expect(issuer.presented).toHaveLength(1);
  });

  it("comes from one exchange for callers with different needs", async () => {
    const { issuer, manager } = await startWith(30 * MINUTE);
    const needs = [undefined, 0, 29, 31, 45, 59, 90, Number.POSITIVE_INFINITY];
    const given = await Promise.all(
      needs.map((minutes) => manager.getAccessToken({ minValidity: minutes && minutes * MINUTE })),
    );
    expect(given.slice(0, 3)).toEqual(Array(3).fill(canary("access", 2)));
    expect(given.slice(3)).toEqual(Array(5).fill(canary("access", 3)));
    expect(issuer.presented).toHaveLength(1);
  });

  it("counts by both clocks, if the wall clock was put back (P13)", async () => {
    const { clock, manager } = await startWith(30 * MINUTE);
    clock.jump(-6 * HOUR);
    expect(await manager.getAccessToken({ minValidity: 30 * MINUTE })).toBe(canary("access", 2));
    expect(await manager.getAccessToken({ minValidity: 31 * MINUTE })).toBe(canary("access", 3));
  });

  it("is not waited for by a caller that aborts", async () => {
    const { issuer, manager } = await startWith(30 * MINUTE);
    issuer.next(() => new Promise(() => {}));
    const controller = new AbortController();
    const pending = manager.getAccessToken({ minValidity: HOUR, signal: controller.signal });
    await settle();
    controller.abort(new Error("enough"));
    await expect(pending).rejects.toThrow("enough");
  });
});

describe("a need that exceeds the lifetime that the server grants (P13)", () => {
  it.each([HOUR, 2 * HOUR, Number.POSITIVE_INFINITY])("leads to one exchange, and its token: %d ms", async (need) => {
    const { issuer, manager } = await startWith(30 * MINUTE);
    expect(await manager.getAccessToken({ minValidity: need })).toBe(canary("access", 3));
    expect(issuer.presented).toHaveLength(1);
  });

  it("leads to at most one exchange in a fifth of the lifetime", async () => {
    const { clock, issuer, manager } = await startWith(30 * MINUTE);
    for (let passed = 0; passed < HOUR; passed += MINUTE) {
      await manager.getAccessToken({ minValidity: 2 * HOUR });
      await clock.advance(MINUTE);
    }
    expect(issuer.presented).toHaveLength(5);
  });

  it("leads to one exchange even if that takes long", async () => {
    const { clock, issuer, manager } = await startWith(30 * MINUTE);
    issuer.lifetime = 10;
    issuer.next(async (rotated) => {
      await clock.advance(8 * SECOND);
      return rotated;
    });
    expect(await manager.getAccessToken({ minValidity: HOUR })).toBe(canary("access", 3));
    expect(issuer.presented).toHaveLength(1);
  });

  it.each([0.1, 1, 2])("does not lead to a loop if the lifetime is %d s", async (lifetime) => {
    const { clock, issuer, signIn } = startSession();
    issuer.lifetime = lifetime;
    const manager = await signIn(0);
    for (let tenth = 0; tenth < 100; tenth++) {
      await manager.getAccessToken({ minValidity: MINUTE });
      await clock.advance(100);
    }
    expect(issuer.presented.length).toBeLessThanOrEqual(11);
  });

  it("is distinguished from one that nearly exceeds it", async () => {
    const { clock, issuer, manager } = await startWith(30 * MINUTE);
    const minValidity = HOUR - MINUTE;
    expect(await manager.getAccessToken({ minValidity })).toBe(canary("access", 3));
    await clock.advance(MINUTE);
    expect(await manager.getAccessToken({ minValidity })).toBe(canary("access", 3));
    await clock.advance(1);
    expect(await manager.getAccessToken({ minValidity })).toBe(canary("access", 4));
    expect(issuer.presented).toHaveLength(2);
  });

  it("leads to at most one exchange a second if it is a little shorter than the lifetime", async () => {
    const { clock, issuer, manager } = await startWith(30 * MINUTE);
    for (let tenth = 0; tenth < 100; tenth++) {
      await manager.getAccessToken({ minValidity: HOUR - 1 });
      await clock.advance(100);
    }
    expect(issuer.presented).toHaveLength(10);
  });
});

describe("a token that cannot be valid for longer", () => {
  it("is returned if the refresh fails and it is still valid", async () => {
    const { clock, issuer, manager } = await startWith(30 * MINUTE);
    issuer.next(() => new TokenEndpointError({ status: 503, sent: true, retryAfter: HOUR }), { before: true });
    expect(await manager.getAccessToken({ minValidity: HOUR })).toBe(canary("access", 2));
    expect(await manager.getAccessToken({ minValidity: HOUR })).toBe(canary("access", 2)); // during the back-off
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(30 * MINUTE);
    await expect(manager.getAccessToken({ minValidity: HOUR })).rejects.toMatchObject({ code: "REFRESH_FAILED" });
  });

  it("is returned if the server refuses the refresh token, and nothing is sent again", async () => {
    const { issuer, manager } = await startWith(30 * MINUTE);
    issuer.isRevoked = true;
    for (let call = 0; call < 2; call++)
      expect(await manager.getAccessToken({ minValidity: HOUR })).toBe(canary("access", 2));
    expect(manager.state).toMatchObject({ status: "near-expiry", renewable: false });
    expect(issuer.presented).toHaveLength(1);
  });

  it("is returned if the store fails, which is then left alone for a second", async () => {
    const { clock, issuer, manager, store } = await startWith(30 * MINUTE);
    const { save } = store;
    store.save = () => Promise.reject(disk);
    expect(await manager.getAccessToken({ minValidity: HOUR })).toBe(canary("access", 2));
    store.save = save;
    expect(await manager.getAccessToken({ minValidity: HOUR })).toBe(canary("access", 2));
    expect(issuer.presented).toEqual([]);
    await clock.advance(SECOND);
    expect(await manager.getAccessToken({ minValidity: HOUR })).toBe(canary("access", 3));
  });

  it("is returned if there is no refresh token, or its expiry is unknown", async () => {
    const { clock, issuer, open, signIn } = startSession();
    const manager = open();
    await manager.signIn({ accessToken: canary("access", 1), expiresAt: clock.now() + MINUTE });
    expect(await manager.getAccessToken({ minValidity: HOUR })).toBe(canary("access", 1));
    issuer.lifetime = undefined;
    const other = await signIn(null);
    for (let call = 0; call < 3; call++)
      expect(await other.getAccessToken({ minValidity: Number.POSITIVE_INFINITY })).toBe(canary("access", 2));
    expect(issuer.presented).toHaveLength(1);
  });
});

describe("a need in one of several processes", () => {
  it("is fulfilled by a stored token that is valid for long enough", async () => {
    const { issuer, manager, open, store } = await startWith(30 * MINUTE);
    withoutWatch(store);
    const other = open();
    await other.getAccessToken();
    await manager.refresh();
    expect(await other.getAccessToken({ minValidity: 50 * MINUTE })).toBe(canary("access", 3));
    expect(issuer.presented).toHaveLength(1);
  });

  it("leads to an exchange if the stored token, too, is valid for too short a time", async () => {
    const { clock, issuer, manager, open, store } = await startWith(50 * MINUTE);
    withoutWatch(store);
    const other = open();
    await other.getAccessToken();
    await manager.refresh();
    await clock.advance(30 * MINUTE);
    expect(await other.getAccessToken({ minValidity: 40 * MINUTE })).toBe(canary("access", 4));
    expect(issuer.presented).toHaveLength(2);
  });

  it("is fulfilled by the exchange of another process, as far as the server grants it (P4)", async () => {
    const { clock, issuer, manager, open, store } = await startWith(30 * MINUTE);
    withoutWatch(store);
    const others = [open(), open(), open()];
    await Promise.all(others.map((each) => each.getAccessToken()));
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const pending = [manager, ...others].map((each) => each.getAccessToken({ minValidity: 2 * HOUR }));
    await clock.advance(2 * SECOND);
    respond();
    await clock.advance(SECOND);
    const given = await Promise.all(pending);
    expect(new Set(given)).toEqual(new Set([canary("access", 3)]));
    expect(issuer.presented).toHaveLength(1);
  });

  it("leads to no exchange after a recent one of another process, if no token is valid for that long", async () => {
    const { clock, issuer, manager, open, store } = await startWith(30 * MINUTE);
    withoutWatch(store);
    const other = open();
    await other.getAccessToken();
    await manager.refresh();
    await clock.advance(5 * SECOND);
    expect(await other.getAccessToken({ minValidity: 2 * HOUR })).toBe(canary("access", 3));
    expect(issuer.presented).toHaveLength(1);
  });

  it.each([
    { name: "has expired", left: 0, needs: [40] },
    { name: "is too short for callers with different needs", left: 10, needs: [25, 40, 20] },
  ])("leads to an exchange if the stored token is too short, and the known one $name", async ({ left, needs }) => {
    const { clock, issuer, manager, open, store } = await startWith((left + 30) * MINUTE);
    withoutWatch(store);
    const other = open();
    await other.getAccessToken();
    await manager.refresh();
    await clock.advance(30 * MINUTE);
    const given = await Promise.all(needs.map((minutes) => other.getAccessToken({ minValidity: minutes * MINUTE })));
    expect(given).toEqual(needs.map(() => canary("access", 4)));
    expect(issuer.presented).toHaveLength(2);
  });

  it("is fulfilled by the exchange of a machine whose clock is ahead", async () => {
    const { clock, issuer, open, store } = await startWith(30 * MINUTE);
    withoutWatch(store);
    const [ahead, other] = [open({ clock: clockAhead(clock, 10 * MINUTE) }), open()];
    await Promise.all([ahead.getAccessToken(), other.getAccessToken()]);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const first = ahead.getAccessToken({ minValidity: 2 * HOUR });
    await settle();
    const second = other.getAccessToken({ minValidity: 2 * HOUR });
    await clock.advance(SECOND);
    respond();
    await clock.advance(SECOND);
    expect(await Promise.all([first, second])).toEqual(Array(2).fill(canary("access", 3)));
    expect(issuer.presented).toHaveLength(1);
  });

  it("is asked for in an event about a token that was adopted for a smaller one", async () => {
    const { clock, issuer, manager, open, store } = await startWith(50 * MINUTE);
    withoutWatch(store);
    const other = open();
    await other.getAccessToken();
    await manager.refresh();
    await clock.advance(30 * MINUTE);
    const asked: Promise<string>[] = [];
    other.subscribe(({ type }) => {
      if (type === "tokens-adopted") asked.push(other.getAccessToken({ minValidity: 45 * MINUTE }));
    });
    expect(await other.getAccessToken({ minValidity: 25 * MINUTE })).toBe(canary("access", 3));
    expect(await Promise.all(asked)).toEqual([canary("access", 4)]);
    expect(issuer.presented).toHaveLength(2);
  });
});

it.each<[unknown, string]>([
  [-1, "-1"],
  [Number.NaN, "NaN"],
  ["60000", "a string"],
  [null, "null"],
  [{}, "another object"],
])("rejects minValidity %j with a TypeError", async (minValidity, described) => {
  const { manager } = await startWith(HOUR);
  const message = `minValidity: expected milliseconds, 0 or more, not ${described}.`;
  await expect(manager.getAccessToken({ minValidity } as never)).rejects.toThrow(new TypeError(message));
  await expect(manager.getTokenSet({ minValidity } as never)).rejects.toThrow(message);
});
