import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import type { SessionRecord } from "../../src/record/record.ts";
import type { Rotation } from "../../src/refresh/rotation.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import { attempt, disk } from "../support/interference.ts";
import { NOW, recordOf, SECOND, tokens } from "../support/machine.ts";
import { digest, full, recordWith, rejectSaves, rotation, startPending as start } from "../support/pending.ts";

describe("a rotation", () => {
  it("replaces the presented token, and marks it as spent", async () => {
    const { base, pending, observed, stored, announced } = await start();
    expect(await pending.commit(rotation(), base)).toBe(true);
    expect(await stored()).toMatchObject({ tokens: { refreshToken: canary("refresh", 2) }, spent: [digest(1)] });
    expect(observed).toEqual([[canary("refresh", 2), "exchange"]]);
    expect(announced).toEqual([]);
  });

  it("is saved late if a later response kept the refresh token that it replaces (P2)", async () => {
    const { base, pending, stored } = await start();
    const kept = tokens({ accessToken: "a3", refreshToken: canary("refresh", 1) });
    expect(await pending.commit(rotation({ tokens: kept, obtainedAt: NOW + 20 }), base)).toBe(true);
    expect(await pending.commit(rotation(), base)).toBe(true);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it("keeps what was saved concurrently, and merges the spent digests", async () => {
    const { base, pending, put, stored } = await start();
    await put(recordWith(1, { attempt: attempt(1), spent: [digest("a"), digest("b")] }));
    expect(await pending.commit(rotation({ spent: [digest("b"), digest("c")] }), base)).toBe(true);
    expect((await stored())?.spent).toEqual(["b", "c", "a", 1].map(digest));
  });

  it("is left as it is if an earlier attempt stored it", async () => {
    const { base, pending, put, observed, store, announced } = await start();
    await put(recordWith(2, { attempt: attempt(2), spent: [digest(1)] }));
    const before = await store.load();
    expect(await pending.commit(rotation(), base)).toBe(true);
    expect(await store.load()).toEqual(before);
    expect(observed).toEqual([[canary("refresh", 2), "exchange"]]);
    expect(announced).toEqual([]);
  });

  it("marks nothing as spent if the refresh token is reusable", async () => {
    const { base, pending, stored } = await start();
    const reused = rotation({ tokens: tokens({ accessToken: canary("access", 2) }) });
    expect(await pending.commit(reused, base)).toBe(true);
    expect(await stored()).toMatchObject({ tokens: { accessToken: canary("access", 2) }, spent: [] });
  });
});

describe("a rotation that meets another record", () => {
  const reusable = { tokens: tokens({ accessToken: canary("access", 2) }) };
  const another = { tokens: tokens({ accessToken: canary("access", "n") }) };
  const ended = (about: number) => ({ tokens: undefined, dead: { reason: "revoked" as const, digest: digest(about) } });

  it.each<[string, Partial<SessionRecord>, Rotation?]>([
    ["a verdict about the presented token", ended(1)],
    ["a spent token that was put back", { ...recordWith(0), spent: [digest(0)] }],
    ["a token that is spent according to this process", recordWith(0), rotation({ spent: [digest(0)] })],
    ["an older access token", { ...another, obtainedAt: NOW + 9 }, rotation(reusable)],
    ["an access token of the same time", { ...another, obtainedAt: NOW + 10 }, rotation(reusable)],
    ["the same access token, because the clock was set back", { obtainedAt: NOW + 11 }, rotation(reusable)],
    ["a session of an unknown account", {}, rotation({ account: "ada" })],
    ["a later date alone", { obtainedAt: NOW + 99 }],
  ])("replaces %s", async (_name, there, rotated = rotation()) => {
    const { base, pending, stored, announced } = await start(recordWith(1, there));
    expect(await pending.commit(rotated, base)).toBe(true);
    expect((await stored())?.tokens?.accessToken).toBe(canary("access", 2));
    expect(announced).toEqual([]);
  });

  it.each<[string, { readonly reason: string; readonly there: Partial<SessionRecord>; readonly rotated?: Rotation }]>([
    ["a sign-out", { reason: "signed_out", there: { tokens: undefined, dead: { reason: "signed_out" } } }],
    [
      "another account's session",
      { reason: "account_changed", there: { account: "bob" }, rotated: rotation({ account: "ada" }) },
    ],
    ["a newer token", { reason: "superseded", there: recordWith("n") }],
    ["a token that is not spent", { reason: "superseded", there: recordWith("n", { obtainedAt: NOW - 1 }) }],
    ["a verdict about another token", { reason: "superseded", there: ended(0) }],
    [
      "a spent token that was put back over a newer session",
      { reason: "superseded", there: recordWith(0, { spent: [digest(0), digest(1)] }) },
    ],
    [
      "a newer access token",
      { reason: "superseded", there: { ...another, obtainedAt: NOW + 11 }, rotated: rotation(reusable) },
    ],
  ])("is dropped for %s", async (_name, { reason, there, rotated = rotation() }) => {
    const revoked: (string | undefined)[] = [];
    const { base, pending, observed, store, announced } = await start(recordWith(1, there), async (set) => {
      revoked.push(set.accessToken);
    });
    const before = await store.load();
    expect(await pending.commit(rotated, base)).toBe(false);
    expect(await store.load()).toEqual(before);
    expect(announced).toEqual([{ type: "rotation-dropped", reason }]);
    expect(observed).toEqual([[base?.record.tokens?.refreshToken, "store"]]);
    expect(revoked).toEqual(reason === "superseded" ? [] : [canary("access", 2)]);
  });

  it("is dropped if the record was removed", async () => {
    const { base, pending, observed, store, announced } = await start();
    await store.remove();
    expect(await pending.commit(rotation(), base)).toBe(false);
    expect(await store.load()).toBeUndefined();
    expect(announced).toEqual([{ type: "rotation-dropped", reason: "signed_out" }]);
    expect(observed).toEqual([[undefined, "store"]]);
  });

  it("is dropped even if its revocation fails", async () => {
    const { pending, announced } = await start(undefined, () => Promise.reject(new Error("no")));
    expect(await pending.commit(rotation(), undefined)).toBe(false);
    expect(announced).toHaveLength(1);
  });
});

describe("a rotation that the store refuses", () => {
  const location = memoryStore().describe();
  const unsaved = { type: "save-failed", location, code: "STORE_UNAVAILABLE" };

  it("is used from memory, and saved every second until the store accepts it", async () => {
    const { base, clock, pending, observed, store, stored, announced } = await start();
    const { count, accept } = rejectSaves(store);
    expect(await pending.commit(rotation(), base)).toBe(true);
    expect(observed).toEqual([[canary("refresh", 2), "exchange"]]);
    await clock.advance(SECOND - 1);
    expect(count()).toBe(1);
    await clock.advance(3 * SECOND);
    expect(count()).toBe(4);
    expect(announced).toEqual([unsaved]);
    accept();
    await clock.advance(SECOND);
    expect(await stored()).toMatchObject({ tokens: { refreshToken: canary("refresh", 2) }, spent: [digest(1)] });
    expect(announced).toEqual([unsaved, { type: "save-recovered", location }]);
    const after = await store.load();
    await clock.advance(10 * SECOND);
    expect(await store.load()).toEqual(after);
  });

  it("is part of every loaded record", async () => {
    const { base, pending, store, stored } = await start(recordWith(1, { spent: [digest(0)] }));
    const { accept } = rejectSaves(store);
    await pending.commit(rotation(), base);
    const loaded = await pending.load();
    expect(loaded?.version).toBe(base?.version);
    expect(loaded?.record.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect(loaded?.record.spent).toEqual([digest(0), digest(1)]);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 1));
    accept();
    await pending.flush();
    expect((await pending.load())?.record).toEqual(await stored());
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it("is saved after the store could not be read for a while", async () => {
    const { base, clock, pending, store, stored } = await start();
    const { accept } = rejectSaves(store);
    await pending.commit(rotation(), base);
    accept();
    const { load } = store;
    store.load = () => Promise.reject(disk);
    await clock.advance(5 * SECOND);
    store.load = load;
    await clock.advance(SECOND);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it("is dropped if another process signs out in the meantime, and announced once", async () => {
    const { base, clock, pending, put, store, announced } = await start();
    const { accept } = rejectSaves(store);
    await pending.commit(rotation(), base);
    accept();
    await put(recordOf({ tokens: undefined, dead: { reason: "signed_out" } }));
    expect((await pending.load())?.record.dead?.reason).toBe("signed_out");
    await clock.advance(SECOND);
    expect(announced).toEqual([unsaved, { type: "rotation-dropped", reason: "signed_out" }]);
    await clock.advance(5 * SECOND);
    expect(announced).toHaveLength(2);
  });

  it("is dropped if the record is removed in the meantime", async () => {
    const { base, pending, store } = await start();
    const { accept } = rejectSaves(store);
    await pending.commit(rotation(), base);
    accept();
    await store.remove();
    expect(await pending.load()).toBeUndefined();
  });

  it("is announced with the code of the store error", async () => {
    const { base, pending, store, announced } = await start();
    const { load } = store;
    rejectSaves(store);
    store.load = () => load().then(() => ({ value: "not json", version: "x" }));
    await pending.commit(rotation(), base);
    expect(announced).toEqual([{ type: "save-failed", location, code: "STORE_UNREADABLE" }]);
  });

  it("is saved a last time on close, and never again", async () => {
    const { base, clock, pending, store, stored } = await start();
    const { count, accept } = rejectSaves(store);
    await pending.commit(rotation(), base);
    accept();
    await pending.close();
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    rejectSaves(store);
    await clock.advance(5 * SECOND);
    expect(count()).toBe(1);
  });

  it("keeps the process alive until the deadline of an exchange has passed since its receipt (P12)", async () => {
    const { base, clock, pending, store, stored, announced } = await start();
    const { accept } = rejectSaves(store);
    await pending.commit(rotation(), base);
    await clock.advance(30 * SECOND - 1);
    expect(clock.keepingAlive).toBe(1);
    expect(announced).toEqual([unsaved]);
    await clock.advance(1);
    expect(clock.keepingAlive).toBe(0);
    expect(announced).toEqual([unsaved, { type: "rotation-lost", location }]);
    await clock.advance(30 * SECOND);
    accept();
    await clock.advance(SECOND);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect(announced.slice(2)).toEqual([{ type: "save-recovered", location }]);
  });

  it("is not replaced by the late response to an earlier presentation of the same token (P2)", async () => {
    const { announced, base, clock, pending, store, stored } = await start();
    const { accept } = rejectSaves(store);
    await pending.commit(rotation({ obtainedAt: NOW + 20 }, 3), base);
    expect(await pending.commit(rotation(), base)).toBe(false);
    expect(announced.at(-1)).toEqual({ type: "rotation-dropped", reason: "superseded" });
    accept();
    expect(await pending.commit(rotation(), base)).toBe(false);
    await clock.advance(SECOND);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 3));
  });

  it("keeps close() waiting until it is saved (I20)", async () => {
    const { base, clock, pending, store, stored } = await start();
    const { accept } = rejectSaves(store);
    await pending.commit(rotation(), base);
    const closed = pending.close();
    await clock.advance(2 * SECOND);
    accept();
    await clock.advance(SECOND);
    await closed;
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect(clock.keepingAlive).toBe(0);
  });

  it.each<[string, (store: ReturnType<typeof memoryStore>) => unknown, string]>([
    ["refuses it", () => {}, "is full, so the refreshed session was not saved"],
    ["stops responding", (store) => Object.assign(store, { load: () => new Promise(() => {}) }), "is full"],
  ])("makes close() reject after the deadline of an exchange if the store %s (P2)", async (_name, change, text) => {
    const { base, clock, pending, store } = await start();
    rejectSaves(store, full);
    await clock.advance(5 * SECOND);
    await pending.commit(rotation(), base);
    await clock.advance(10 * SECOND);
    change(store);
    let outcome: unknown;
    pending.close().catch((error: unknown) => {
      outcome = error;
    });
    await clock.advance(20 * SECOND - 1);
    expect(outcome).toBeUndefined();
    await clock.advance(1);
    expect(outcome).toMatchObject({
      code: "STORE_UNAVAILABLE",
      location,
      message: expect.stringContaining(text),
      hint: "The next program that uses the session may have to sign in again. Free some space.",
    });
    expect(clock.keepingAlive).toBe(0);
  });

  it("is saved after close() has given up, if the process lives on for the next ten minutes", async () => {
    const { base, clock, pending, store, stored } = await start();
    const { accept, count } = rejectSaves(store, full);
    await pending.commit(rotation(), base);
    const closed = expect(pending.close()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await clock.advance(30 * SECOND);
    await closed;
    await clock.advance(590 * SECOND);
    expect(clock.keepingAlive).toBe(0);
    accept();
    await clock.advance(SECOND);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    const saves = count();
    await clock.advance(10 * SECOND);
    expect(count()).toBe(saves);
  });

  it("is given up ten minutes after close() has", async () => {
    const { base, clock, pending, store } = await start();
    const { count } = rejectSaves(store, full);
    await pending.commit(rotation(), base);
    pending.close().catch(() => {});
    await clock.advance(632 * SECOND);
    const saves = count();
    await clock.advance(10 * SECOND);
    expect(count()).toBe(saves);
  });

  it("is saved once more by close() after that deadline", async () => {
    const { base, clock, pending, store, stored } = await start();
    const { accept } = rejectSaves(store);
    await pending.commit(rotation(), base);
    await clock.advance(60 * SECOND + 1);
    accept();
    await pending.close();
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it.each([
    ["signed out", { tokens: undefined, dead: { reason: "signed_out" as const } }, "signed_out"],
    ["signed another account in", { account: "bob" }, "account_changed"],
  ])("is dropped and revoked if this process has %s (I18)", async (_name, known, reason) => {
    const revoked: (string | undefined)[] = [];
    const { base, host, observed, pending, store, announced } = await start(recordWith(1), async (set) => {
      revoked.push(set.accessToken);
    });
    rejectSaves(store);
    host.session = { record: recordWith("n", known) };
    expect(await pending.commit(rotation({ account: "ada" }), base)).toBe(false);
    expect(observed).toEqual([]);
    expect(announced).toEqual([{ type: "rotation-dropped", reason }]);
    expect(revoked).toEqual([canary("access", 2)]);
  });

  it("is not used while this process knows another session, but saved when the store accepts it", async () => {
    const { base, clock, host, observed, pending, store, stored } = await start();
    const { accept } = rejectSaves(store);
    host.session = { record: recordWith("n") };
    expect(await pending.commit(rotation(), base)).toBe(false);
    expect(observed).toEqual([]);
    accept();
    await clock.advance(SECOND);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it("is discarded with the session", async () => {
    const { base, clock, pending, store, stored } = await start();
    const { accept } = rejectSaves(store);
    await pending.commit(rotation(), base);
    pending.onReplaced(undefined);
    expect(clock.keepingAlive).toBe(0);
    accept();
    await clock.advance(5 * SECOND);
    expect((await pending.load())?.record).toEqual(await stored());
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 1));
  });
});

it("loads nothing on close if nothing is left to save", async () => {
  const { base, pending, store } = await start();
  await pending.commit(rotation(), base);
  const { load } = store;
  let loads = 0;
  store.load = () => {
    loads++;
    return load();
  };
  await pending.close();
  expect(loads).toBe(0);
});
