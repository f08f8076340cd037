import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Attempt } from "../../src/record/record.ts";
import { AttemptTracker, HOLD } from "../../src/refresh/attempt-tracker.ts";
import type { TokenStore } from "../../src/types.ts";
import { attempt as attemptOn } from "../support/interference.ts";

const INTERVAL = 100;
const LEASE = 1_000;
const claim = (more: Partial<Attempt> = {}): Attempt => attemptOn(1, { lease: LEASE, ...more });
const IN_FLIGHT = { isAbandoned: false, heldUntil: undefined, retryAt: undefined };

function startTracker(holder?: TokenStore["holder"]) {
  const clock = new VirtualClock();
  const tracker = new AttemptTracker(clock, holder);
  onTestFinished(() => tracker.close());
  const check = (attempt?: Attempt, interval = INTERVAL) => tracker.check(attempt, interval);
  /** Counts the checks until the attempt is abandoned, with a pause in milliseconds after each. */
  const checksUntilAbandoned = async (attempt: Attempt, pause: number) => {
    for (let checks = 1; checks < 100; checks++) {
      if ((await check(attempt)).isAbandoned) return checks;
      await clock.leap(pause);
    }
    return Number.POSITIVE_INFINITY;
  };
  return { clock, tracker, check, checksUntilAbandoned };
}

/** A holder whose `statusOf` returns scripted results, the last one repeatedly. */
function startHolder(...results: readonly unknown[]) {
  const asked: string[] = [];
  const statusOf = async (id: string) => {
    asked.push(id);
    const result = results[Math.min(asked.length, results.length) - 1];
    if (result instanceof Error) throw result;
    return result as "alive";
  };
  return { asked, holder: { id: "ours", statusOf } };
}

/** Counts the timers of a clock from now on. */
function countTimers(clock: VirtualClock) {
  const timers = { started: 0, pending: 0 };
  const { setTimer } = clock;
  clock.setTimer = (callback, delay, keepAlive) => {
    timers.started++;
    timers.pending++;
    let isPending = true;
    const end = () => {
      if (isPending) timers.pending--;
      isPending = false;
    };
    const cancel = setTimer(
      () => {
        end();
        callback();
      },
      delay,
      keepAlive,
    );
    return () => {
      end();
      cancel();
    };
  };
  return timers;
}

describe("AttemptTracker, for the lease of a claim", () => {
  it("counts from when the claim was first seen, however long ago the previous check was", async () => {
    const { clock, check, checksUntilAbandoned } = startTracker();
    await check();
    await clock.leap(5_000);
    expect(await checksUntilAbandoned(claim(), INTERVAL)).toBe(11);
  });

  it("counts a late check as two intervals at most (I16)", async () => {
    expect(await startTracker().checksUntilAbandoned(claim(), 150)).toBe(8);
    expect(await startTracker().checksUntilAbandoned(claim(), 200)).toBe(6);
    expect(await startTracker().checksUntilAbandoned(claim(), 10_000)).toBe(6);
  });

  it("reports the claim as abandoned when the lease expires, and not before", async () => {
    const { clock, check } = startTracker();
    await check(claim());
    await clock.leap(999);
    expect(await check(claim(), 1_000)).toEqual(IN_FLIGHT);
    await clock.leap(1);
    expect(await check(claim(), 1_000)).toEqual({ ...IN_FLIGHT, isAbandoned: true });
  });

  it.each([{ id: "another" }, { holder: "another" }, { claimedAt: 1 }])(
    "starts over for another claim: %o",
    async (more) => {
      const { clock, check, checksUntilAbandoned } = startTracker();
      await checksUntilAbandoned(claim(), 200);
      expect((await check(claim(more))).isAbandoned).toBe(false);
      await clock.leap(200);
      expect((await check(claim())).isAbandoned).toBe(false);
    },
  );

  it("applies to claims only", async () => {
    const { asked, holder } = startHolder("gone");
    const { checksUntilAbandoned } = startTracker(holder);
    const failed = claim({ status: "failed", holder: "them" });
    expect(await checksUntilAbandoned(failed, INTERVAL)).toBe(Number.POSITIVE_INFINITY);
    expect(asked).toEqual([]);
  });
});

