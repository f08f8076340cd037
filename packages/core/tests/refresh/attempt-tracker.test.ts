import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../testing/src/virtual-clock.ts";
import type { Attempt } from "../../src/record/record.ts";
import { AttemptTracker } from "../../src/refresh/attempt-tracker.ts";
import type { TokenStore } from "../../src/types.ts";
import { attempt as attemptOn } from "../support/interference.ts";

const INTERVAL = 100;
const claim = (more: Partial<Attempt> = {}): Attempt => attemptOn(1, { lease: 1_000, ...more });

function startWatch(holder?: TokenStore["holder"]) {
  const clock = new VirtualClock();
  const watch = new AttemptTracker(clock, holder);
  const look = (attempt?: Attempt, interval = INTERVAL) => watch.look(attempt, interval);
  /** How often one can look before the attempt is given up, with so much time in between. */
  const looksUntilAbandoned = async (attempt: Attempt, pause: number) => {
    for (let looks = 1; looks < 100; looks++) {
      if ((await look(attempt)).isAbandoned) return looks;
      await clock.leap(pause);
    }
    return Number.POSITIVE_INFINITY;
  };
  return { clock, look, looksUntilAbandoned };
}

/** A holder that is asked, and answers from a script; the last answer again for what comes after. */
function startHolder(...answers: readonly (boolean | Error)[]) {
  const asked: string[] = [];
  const isGone = async (id: string): Promise<boolean> => {
    asked.push(id);
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (answer instanceof Error) throw answer;
    return answer ?? false;
  };
  return { asked, holder: { id: "ours", isGone } };
}

describe("a lease", () => {
  it("counts from the first look, however long ago the look before was", async () => {
    const { clock, look, looksUntilAbandoned } = startWatch();
    await look();
    await clock.leap(5_000);
    expect(await looksUntilAbandoned(claim(), INTERVAL)).toBe(11);
  });

  it("counts a late look at most twice (I16)", async () => {
    expect(await startWatch().looksUntilAbandoned(claim(), 150)).toBe(8);
    expect(await startWatch().looksUntilAbandoned(claim(), 200)).toBe(6);
    expect(await startWatch().looksUntilAbandoned(claim(), 10_000)).toBe(6);
  });

  it("is over at its end, and not before", async () => {
    const { clock, look } = startWatch();
    await look(claim());
    await clock.leap(999);
    expect(await look(claim(), 1_000)).toEqual({ isAbandoned: false, retryAt: undefined });
    await clock.leap(1);
    expect(await look(claim(), 1_000)).toEqual({ isAbandoned: true, retryAt: undefined });
  });

  it("counts anew for another claim", async () => {
    const { clock, look, looksUntilAbandoned } = startWatch();
    await looksUntilAbandoned(claim(), 200);
    expect((await look(claim({ id: "another" }))).isAbandoned).toBe(false);
    await clock.leap(200);
    expect((await look(claim())).isAbandoned).toBe(false);
  });

  it("is of claims alone", async () => {
    const { asked, holder } = startHolder(true);
    const { looksUntilAbandoned } = startWatch(holder);
    const failed = claim({ status: "failed", holder: "them" });
    expect(await looksUntilAbandoned(failed, INTERVAL)).toBe(Number.POSITIVE_INFINITY);
    expect(asked).toEqual([]);
  });
});

describe("a claim's owner", () => {
  const theirs = claim({ holder: "them" });

  it("that is gone ends the claim, and is not asked for again", async () => {
    const { asked, holder } = startHolder(true, false);
    const { clock, look } = startWatch(holder);
    expect((await look(theirs)).isAbandoned).toBe(true);
    await clock.leap(INTERVAL);
    expect((await look(theirs)).isAbandoned).toBe(true);
    expect(asked).toEqual(["them"]);
  });

  it("is asked for at most every 50 ms", async () => {
    const { asked, holder } = startHolder(false);
    const { clock, look } = startWatch(holder);
    for (let time = 0; time <= 100; time += 10) {
      await look(theirs, 1);
      await clock.leap(10);
    }
    expect(asked).toHaveLength(3);
  });

  it("that is not certainly gone keeps it until the lease is over", async () => {
    for (const answer of [false, new Error("cannot tell"), undefined, "yes"]) {
      const { look, looksUntilAbandoned } = startWatch(startHolder(answer as boolean).holder);
      expect(await look(theirs)).toEqual({ isAbandoned: false, retryAt: undefined });
      expect(await looksUntilAbandoned(theirs, INTERVAL)).toBe(11);
    }
  });

  it("is unknown where the claim names none, or the store knows no holders", async () => {
    const { asked, holder } = startHolder(true);
    expect(await startWatch(holder).looksUntilAbandoned(claim(), INTERVAL)).toBe(11);
    expect(asked).toEqual([]);
    expect(await startWatch().looksUntilAbandoned(theirs, INTERVAL)).toBe(11);
  });

  it("of another claim is asked for at once", async () => {
    const { asked, holder } = startHolder(true, false);
    const { look } = startWatch(holder);
    await look(theirs);
    expect((await look({ ...theirs, id: "another", holder: "others" })).isAbandoned).toBe(false);
    expect(asked).toEqual(["them", "others"]);
  });
});

describe("a back-off", () => {
  const failed = (clock: VirtualClock, endedAgo: number, retryIn = 1_000) =>
    claim({ status: "failed", endedAt: clock.now() - endedAgo, retryIn });

  it.each([
    ["just now", 0, 1_000],
    ["999 ms ago", 999, 1],
    ["a second ago", 1_000, undefined],
    ["later, by our clock, and never looked at before", -1, undefined],
  ])("of an attempt that ended %s: %s ms ago, %s ms left", async (_name, endedAgo, left) => {
    const { clock, look } = startWatch();
    const retryAt = left === undefined ? undefined : clock.now() + left;
    expect(await look(failed(clock, endedAgo))).toEqual({ isAbandoned: false, retryAt });
  });

  it("lasts for what is left of it since the look before it, whatever the clocks say", async () => {
    const { clock, look } = startWatch();
    await look(claim());
    await clock.leap(300);
    for (const endedAgo of [-5_000, 5_000]) {
      expect((await look(failed(clock, endedAgo))).retryAt).toBe(clock.now() + 700);
    }
    await clock.leap(700);
    expect((await look(failed(clock, 5_000))).retryAt).toBeUndefined();
  });

  it("is none where the attempt says none", async () => {
    const { clock, look } = startWatch();
    await look();
    const status = "lost" as const;
    for (const more of [{}, { endedAt: clock.now() }, { retryIn: 1_000 }]) {
      expect(await look(claim({ status, ...more }))).toEqual({ isAbandoned: false, retryAt: undefined });
    }
    expect(await look()).toEqual({ isAbandoned: false, retryAt: undefined });
  });
});
