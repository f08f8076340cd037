import { canary } from "@unexpired-internal/test-support/canary";
import { settle, VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it, vi } from "vitest";
import {
  envToken,
  firstAvailable,
  onToken,
  TokenEndpointError,
  type TokenManager,
  type TokenSource,
} from "../../src/index.ts";
import { withoutWatch } from "../support/interference.ts";
import { printed } from "../support/leaks.ts";
import { startSession } from "../support/session.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Records the delay of every timer that is started. */
class RecordingClock extends VirtualClock {
  readonly delays: number[] = [];

  constructor() {
    super();
    const { setTimer } = this;
    this.setTimer = (callback, delay, keepAlive) => {
      this.delays.push(delay);
      return setTimer(callback, delay, keepAlive);
    };
  }
}

/** A session whose tokens are recorded as `onToken` passes them on. */
function startFollowing(clock = new RecordingClock()) {
  const session = startSession({ clock });
  const seen: (string | undefined)[] = [];
  const follow = (tokens: TokenSource, options: { keepFresh?: boolean } = {}) =>
    onToken(tokens, (accessToken) => seen.push(accessToken), { clock, ...options });
  const signIn = (manager: TokenManager, left = HOUR) =>
    manager.signIn({ ...session.issuer.tokens(), expiresAt: clock.now() + left });
  return { ...session, clock, seen, follow, signIn };
}

const access = (...numbers: readonly number[]) => numbers.map((number) => canary("access", number));

