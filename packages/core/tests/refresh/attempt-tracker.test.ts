import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import type { Attempt } from "../../src/record/record.ts";
import { AttemptTracker } from "../../src/refresh/attempt-tracker.ts";
import type { TokenStore } from "../../src/types.ts";
import { attempt as attemptOn } from "../support/interference.ts";

const INTERVAL = 100;
const claim = (more: Partial<Attempt> = {}): Attempt => attemptOn(1, { lease: 1_000, ...more });

function startTracker(holder?: TokenStore["holder"]) {
  const clock = new VirtualClock();
  const tracker = new AttemptTracker(clock, holder);
  const check = (attempt?: Attempt, interval = INTERVAL) => tracker.check(attempt, interval);
  /** Counts the checks until the attempt is abandoned, with a pause in milliseconds after each. */
  const checksUntilAbandoned = async (attempt: Attempt, pause: number) => {
    for (let checks = 1; checks < 100; checks++) {
      if ((await check(attempt)).isAbandoned) return checks;
      await clock.leap(pause);
    }
    return Number.POSITIVE_INFINITY;
  };
  return { clock, check, checksUntilAbandoned };
}

/** A holder whose `isGone` returns scripted results, the last one repeatedly. */
function startHolder(...results: readonly (boolean | Error)[]) {
  const asked: string[] = [];
  const isGone = async (id: string): Promise<boolean> => {
    asked.push(id);
    const result = results[Math.min(asked.length, results.length) - 1];
    if (result instanceof Error) throw result;
    return result ?? false;
  };
  return { asked, holder: { id: "ours", isGone } };
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
    expect(await check(claim(), 1_000)).toEqual({ isAbandoned: false, retryAt: undefined });
    await clock.leap(1);
    expect(await check(claim(), 1_000)).toEqual({ isAbandoned: true, retryAt: undefined });
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
    const { asked, holder } = startHolder(true);
    const { checksUntilAbandoned } = startTracker(holder);
    const failed = claim({ status: "failed", holder: "them" });
    expect(await checksUntilAbandoned(failed, INTERVAL)).toBe(Number.POSITIVE_INFINITY);
    expect(asked).toEqual([]);
  });
});

describe("AttemptTracker, for the owner of a claim", () => {
  const theirs = claim({ holder: "them" });

  it("reports the claim as abandoned if the owner has ended, and does not check again", async () => {
    const { asked, holder } = startHolder(true, false);
    const { clock, check } = startTracker(holder);
    expect((await check(theirs)).isAbandoned).toBe(true);
    await clock.leap(INTERVAL);
    expect((await check(theirs)).isAbandoned).toBe(true);
    expect(asked).toEqual(["them"]);
  });

  it("checks the owner every 50 ms at most", async () => {
    const { asked, holder } = startHolder(false);
    const { clock, check } = startTracker(holder);
    for (let time = 0; time <= 100; time += 10) {
      await check(theirs, 1);
      await clock.leap(10);
    }
    expect(asked).toHaveLength(3);
  });

  it("waits for the lease unless the owner has certainly ended", async () => {
    for (const result of [false, new Error("cannot tell"), undefined, "yes"]) {
      const { check, checksUntilAbandoned } = startTracker(startHolder(result as boolean).holder);
      expect(await check(theirs)).toEqual({ isAbandoned: false, retryAt: undefined });
      expect(await checksUntilAbandoned(theirs, INTERVAL)).toBe(11);
    }
  });

  it("waits for the lease if the claim names no owner or the store has no holder", async () => {
    const { asked, holder } = startHolder(true);
    expect(await startTracker(holder).checksUntilAbandoned(claim(), INTERVAL)).toBe(11);
    expect(asked).toEqual([]);
    expect(await startTracker().checksUntilAbandoned(theirs, INTERVAL)).toBe(11);
  });

  it("checks the owner of another claim at once", async () => {
    const { asked, holder } = startHolder(true, false);
    const { check } = startTracker(holder);
    await check(theirs);
    expect((await check({ ...theirs, id: "another", holder: "others" })).isAbandoned).toBe(false);
    expect(asked).toEqual(["them", "others"]);
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
      expect(await check(failed(clock, endedAgo))).toEqual({ isAbandoned: false, retryAt });
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
      expect(await check(claim({ status, ...more }))).toEqual({ isAbandoned: false, retryAt: undefined });
    }
    expect(await check()).toEqual({ isAbandoned: false, retryAt: undefined });
  });
});