describe("AttemptTracker, for the holder of a claim", () => {
  const theirs = claim({ holder: "them" });

  it("reports the claim as abandoned if the holder has ended, and does not check again", async () => {
    const { asked, holder } = startHolder("gone", "unknown");
    const { clock, check } = startTracker(holder);
    expect((await check(theirs)).isAbandoned).toBe(true);
    await clock.leap(INTERVAL);
    expect((await check(theirs)).isAbandoned).toBe(true);
    expect(asked).toEqual(["them"]);
  });

  it("checks the holder every 50 ms at most", async () => {
    const { asked, holder } = startHolder("unknown");
    const { clock, check } = startTracker(holder);
    for (let time = 0; time <= 100; time += 10) {
      await check(theirs, 1);
      await clock.leap(10);
    }
    expect(asked).toHaveLength(3);
  });

  it("waits for the lease unless it is certain what became of the holder", async () => {
    for (const result of ["unknown", new Error("cannot tell"), undefined, "yes", true]) {
      const { check, checksUntilAbandoned } = startTracker(startHolder(result).holder);
      expect(await check(theirs)).toEqual(IN_FLIGHT);
      expect(await checksUntilAbandoned(theirs, INTERVAL)).toBe(11);
    }
  });

  it("waits for the lease if the claim names no holder or the store does not identify holders", async () => {
    const { asked, holder } = startHolder("gone");
    expect(await startTracker(holder).checksUntilAbandoned(claim(), INTERVAL)).toBe(11);
    expect(asked).toEqual([]);
    expect(await startTracker().checksUntilAbandoned(theirs, INTERVAL)).toBe(11);
  });

  it("checks the holder of another claim at once", async () => {
    const { asked, holder } = startHolder("gone", "unknown");
    const { check } = startTracker(holder);
    await check(theirs);
    expect((await check({ ...theirs, id: "another", holder: "others" })).isAbandoned).toBe(false);
    expect(asked).toEqual(["them", "others"]);
  });
});

describe("AttemptTracker, for a claim whose holder is alive", () => {
  const start = (...results: readonly unknown[]) => {
    const { holder } = startHolder(...results);
    const { clock, tracker, check } = startTracker(holder);
    return { clock, tracker, check, theirs: claim({ holder: "them", claimedAt: clock.now() }) };
  };

  it("is in flight until its lease expires, and is then held for ten minutes from the claim", async () => {
    const { clock, check, theirs } = start("alive");
    await check(theirs);
    await clock.leap(LEASE - 1);
    expect(await check(theirs, LEASE)).toEqual(IN_FLIGHT);
    await clock.leap(1);
    expect(await check(theirs, LEASE)).toEqual({
      isAbandoned: true,
      heldUntil: theirs.claimedAt + HOLD,
      retryAt: undefined,
    });
    await clock.leap(HOLD - LEASE - 1);
    expect((await check(theirs)).heldUntil).toBe(clock.now() + 1);
    await clock.leap(1);
    expect(await check(theirs)).toEqual({ ...IN_FLIGHT, isAbandoned: true });
  });

  it("is held from the first check if the claim is older than its lease by the wall clock", async () => {
    const { clock, check, theirs } = start("alive");
    const late = { ...theirs, claimedAt: clock.now() - LEASE };
    expect(await check(late)).toEqual({ isAbandoned: false, heldUntil: late.claimedAt + HOLD, retryAt: undefined });
    expect(await check({ ...late, id: "another", claimedAt: clock.now() - LEASE + 1 })).toEqual(IN_FLIGHT);
  });

  it("is held until this process has observed it for its lease, however old it is", async () => {
    const { clock, check, theirs } = start("alive");
    const old = { ...theirs, claimedAt: clock.now() - 2 * HOLD };
    expect(await check(old)).toEqual({ isAbandoned: false, heldUntil: clock.now() + LEASE, retryAt: undefined });
    await clock.leap(INTERVAL);
    expect((await check(old)).heldUntil).toBe(clock.now() + LEASE - INTERVAL);
    await clock.advance(LEASE);
    expect(await check(old)).toEqual({ ...IN_FLIGHT, isAbandoned: true });
  });

  it("is held for ten minutes of our own count if the wall clock was set back", async () => {
    const { clock, check, theirs } = start("alive");
    const future = { ...theirs, claimedAt: clock.now() + 10 * HOLD };
    await check(future);
    await clock.leap(HOLD - 1);
    expect((await check(future, HOLD)).heldUntil).toBe(clock.now() + 1);
    await clock.leap(1);
    expect(await check(future, HOLD)).toEqual({ ...IN_FLIGHT, isAbandoned: true });
  });

  it("is counted without checks while it is held, for a limited time, and not after close()", async () => {
    const { clock, check, theirs, tracker } = start("alive");
    const timers = countTimers(clock);
    await check({ ...theirs, claimedAt: clock.now() - LEASE });
    expect(clock.keepingAlive).toBe(0);
    await clock.advance(HOLD);
    expect(timers.started).toBeGreaterThan(HOLD / 1_000);
    expect(timers.pending).toBe(0);
    await check({ ...theirs, id: "another", claimedAt: clock.now() - LEASE });
    expect(timers.pending).toBe(1);
    tracker.close();
    expect(timers.pending).toBe(0);
  });

  it("is held by the last known status if the store fails to tell", async () => {
    const { clock, check, theirs } = start("alive", new Error("no file descriptors left"));
    await check(theirs);
    await clock.leap(LEASE);
    expect((await check(theirs, LEASE)).heldUntil).toBeDefined();
  });

  it("is abandoned at once if the holder ends, and after the lease if it can no longer be seen", async () => {
    const late = (clock: VirtualClock) => ({ claimedAt: clock.now() - LEASE });
    const [ended, hidden] = [start("alive", "gone"), start("alive", "unknown")];
    for (const { clock, check, theirs } of [ended, hidden]) {
      expect((await check({ ...theirs, ...late(clock) })).heldUntil).toBeDefined();
      await clock.leap(INTERVAL);
    }
    const check = ({ clock, check: again, theirs }: typeof ended) =>
      again({ ...theirs, claimedAt: clock.now() - INTERVAL - LEASE });
    expect(await check(ended)).toEqual({ ...IN_FLIGHT, isAbandoned: true });
    expect(await check(hidden)).toEqual(IN_FLIGHT);
  });

  it("is never held if it is in our own name, because this manager does not run it", async () => {
    const { asked, holder } = startHolder("alive");
    const { clock, checksUntilAbandoned } = startTracker(holder);
    const ours = claim({ holder: "ours", claimedAt: clock.now() });
    expect(await checksUntilAbandoned(ours, INTERVAL)).toBe(11);
    expect(asked).toEqual([]);
  });

  it("does not wait for a status that never comes", async () => {
    const clock = new VirtualClock();
    const never = () => new Promise<never>(() => {});
    const tracker = new AttemptTracker(clock, { id: "ours", statusOf: never, describe: never });
    const status = tracker.check(claim({ holder: "them" }), INTERVAL);
    await clock.advance(1_000);
    expect(await status).toEqual(IN_FLIGHT);
    const description = tracker.describeHolder(claim({ holder: "them" }));
    await clock.advance(1_000);
    expect(await description).toBe("another process (them)");
  });
});