describe("onToken", () => {
  it("passes the current token on, and each that replaces it", async () => {
    const { clock, follow, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    follow(manager);
    expect(seen).toEqual([]);
    await settle();
    expect(seen).toEqual(access(1));
    await manager.refresh();
    await settle();
    expect(seen).toEqual(access(1, 2));
    await clock.advance(HOUR - MINUTE);
    await manager.getAccessToken(); // starts a refresh in the background
    await settle();
    expect(seen).toEqual(access(1, 2, 3));
  });

  it("passes on what another process obtains", async () => {
    const { follow, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    follow(manager);
    await open().refresh();
    await settle();
    expect(seen.at(-1)).toBe(canary("access", 2));
  });

  it("passes undefined on after a sign-out, and the token of the next sign-in", async () => {
    const { follow, issuer, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    follow(manager);
    await settle();
    await manager.signOut();
    await settle();
    expect(seen).toEqual([...access(1), undefined]);
    issuer.generation = 5;
    await signIn(manager);
    await settle();
    expect(seen).toEqual([...access(1), undefined, ...access(5)]);
  });

  it("passes on the token of a sign-in that replaces a session", async () => {
    const { events, follow, issuer, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    follow(manager);
    await settle();
    issuer.generation = 5;
    await signIn(manager);
    await settle();
    expect(seen).toEqual(access(1, 5));
    const expiresAt = expect.any(Number);
    expect(events.filter(({ type }) => type === "session-replaced")).toEqual([{ type: "session-replaced", expiresAt }]);
  });

  it("calls nothing until there is a token", async () => {
    const { follow, open, seen, signIn } = startFollowing();
    const manager = open();
    follow(manager);
    await settle();
    expect(seen).toEqual([]);
    await signIn(manager);
    await settle();
    expect(seen).toEqual(access(1));
  });

  it("keeps the last token while the token endpoint is down", async () => {
    const { clock, follow, issuer, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    follow(manager, { keepFresh: true });
    await settle();
    for (let exchange = 0; exchange < 9; exchange++) {
      issuer.next(() => new TokenEndpointError({ status: 503, sent: true, retryAfter: MINUTE }), { before: true });
    }
    await clock.advance(HOUR + MINUTE);
    expect(seen).toEqual(access(1));
    await clock.advance(10 * MINUTE);
    expect(seen).toEqual(access(1, 2));
  });

  it("is not affected by callbacks that throw, reject or never settle", async () => {
    const { open, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    const seen: unknown[] = [];
    const callbacks = [
      () => {
        throw new Error("sync");
      },
      () => Promise.reject(new Error("async")),
      () => new Promise(() => {}),
    ];
    for (const callback of callbacks) {
      onToken(manager, (accessToken) => {
        seen.push(accessToken);
        return callback();
      });
    }
    await settle();
    await manager.refresh();
    await settle();
    expect(seen).toEqual([...access(1, 1, 1), ...access(2, 2, 2)]);
  });

  it("calls nothing after it is ended, even by the callback or during a read", async () => {
    const { clock, follow, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    const end = follow(manager, { keepFresh: true });
    end();
    await settle();
    expect(seen).toEqual([]);
    const received: unknown[] = [];
    const endItself = onToken(manager, (accessToken) => {
      received.push(accessToken);
      endItself();
    });
    await settle();
    await manager.refresh();
    const timers = clock.delays.length;
    await clock.advance(2 * DAY);
    expect(received).toEqual(access(1));
    expect(clock.delays).toHaveLength(timers);
  });

  it.each<[string, unknown[], RegExp]>([
    ["no source", [{}, () => {}], /^tokens: expected a token manager/],
    ["no function", [envToken("X"), 1], /^callback: expected a function, not a number\.$/],
    ["an invalid option", [envToken("X"), () => {}, { keepFresh: 1 }], /^keepFresh: expected true or false, not 1\.$/],
  ])("throws a TypeError for %s", (_name, given, message) => {
    const call = () => onToken(...(given as Parameters<typeof onToken>));
    expect(call).toThrow(TypeError);
    expect(call).toThrow(message);
  });

  it("shows no token (P8)", async () => {
    const { follow, open, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    const end = follow(manager);
    await settle();
    expect(printed([manager, end])).not.toContain(canary("access", 1));
  });
});

describe("onToken with keepFresh", () => {
  it("renews the token before it expires, if nothing else uses it", async () => {
    const { clock, follow, issuer, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    follow(manager, { keepFresh: true });
    await clock.advance(HOUR - 5 * MINUTE - 1);
    expect(seen).toEqual(access(1));
    await clock.advance(1);
    expect(seen).toEqual(access(1, 2));
    await clock.advance(DAY);
    expect(seen).toHaveLength(2 + 26);
    expect(issuer.presented).toHaveLength(1 + 26);
  });

  it("renews nothing without the option", async () => {
    const { clock, follow, issuer, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    follow(manager);
    await clock.advance(DAY);
    expect(seen).toEqual(access(1));
    expect(issuer.presented).toEqual([]);
    expect(Math.max(...clock.delays)).toBeLessThan(MINUTE); // the deadlines of the store's calls
  });

  it("renews the tokens of a manager that does it later", async () => {
    const { clock, follow, open, seen, signIn } = startFollowing();
    const manager = open({ refreshWindow: 0 });
    await signIn(manager);
    follow(manager, { keepFresh: true });
    await clock.advance(HOUR + SECOND);
    expect(seen).toEqual(access(1, 2));
  });

  it("keeps no process alive, and waits for 24 hours at most (P12)", async () => {
    const { clock, follow, open, seen } = startFollowing();
    const manager = open();
    await manager.signIn({ accessToken: canary("access", 1) }); // expires at an unknown time
    follow(manager, { keepFresh: true });
    await settle();
    expect(clock.keepingAlive).toBe(0);
    const reads = vi.spyOn(manager, "getTokenSet");
    clock.delays.length = 0;
    await clock.advance(3 * DAY);
    expect(reads).toHaveBeenCalledTimes(3);
    expect(clock.delays.length).toBeLessThanOrEqual(3 * 24 * 60 + 3); // one look at the clock a minute
    expect(seen).toEqual(access(1));
  });

  it.each([
    ["stood still", (clock: VirtualClock) => clock.jump(10 * HOUR)],
    ["went on", (clock: VirtualClock) => clock.leap(10 * HOUR)],
  ])(
    "renews the token within a minute after a sleep during which the monotonic clock %s (P13)",
    async (_name, sleep) => {
      const { clock, follow, open, seen, signIn } = startFollowing();
      const manager = open();
      await signIn(manager, 8 * HOUR);
      follow(manager, { keepFresh: true });
      await clock.advance(MINUTE / 2);
      await sleep(clock);
      await clock.advance(MINUTE);
      expect(seen).toEqual(access(1, 2));
    },
  );

  it("renews the token in time if the wall clock is put back (P13)", async () => {
    const { clock, follow, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    follow(manager, { keepFresh: true });
    await settle();
    clock.jump(-10 * HOUR);
    await clock.advance(HOUR);
    expect(seen).toEqual(access(1, 2));
  });

  it("ends with the token manager", async () => {
    const { clock, follow, open, seen, signIn } = startFollowing();
    const manager = open();
    await signIn(manager);
    follow(manager, { keepFresh: true });
    await settle();
    await manager.close();
    await clock.advance(HOUR);
    clock.delays.length = 0;
    await clock.advance(2 * DAY);
    expect(clock.delays).toEqual([]);
    expect(seen).toEqual(access(1));
  });

  it("sees within 24 hours that a variable has changed", async () => {
    const { clock, follow, open, seen, signIn } = startFollowing();
    const env: Record<string, string> = { APP_TOKEN: "one" };
    const manager = open();
    await signIn(manager, 30 * DAY);
    follow(firstAvailable(envToken("APP_TOKEN", { env }), manager), { keepFresh: true });
    await settle();
    env.APP_TOKEN = "two";
    await clock.advance(DAY);
    expect(seen).toEqual(["one", "two"]);
    env.APP_TOKEN = "";
    await clock.advance(DAY);
    expect(seen).toEqual(["one", "two", ...access(1)]);
  });

  it("obtains a token soon after a sign-in without an access token", async () => {
    const { clock, follow, issuer, open, seen } = startFollowing();
    const manager = open();
    follow(manager, { keepFresh: true });
    await settle();
    await manager.signIn({ refreshToken: issuer.tokens().refreshToken });
    await clock.advance(SECOND);
    expect(seen).toEqual(access(2));
  });

  it("sees a sign-in elsewhere of which the store does not notify", async () => {
    const { clock, follow, open, seen, signIn, store } = startFollowing();
    withoutWatch(store);
    follow(open(), { keepFresh: true });
    await settle();
    await signIn(open());
    await clock.advance(MINUTE);
    expect(seen).toEqual(access(1));
  });

  it("does not retry in a loop, whatever fails", async () => {
    const { clock, follow, issuer, open, signIn } = startFollowing();
    const failing = open({ staleIfError: true });
    await signIn(failing);
    issuer.refresh = Object.assign(() => Promise.reject(new TokenEndpointError({ status: 503, sent: true })), {
      revoke: async () => {},
    });
    const closed = open();
    await closed.close();
    for (const source of [failing, closed]) follow(source, { keepFresh: true });
    await clock.advance(2 * DAY);
    const perHour = clock.delays.length / 48;
    expect(perHour).toBeLessThan(1_000);
  });
});
