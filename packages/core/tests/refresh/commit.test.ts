import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { digestOf, type SessionRecord, serialiseRecord } from "../../src/record/record.ts";
import { RecordStore } from "../../src/record/record-store.ts";
import { Committer, type Rotation } from "../../src/refresh/commit.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import type { RefreshFunction, SessionEvent } from "../../src/types.ts";
import { attempt, disk } from "../support/interference.ts";
import { NOW, recordOf, SECOND, tokens } from "../support/machine.ts";

const digest = (generation: number | string) => digestOf(canary("refresh", generation));
const recordWith = (generation: number | string, more: Partial<SessionRecord> = {}) =>
  recordOf({
    tokens: tokens({ accessToken: canary("access", generation), refreshToken: canary("refresh", generation) }),
    ...more,
  });
/** The result of presenting the first refresh token. */
const rotation = (more: Partial<SessionRecord> = {}, generation: number | string = 2): Rotation => ({
  base: recordWith(1),
  record: recordWith(generation, { obtainedAt: NOW + 10, renewed: true, ...more }),
});

/** Starts a committer over a store that holds `first`. */
async function start(first: SessionRecord | undefined = recordWith(1), revoke?: RefreshFunction["revoke"]) {
  const clock = new VirtualClock();
  const store = memoryStore();
  const records = new RecordStore(store, () => undefined);
  if (first) await store.save(serialiseRecord(first), undefined);
  const base = await records.load();
  const put = async (record: SessionRecord) =>
    void (await store.save(serialiseRecord(record), (await store.load())?.version));
  const observed: [string | undefined, string][] = [];
  const announced: SessionEvent[] = [];
  const refresh = Object.assign(async () => ({ access_token: "" }), { revoke });
  const committer = new Committer(
    { records, refresh, clock },
    {
      observe: (record, source) => observed.push([record?.tokens?.refreshToken, source]),
      announce: (event) => announced.push(event),
    },
  );
  const stored = async () => (await records.load())?.record;
  return { base, clock, committer, put, records, observed, store, stored, announced };
}

/** Lets `store` reject every save, and counts the attempts until `accept` is called. */
function rejectSaves(store: ReturnType<typeof memoryStore>) {
  const { save } = store;
  let saves = 0;
  store.save = () => {
    saves++;
    return Promise.reject(disk);
  };
  return { count: () => saves, accept: () => Object.assign(store, { save }) };
}

describe("a rotation", () => {
  it("replaces the presented token, and marks it as spent", async () => {
    const { base, committer, observed, stored, announced } = await start();
    expect(await committer.commit(rotation(), base)).toBe(true);
    expect(await stored()).toMatchObject({ tokens: { refreshToken: canary("refresh", 2) }, spent: [digest(1)] });
    expect(observed).toEqual([[canary("refresh", 2), "exchange"]]);
    expect(announced).toEqual([]);
  });

  it("keeps what was saved concurrently, and merges the spent digests", async () => {
    const { base, committer, put, stored } = await start();
    await put(recordWith(1, { attempt: attempt(1), spent: [digest("a"), digest("b")] }));
    expect(await committer.commit(rotation({ spent: [digest("b"), digest("c")] }), base)).toBe(true);
    expect((await stored())?.spent).toEqual(["b", "c", "a", 1].map(digest));
  });

  it("is left as it is if an earlier attempt stored it", async () => {
    const { base, committer, put, observed, store, announced } = await start();
    await put(recordWith(2, { attempt: attempt(2), spent: [digest(1)] }));
    const before = await store.load();
    expect(await committer.commit(rotation(), base)).toBe(true);
    expect(await store.load()).toEqual(before);
    expect(observed).toEqual([[canary("refresh", 2), "exchange"]]);
    expect(announced).toEqual([]);
  });

  it("marks nothing as spent if the refresh token is reusable", async () => {
    const { base, committer, stored } = await start();
    const reused = rotation({ tokens: tokens({ accessToken: canary("access", 2) }) });
    expect(await committer.commit(reused, base)).toBe(true);
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
    ["the same access token, because the clock was put back", { obtainedAt: NOW + 11 }, rotation(reusable)],
    ["a session of an unknown account", {}, rotation({ account: "ada" })],
    ["a later date alone", { obtainedAt: NOW + 99 }],
  ])("replaces %s", async (_name, there, rotated = rotation()) => {
    const { base, committer, stored, announced } = await start(recordWith(1, there));
    expect(await committer.commit(rotated, base)).toBe(true);
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
    const { base, committer, observed, store, announced } = await start(recordWith(1, there), async (set) => {
      revoked.push(set.accessToken);
    });
    const before = await store.load();
    expect(await committer.commit(rotated, base)).toBe(false);
    expect(await store.load()).toEqual(before);
    expect(announced).toEqual([{ type: "rotation-dropped", reason }]);
    expect(observed).toEqual([[base?.record.tokens?.refreshToken, "store"]]);
    expect(revoked).toEqual(reason === "superseded" ? [] : [canary("access", 2)]);
  });

  it("is dropped if the record was removed", async () => {
    const { base, committer, observed, store, announced } = await start();
    await store.remove();
    expect(await committer.commit(rotation(), base)).toBe(false);
    expect(await store.load()).toBeUndefined();
    expect(announced).toEqual([{ type: "rotation-dropped", reason: "signed_out" }]);
    expect(observed).toEqual([[undefined, "store"]]);
  });

  it("is dropped even if its revocation fails", async () => {
    const { committer, announced } = await start(undefined, () => Promise.reject(new Error("no")));
    expect(await committer.commit(rotation(), undefined)).toBe(false);
    expect(announced).toHaveLength(1);
  });
});

