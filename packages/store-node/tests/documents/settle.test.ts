import { StoreConflictError, StoreError } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import type { EntryStatus } from "../../src/documents/entry.ts";
import { EntrySettler } from "../../src/documents/settle.ts";
import { HOUR, isSignedOut, recordOf } from "./support.ts";

const SECOND = 1_000;
const UNCHANGED = { isRemembered: true, overwriteVersion: undefined, textId: "1" };
const UNUSED = { noteFound: async () => undefined, finish: async () => false };

/** A store whose session is in an entry, in a world that only changes when something waits, or through `clock`. */
function start(kind: "current" | "emptied" | "torn" = "current", { isWatched = true } = {}) {
  const value = recordOf(1);
  const snapshot = { ...UNCHANGED, head: { value }, stored: { value, version: "1" } };
  const world = { status: { kind } as EntryStatus, onPause: (): void => undefined };
  const clock = { wall: Date.now(), monotonic: 0 };
  const waits: number[] = [];
  const timers: { readonly run: () => void; readonly milliseconds: number }[] = [];
  const saved: string[] = [];
  const settler = new EntrySettler({
    ...UNUSED,
    now: () => clock.wall,
    monotonic: () => clock.monotonic,
    pause: async (milliseconds) => {
      waits.push(milliseconds);
      clock.monotonic += milliseconds;
      world.onPause();
    },
    later: (run, milliseconds) => void timers.push({ run, milliseconds }),
    print: async () => undefined,
    save: async (next) => {
      saved.push(next);
      world.status = { kind: "current" };
    },
    unreadableError: () => new StoreError("STORE_UNREADABLE", { location: "x", problem: "is torn", hint: "" }),
  });
  if (isWatched) settler.onLookAgain(() => undefined);
  const load = () => settler.load("document", async () => ({ ...snapshot, status: world.status }));
  const set = (next: "current" | "emptied" | "torn"): void => {
    world.status = { kind: next };
  };
  /** Finds the session, and then the entry empty for the first time. */
  const empty = async (): Promise<void> => {
    await load();
    set("emptied");
    await load();
  };
  return { settler, world, clock, waits, timers, saved, load, set, empty };
}

