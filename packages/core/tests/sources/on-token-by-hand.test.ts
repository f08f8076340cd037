/** `onToken` over a source that is written by hand, whose every read is scripted. */
import { settle, VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { onToken, type SessionEvent, type TokenSet } from "../../src/index.ts";
import { gate } from "../support/interference.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Read = () => Promise<Pick<TokenSet, "accessToken"> & Partial<TokenSet>>;

/** Follows a source whose reads return what `read` does. */
function startFollowing(read: Read) {
  const clock = new VirtualClock();
  const times: number[] = [];
  let announce = (_: SessionEvent) => {};
  let isUnsubscribed = false;
  const source = {
    getTokenSet: async () => {
      times.push(clock.monotonic());
      return { tokenType: "Bearer", extra: {}, ...(await read()) };
    },
    replaceRejected: async () => "",
    subscribe(listener: (event: SessionEvent) => void) {
      announce = listener;
      return () => {
        isUnsubscribed = true; // but it goes on calling
      };
    },
  };
  const seen: (string | undefined)[] = [];
  const end = onToken(source, (accessToken) => seen.push(accessToken), { keepFresh: true, clock });
  const isOver = () => isUnsubscribed;
  return { clock, end, seen, times, isOver, announce: (event: SessionEvent) => announce(event) };
}

const valid = { status: "valid", expiresAt: undefined } as const;

describe("onToken over a source that is written by hand", () => {
  it.each<SessionEvent>([
    { type: "refreshed", attemptId: "a", expiresAt: undefined, duration: 1 },
    { type: "tokens-adopted", expiresAt: undefined },
    { type: "session-replaced", expiresAt: undefined },
    { type: "session-restored", location: "memory" },
    { type: "state-changed", state: valid },
    { type: "state-changed", state: { status: "dead", reason: "revoked" } },
  ])("reads the token after the event $type", async (event) => {
    let number = 1;
    const { announce, seen } = startFollowing(async () => ({ accessToken: `token-${number++}` }));
    await settle();
    announce(event);
    await settle();
    expect(seen).toEqual(["token-1", "token-2"]);
  });

  it("does not read it after other events while there is a token", async () => {
    const { announce, clock, times } = startFollowing(async () => ({ accessToken: "token" }));
    await settle();
    announce({ type: "state-changed", state: { status: "refreshing", expiresAt: undefined, usable: true } });
    announce({ type: "refresh-failed", code: "lost", retryAt: undefined });
    await clock.advance(HOUR);
    expect(times).toEqual([0]);
  });

  it("ignores a read that is overtaken by a later one", async () => {
    const reads: ReturnType<typeof gate<string>>[] = [];
    const { announce, seen } = startFollowing(async () => {
      const read = gate<string>();
      reads.push(read);
      return { accessToken: await read.promise };
    });
    announce({ type: "state-changed", state: valid });
    reads[1]?.open("newer");
    await settle();
    reads[0]?.open("older");
    await settle();
    expect(seen).toEqual(["newer"]);
  });

  it("reads again after 24 hours if a read never settles (P15)", async () => {
    const { clock, times } = startFollowing(() => new Promise(() => {}));
    await clock.advance(2 * DAY);
    expect(times).toEqual([0, DAY, 2 * DAY]);
  });

  it("looks ever more often until a token expires that is not renewed, and then every minute", async () => {
    const { clock, times } = startFollowing(async () => ({ accessToken: "token", expiresAt: Date.UTC(2026, 0, 1, 1) }));
    await clock.advance(HOUR + 3 * MINUTE);
    const seconds = times.map((time) => Math.floor(time / SECOND));
    expect(seconds).toEqual([0, 3300, 3450, 3525, 3562, 3581, 3590, 3595, 3597, 3598, 3599, 3600, 3660, 3720]);
  });

  it("waits twice as long after each failure in a row, up to 24 hours", async () => {
    let isBroken = true;
    const { clock, times, announce } = startFollowing(async () => {
      if (isBroken) throw new TypeError("broken");
      return { accessToken: "token" };
    });
    await clock.advance(7 * MINUTE);
    expect(times).toEqual([0, MINUTE, 3 * MINUTE, 7 * MINUTE]);
    await clock.advance(10 * DAY);
    const waits = times.map((time, index) => time - (times[index - 1] ?? 0));
    expect(Math.max(...waits)).toBe(DAY);
    isBroken = false;
    announce({ type: "state-changed", state: valid });
    await settle();
    isBroken = true;
    times.length = 0;
    await clock.advance(DAY + MINUTE);
    const [first = 0, second = 0] = times;
    expect(second - first).toBe(MINUTE);
  });

  it("reads nothing after it is ended, even if the source goes on announcing events", async () => {
    const { announce, clock, end, isOver, seen, times } = startFollowing(async () => ({ accessToken: "token" }));
    expect(isOver()).toBe(false);
    end();
    expect(isOver()).toBe(true);
    announce({ type: "state-changed", state: valid });
    await clock.advance(2 * DAY);
    expect([times, seen]).toEqual([[0], []]);
  });
});