describe("AttemptTracker, for the name of a holder", () => {
  const theirs = claim({ holder: "them" });
  const describeWith = (holder: Partial<NonNullable<TokenStore["holder"]>>) =>
    startTracker({ id: "ours", statusOf: async () => "alive", ...holder }).tracker.describeHolder(theirs);

  it("is what the store says, or else its id", async () => {
    expect(await describeWith({ describe: async (id) => `process ${id}` })).toBe("process them");
    expect(await describeWith({})).toBe("another process (them)");
    expect(await describeWith({ describe: async () => Promise.reject(new Error("ended")) })).toBe(
      "another process (them)",
    );
  });
});

describe("AttemptTracker, for a back-off", () => {
  const failed = (clock: VirtualClock, endedAgo: number, retryIn = 1_000) =>
    claim({ status: "failed", endedAt: clock.now() - endedAgo, retryIn });

  it.each([
    ["just now", 0, 1_000],
    ["999 ms ago", 999, 1],
    ["a second ago", 1_000, undefined],
    ["in the future by this clock, and was never seen before", -1, undefined],
  ])(
    "gives the end of the back-off of an attempt that ended %s (%s ms ago, %s ms left)",
    async (_name, endedAgo, left) => {
      const { clock, check } = startTracker();
      const retryAt = left === undefined ? undefined : clock.now() + left;
      expect(await check(failed(clock, endedAgo))).toEqual({ ...IN_FLIGHT, retryAt });
    },
  );

  it("counts from the previous check, whatever the wall clocks say", async () => {
    const { clock, check } = startTracker();
    await check(claim());
    await clock.leap(300);
    for (const endedAgo of [-5_000, 5_000]) {
      expect((await check(failed(clock, endedAgo))).retryAt).toBe(clock.now() + 700);
    }
    await clock.leap(700);
    expect((await check(failed(clock, 5_000))).retryAt).toBeUndefined();
  });

  it("reports no back-off if the attempt has none", async () => {
    const { clock, check } = startTracker();
    await check();
    const status = "lost" as const;
    for (const more of [{}, { endedAt: clock.now() }, { retryIn: 1_000 }]) {
      expect(await check(claim({ status, ...more }))).toEqual(IN_FLIGHT);
    }
    expect(await check()).toEqual(IN_FLIGHT);
  });
});