describe("a rotation that the store refuses", () => {
  const location = memoryStore().describe();
  const unsaved = { type: "save-failed", location, code: "STORE_UNAVAILABLE" };

  it("is used from memory, and saved every second until the store accepts it", async () => {
    const { base, clock, committer, observed, store, stored, announced } = await start();
    const { count, accept } = rejectSaves(store);
    expect(await committer.commit(rotation(), base)).toBe(true);
    expect(observed).toEqual([[canary("refresh", 2), "exchange"]]);
    await clock.advance(SECOND - 1);
    expect(count()).toBe(1);
    await clock.advance(3 * SECOND);
    expect(count()).toBe(4);
    expect(announced).toEqual([unsaved]);
    expect(clock.keepingAlive).toBe(0);
    accept();
    await clock.advance(SECOND);
    expect(await stored()).toMatchObject({ tokens: { refreshToken: canary("refresh", 2) }, spent: [digest(1)] });
    expect(announced).toEqual([unsaved, { type: "save-recovered", location }]);
    const after = await store.load();
    await clock.advance(10 * SECOND);
    expect(await store.load()).toEqual(after);
  });

  it("is part of every loaded record", async () => {
    const { base, committer, store, stored } = await start(recordWith(1, { spent: [digest(0)] }));
    const { accept } = rejectSaves(store);
    await committer.commit(rotation(), base);
    const loaded = await committer.load();
    expect(loaded?.version).toBe(base?.version);
    expect(loaded?.record.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect(loaded?.record.spent).toEqual([digest(0), digest(1)]);
    accept();
    expect((await committer.load())?.record).toEqual(await stored());
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it("is saved after the store could not be read for a while", async () => {
    const { base, clock, committer, store, stored } = await start();
    const { accept } = rejectSaves(store);
    await committer.commit(rotation(), base);
    accept();
    const { load } = store;
    store.load = () => Promise.reject(disk);
    await clock.advance(5 * SECOND);
    store.load = load;
    await clock.advance(SECOND);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it("is dropped if another process signs out in the meantime, and announced once", async () => {
    const { base, clock, committer, put, store, announced } = await start();
    const { accept } = rejectSaves(store);
    await committer.commit(rotation(), base);
    accept();
    await put(recordOf({ tokens: undefined, dead: { reason: "signed_out" } }));
    expect((await committer.load())?.record.dead?.reason).toBe("signed_out");
    expect(announced).toEqual([unsaved, { type: "rotation-dropped", reason: "signed_out" }]);
    await clock.advance(5 * SECOND);
    expect(announced).toHaveLength(2);
  });

  it("is dropped if the record is removed in the meantime", async () => {
    const { base, committer, store } = await start();
    const { accept } = rejectSaves(store);
    await committer.commit(rotation(), base);
    accept();
    await store.remove();
    expect(await committer.load()).toBeUndefined();
  });

  it("is announced with the code of the store error", async () => {
    const { base, committer, store, announced } = await start();
    const { load } = store;
    rejectSaves(store);
    store.load = () => load().then(() => ({ value: "not json", version: "x" }));
    await committer.commit(rotation(), base);
    expect(announced).toEqual([{ type: "save-failed", location, code: "STORE_UNREADABLE" }]);
  });

  it("is saved a last time on close, and never again", async () => {
    const { base, clock, committer, store, stored } = await start();
    const { count, accept } = rejectSaves(store);
    await committer.commit(rotation(), base);
    accept();
    await committer.close();
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    rejectSaves(store);
    await clock.advance(5 * SECOND);
    expect(count()).toBe(1);
  });

  it("is given up on close if the store still refuses it", async () => {
    const { base, clock, committer, store } = await start();
    const { count } = rejectSaves(store);
    await committer.commit(rotation(), base);
    await committer.close();
    expect(count()).toBe(2);
    store.load = () => Promise.reject(disk);
    await committer.commit(rotation(), base);
    await committer.close();
    await clock.advance(5 * SECOND);
    expect(count()).toBe(3);
  });

  it("is discarded with the session", async () => {
    const { base, clock, committer, store, stored } = await start();
    const { accept } = rejectSaves(store);
    await committer.commit(rotation(), base);
    committer.discardPending();
    accept();
    await clock.advance(5 * SECOND);
    expect((await committer.load())?.record).toEqual(await stored());
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 1));
  });
});

it("loads nothing on close if nothing is left to save", async () => {
  const { base, committer, store } = await start();
  await committer.commit(rotation(), base);
  const { load } = store;
  let loads = 0;
  store.load = () => {
    loads++;
    return load();
  };
  await committer.close();
  expect(loads).toBe(0);
});