describe("an entry that holds no session any more", () => {
  it("is looked at again after a second: listeners are called", async () => {
    const { settler, timers, waits, empty, saved } = start();
    let calls = 0;
    const stop = settler.onLookAgain(() => calls++);
    await empty();
    expect(timers.map(({ milliseconds }) => milliseconds)).toEqual([SECOND]);
    expect([calls, waits, saved]).toEqual([0, [], []]);
    timers[0]?.run();
    expect(calls).toBe(1);
    stop();
    timers[0]?.run();
    expect(calls).toBe(1);
  });

  it.each([
    [999, [], [SECOND]],
    [1_000, [true], [SECOND]],
    [1_001, [true], [SECOND]],
  ])("is a sign-out once a look finds it empty after a second (%i ms)", async (elapsed, signOuts, delays) => {
    const { clock, waits, timers, saved, load, empty } = start();
    await empty();
    clock.monotonic += elapsed;
    await load();
    const timed = timers.map(({ milliseconds }) => milliseconds);
    expect([waits, timed, saved.map(isSignedOut)]).toEqual([[], delays, signOuts]);
  });

  it("is waited for if nothing can be told to look again", async () => {
    const { waits, timers, saved, empty } = start("current", { isWatched: false });
    await empty();
    expect([waits, timers, saved.map(isSignedOut)]).toEqual([[SECOND], [], [true]]);
  });

  it("is waited for at the first look of a process", async () => {
    const { waits, saved, load, timers } = start("emptied");
    await load();
    expect([waits, timers, saved.map(isSignedOut)]).toEqual([[SECOND], [], [true]]);
  });

  it.each([-5 * HOUR, 5 * HOUR])(
    "has its second counted without the wall clock, which is set by %i ms",
    async (jump) => {
      const { clock, waits, saved, load, empty } = start();
      await empty();
      clock.wall += jump;
      clock.monotonic += 300;
      await load();
      expect([waits, saved]).toEqual([[], []]);
      clock.monotonic += 700;
      await load();
      expect([waits, saved.map(isSignedOut)]).toEqual([[], [true]]);
    },
  );

  it.each([-5 * HOUR, 5 * HOUR])(
    "is waited for for a second if the wall clock is set by %i ms in the meantime",
    async (jump) => {
      const { world, clock, waits, saved, load } = start("emptied");
      world.onPause = () => {
        clock.wall += jump;
      };
      await load();
      expect([waits, saved.map(isSignedOut)]).toEqual([[SECOND], [true]]);
    },
  );

  it.each([
    ["an hour later, as on macOS", HOUR],
    ["at the same time, as on Linux", 0],
  ])("is waited for again if the machine slept since the first look: the second is %s", async (_when, jump) => {
    const { clock, saved, load, empty } = start();
    await empty();
    clock.wall += HOUR;
    clock.monotonic += jump;
    await load();
    expect(saved).toEqual([]);
    clock.monotonic += SECOND;
    await load();
    expect(saved.map(isSignedOut)).toEqual([true]);
  });

  it.each([HOUR, 0])("is no sign-out if it is filled again once the machine wakes up (%i ms)", async (jump) => {
    const { clock, saved, load, set, empty } = start();
    await empty();
    clock.monotonic += jump;
    await load();
    set("current");
    await load();
    expect(saved).toEqual([]);
  });

  it("is no sign-out if it is filled again within the second, and then has another second", async () => {
    const { clock, waits, timers, saved, load, set, empty } = start();
    await empty();
    clock.monotonic += 600;
    set("current");
    await load();
    set("emptied");
    clock.monotonic += 600;
    await load();
    expect([waits, saved, timers.map(({ milliseconds }) => milliseconds)]).toEqual([[], [], [SECOND]]);
  });

  it("is no sign-out if another process saves first", async () => {
    const { settler, world, clock } = start();
    const conflicting = new EntrySettler({
      ...UNUSED,
      ...{ now: () => clock.wall, monotonic: () => clock.monotonic, later: () => undefined },
      ...{ print: async () => undefined, unreadableError: () => new StoreError("STORE_UNREADABLE", ERROR) },
      pause: async (milliseconds) => {
        clock.monotonic += milliseconds;
      },
      save: () => {
        world.status = { kind: "current" };
        return Promise.reject(new StoreConflictError("document"));
      },
    });
    world.status = { kind: "emptied" };
    const stored = { value: recordOf(1), version: "1" };
    const snapshot = await conflicting.load("document", async () => ({
      ...UNCHANGED,
      head: stored,
      stored,
      status: world.status,
    }));
    expect([snapshot.status.kind, settler.isSeen]).toEqual(["current", false]);
  });
});

const ERROR = { location: "document", problem: "is torn", hint: "" };

describe("a document that cannot be parsed", () => {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, each) => total + each, 0);

  it("is waited for for two seconds", async () => {
    const { load, waits } = start("torn");
    await expect(load()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    expect(sum(waits)).toBe(2_000);
  });

  it("is an error at once if it stayed so for two seconds, and not a millisecond before", async () => {
    const { load, clock, waits, world, set } = start("torn");
    await expect(load()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    const before = waits.length;
    await expect(load()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    expect(waits).toHaveLength(before);
    set("current");
    await load();
    set("torn");
    world.onPause = () => {
      clock.monotonic += 1_899;
      world.onPause = () => set("current");
    };
    await load();
    expect(waits.slice(before)).toEqual([50, 50]);
  });

  it.each([-5 * HOUR, 5 * HOUR])("is waited for for as long if the wall clock is set by %i ms", async (jump) => {
    const { load, clock, waits, world } = start("torn");
    world.onPause = () => {
      clock.wall += jump;
    };
    await expect(load()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    expect(sum(waits)).toBe(2_000);
  });
});
