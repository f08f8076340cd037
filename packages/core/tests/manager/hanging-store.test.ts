import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { write } from "../support/interference.ts";
import { startSession, typesOf } from "../support/session.ts";

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const never = () => new Promise<never>(() => {});
const noResponse = { code: "STORE_UNAVAILABLE", problem: "could not be read (no response within 30000 ms)" };

describe("a store that stops responding (P15)", () => {
  it("fails the calls that wait for its first load, and is asked again by the next call", async () => {
    const { clock, open, signIn, store } = startSession();
    await signIn();
    const manager = open();
    const { load } = store;
    store.load = never;
    const calls = [manager.getAccessToken(), manager.hasSession()].map((call) => call.catch((error: unknown) => error));
    await clock.advance(70 * SECOND);
    expect(await Promise.all(calls)).toEqual([
      expect.objectContaining(noResponse),
      expect.objectContaining(noResponse),
    ]);
    store.load = load;
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
  });

  it("blocks neither later calls nor close() if it never responds to a background refresh", async () => {
    const { clock, signIn, store } = startSession();
    const manager = await signIn();
    await clock.advance(HOUR - 60 * SECOND);
    const { load } = store;
    store.load = never;
    await manager.getAccessToken();
    await settle();
    expect(clock.keepingAlive).toBe(0);
    store.load = load;
    await clock.advance(31 * SECOND);
    await clock.advance(HOUR);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    await manager.close();
  });

  it("keeps the process alive for a commit, and the tokens are used and saved later (P2)", async () => {
    const { clock, events, issuer, record, signIn, store } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    issuer.next((rotated) => {
      store.save = never;
      return rotated;
    });
    const token = manager.getAccessToken();
    await settle();
    expect(clock.keepingAlive).toBe(1);
    await clock.advance(30.5 * SECOND);
    expect(await token).toBe(canary("access", 2));
    store.save = save;
    await clock.advance(2 * SECOND);
    expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
    expect(typesOf(events)).toEqual(["exchange-started", "save-failed", "refreshed", "save-recovered"]);
    await manager.close();
  });

  it("is not given up because the process was stopped while it responded", async () => {
    const { clock, open, signIn, store } = startSession();
    await signIn();
    const { load } = store;
    let respond = () => {};
    store.load = () =>
      new Promise((resolve) => {
        respond = () => void load().then(resolve);
      });
    const token = open().getAccessToken();
    await settle();
    clock.setTimer(() => clock.setTimer(respond, 0, false), 30 * SECOND, false); // read after the timers that are due
    await clock.leap(600 * SECOND);
    await clock.advance(2 * SECOND);
    expect(await token).toBe(canary("access", 1));
  });
});

describe("a store that reports every save as a conflict (P15)", () => {
  const conflicting = (session: ReturnType<typeof startSession>) => {
    session.store.save = async () => {
      const { StoreConflictError } = await import("../../src/errors.ts");
      throw new StoreConflictError("the store");
    };
  };
  const rejected = { code: "STORE_UNAVAILABLE", problem: expect.stringContaining("100 saves as conflicts") };

  it("fails a sign-in", async () => {
    const session = startSession();
    conflicting(session);
    await expect(session.open().signIn({ accessToken: canary("access", 1) })).rejects.toMatchObject(rejected);
  });

  it("fails a refresh, and presents nothing", async () => {
    const session = startSession();
    const manager = await session.signIn(0);
    conflicting(session);
    const token = manager.getAccessToken().catch((error: unknown) => error);
    await session.clock.advance(2 * SECOND);
    expect(await token).toMatchObject(rejected);
    expect(session.issuer.presented).toEqual([]);
  });

  it("is not assumed if other processes save", async () => {
    const session = startSession();
    const manager = await session.signIn();
    const { save } = session.store;
    let conflicts = 0;
    session.store.save = async (value, expected) => {
      if (++conflicts > 300) return save(value, expected);
      session.store.save = save;
      await write(session.store, (record) => ({ ...record, note: conflicts }) as typeof record);
      session.store.save = retrying;
      return save(value, expected);
    };
    const retrying = session.store.save;
    expect(await manager.signIn({ accessToken: "new" })).toBe(true);
    expect(conflicts).toBe(301);
  });
});
