import { describe, expect, it } from "vitest";
import { canary } from "../../../../verification/end-to-end/support/canary.ts";
import { VirtualClock } from "../../../testing/src/virtual-clock.ts";
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
/** What presenting the first refresh token brought. */
const rotation = (more: Partial<SessionRecord> = {}, generation: number | string = 2): Rotation => ({
  presented: digest(1),
  record: recordWith(generation, { obtainedAt: NOW + 10, renewed: true, ...more }),
});

/** A committer over a store that holds `first`. */
async function start(first: SessionRecord | undefined = recordWith(1), revoke?: RefreshFunction["revoke"]) {
  const clock = new VirtualClock();
  const store = memoryStore();
  const records = new RecordStore(store, () => undefined);
  if (first) await store.save(serialiseRecord(first), undefined);
  const base = await records.load();
  const put = async (record: SessionRecord) =>
    void (await store.save(serialiseRecord(record), (await store.load())?.version));
  const seen: [string | undefined, string][] = [];
  const told: SessionEvent[] = [];
  const refresh = Object.assign(async () => ({ access_token: "" }), { revoke });
  const committer = new Committer(
    { records, refresh, clock },
    {
      observe: (record, source) => seen.push([record?.tokens?.refreshToken, source]),
      announce: (event) => told.push(event),
    },
  );
  const stored = async () => (await records.load())?.record;
  return { base, clock, committer, put, records, seen, store, stored, told };
}

/** Lets `store` refuse whatever is saved; returns how to count that, and how to end it. */
function refuse(store: ReturnType<typeof memoryStore>) {
  const { save } = store;
  let saves = 0;
  store.save = () => {
    saves++;
    return Promise.reject(disk);
  };
  return { count: () => saves, accept: () => Object.assign(store, { save }) };
}

describe("a rotation", () => {
  it("is stored over the token that was presented, which is spent", async () => {
    const { base, committer, seen, stored, told } = await start();
    expect(await committer.commit(rotation(), base)).toBe(true);
    expect(await stored()).toMatchObject({ tokens: { refreshToken: canary("refresh", 2) }, spent: [digest(1)] });
    expect(seen).toEqual([[canary("refresh", 2), "exchange"]]);
    expect(told).toEqual([]);
  });

  it("is stored over what was saved meanwhile, with all that is spent, each once", async () => {
    const { base, committer, put, stored } = await start();
    await put(recordWith(1, { attempt: attempt(1), spent: [digest("a"), digest("b")] }));
    expect(await committer.commit(rotation({ spent: [digest("b"), digest("c")] }), base)).toBe(true);
    expect((await stored())?.spent).toEqual(["b", "c", "a", 1].map(digest));
  });

  it("that was stored by an earlier try is left as it is now", async () => {
    const { base, committer, put, seen, store, told } = await start();
    await put(recordWith(2, { attempt: attempt(2), spent: [digest(1)] }));
    const before = await store.load();
    expect(await committer.commit(rotation(), base)).toBe(true);
    expect(await store.load()).toEqual(before);
    expect(seen).toEqual([[canary("refresh", 2), "exchange"]]);
    expect(told).toEqual([]);
  });

  it("of a reusable refresh token is stored, and spends nothing", async () => {
    const { base, committer, stored } = await start();
    const reused = rotation({ tokens: tokens({ accessToken: canary("access", 2) }) });
    expect(await committer.commit(reused, base)).toBe(true);
    expect(await stored()).toMatchObject({ tokens: { accessToken: canary("access", 2) }, spent: [] });
  });
});

describe("a rotation, and what is stored now", () => {
  const reusable = { tokens: tokens({ accessToken: canary("access", 2) }) };
  const ended = (about: number) => ({ tokens: undefined, dead: { reason: "revoked" as const, digest: digest(about) } });

  it.each<[string, Partial<SessionRecord>, Rotation?]>([
    ["a verdict about the presented token", ended(1)],
    ["a spent token that was put back", { ...recordWith(0), spent: [digest(0)] }],
    ["a token that we know to be spent", recordWith(0), rotation({ spent: [digest(0)] })],
    ["an older access token", { obtainedAt: NOW + 9 }, rotation(reusable)],
    ["an access token of the same time", { obtainedAt: NOW + 10 }, rotation(reusable)],
    ["a session of an unknown account", {}, rotation({ account: "ada" })],
    ["a later date, if nothing else", { obtainedAt: NOW + 99 }],
  ])("is stored over %s", async (_name, there, ours = rotation()) => {
    const { base, committer, stored, told } = await start(recordWith(1, there));
    expect(await committer.commit(ours, base)).toBe(true);
    expect((await stored())?.tokens?.accessToken).toBe(canary("access", 2));
    expect(told).toEqual([]);
  });

  it.each<[string, { readonly because: string; readonly there: Partial<SessionRecord>; readonly ours?: Rotation }]>([
    ["a sign-out", { because: "signed_out", there: { tokens: undefined, dead: { reason: "signed_out" } } }],
    [
      "another account's session",
      { because: "account_changed", there: { account: "bob" }, ours: rotation({ account: "ada" }) },
    ],
    ["a newer token", { because: "superseded", there: recordWith("n") }],
    ["a token that is not spent", { because: "superseded", there: recordWith("n", { obtainedAt: NOW - 1 }) }],
    ["a verdict about another token", { because: "superseded", there: ended(0) }],
    [
      "a spent token over a session that replaced ours",
      { because: "superseded", there: recordWith(0, { spent: [digest(0), digest(1)] }) },
    ],
    ["a newer access token", { because: "superseded", there: { obtainedAt: NOW + 11 }, ours: rotation(reusable) }],
  ])("is dropped where that is %s", async (_name, { because, there, ours = rotation() }) => {
    const revoked: (string | undefined)[] = [];
    const { base, committer, seen, store, told } = await start(recordWith(1, there), async (set) => {
      revoked.push(set.accessToken);
    });
    const before = await store.load();
    expect(await committer.commit(ours, base)).toBe(false);
    expect(await store.load()).toEqual(before);
    expect(told).toEqual([{ type: "rotation-dropped", because }]);
    expect(seen).toEqual([[base?.record.tokens?.refreshToken, "store"]]);
    expect(revoked).toEqual(because === "superseded" ? [] : [canary("access", 2)]);
  });

  it("is dropped where everything was removed", async () => {
    const { base, committer, seen, store, told } = await start();
    await store.remove();
    expect(await committer.commit(rotation(), base)).toBe(false);
    expect(await store.load()).toBeUndefined();
    expect(told).toEqual([{ type: "rotation-dropped", because: "signed_out" }]);
    expect(seen).toEqual([[undefined, "store"]]);
  });

  it("is dropped also where its revocation fails", async () => {
    const { committer, told } = await start(undefined, () => Promise.reject(new Error("no")));
    expect(await committer.commit(rotation(), undefined)).toBe(false);
    expect(told).toHaveLength(1);
  });
});

describe("a rotation that the store refuses", () => {
  const place = memoryStore().describe();
  const unsaved = { type: "unsaved", place, code: "STORE_UNAVAILABLE" };

  it("is used from memory, and written every second until it is stored", async () => {
    const { base, clock, committer, seen, store, stored, told } = await start();
    const { count, accept } = refuse(store);
    expect(await committer.commit(rotation(), base)).toBe(true);
    expect(seen).toEqual([[canary("refresh", 2), "exchange"]]);
    await clock.advance(SECOND - 1);
    expect(count()).toBe(1);
    await clock.advance(3 * SECOND);
    expect(count()).toBe(4);
    expect(told).toEqual([unsaved]);
    expect(clock.keepingAlive).toBe(0);
    accept();
    await clock.advance(SECOND);
    expect(await stored()).toMatchObject({ tokens: { refreshToken: canary("refresh", 2) }, spent: [digest(1)] });
    expect(told).toEqual([unsaved, { type: "saved", place }]);
    const after = await store.load();
    await clock.advance(10 * SECOND);
    expect(await store.load()).toEqual(after);
  });

  it("counts as stored, for whoever looks", async () => {
    const { base, committer, store, stored } = await start(recordWith(1, { spent: [digest(0)] }));
    const { accept } = refuse(store);
    await committer.commit(rotation(), base);
    const looked = await committer.load();
    expect(looked?.version).toBe(base?.version);
    expect(looked?.record.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect(looked?.record.spent).toEqual([digest(0), digest(1)]);
    accept();
    expect((await committer.load())?.record).toEqual(await stored());
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it("is written also after the store could not be read for a while", async () => {
    const { base, clock, committer, store, stored } = await start();
    const { accept } = refuse(store);
    await committer.commit(rotation(), base);
    accept();
    const { load } = store;
    store.load = () => Promise.reject(disk);
    await clock.advance(5 * SECOND);
    store.load = load;
    await clock.advance(SECOND);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it("is dropped where somebody signs out meanwhile, and that is all", async () => {
    const { base, clock, committer, put, store, told } = await start();
    const { accept } = refuse(store);
    await committer.commit(rotation(), base);
    accept();
    await put(recordOf({ tokens: undefined, dead: { reason: "signed_out" } }));
    expect((await committer.load())?.record.dead?.reason).toBe("signed_out");
    expect(told).toEqual([unsaved, { type: "rotation-dropped", because: "signed_out" }]);
    await clock.advance(5 * SECOND);
    expect(told).toHaveLength(2);
  });

  it("is dropped where everything is removed meanwhile", async () => {
    const { base, committer, store } = await start();
    const { accept } = refuse(store);
    await committer.commit(rotation(), base);
    accept();
    await store.remove();
    expect(await committer.load()).toBeUndefined();
  });

  it("is told with what the store said", async () => {
    const { base, committer, store, told } = await start();
    const { load } = store;
    refuse(store);
    store.load = () => load().then(() => ({ value: "not json", version: "x" }));
    await committer.commit(rotation(), base);
    expect(told).toEqual([{ type: "unsaved", place, code: "STORE_UNREADABLE" }]);
  });

  it("is written a last time at the end, and never again", async () => {
    const { base, clock, committer, store, stored } = await start();
    const { count, accept } = refuse(store);
    await committer.commit(rotation(), base);
    accept();
    await committer.close();
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    refuse(store);
    await clock.advance(5 * SECOND);
    expect(count()).toBe(1);
  });

  it("is given up at the end where the store still refuses", async () => {
    const { base, clock, committer, store } = await start();
    const { count } = refuse(store);
    await committer.commit(rotation(), base);
    await committer.close();
    expect(count()).toBe(2);
    store.load = () => Promise.reject(disk);
    await committer.commit(rotation(), base);
    await committer.close();
    await clock.advance(5 * SECOND);
    expect(count()).toBe(3);
  });

  it("is forgotten with the session", async () => {
    const { base, clock, committer, store, stored } = await start();
    const { accept } = refuse(store);
    await committer.commit(rotation(), base);
    committer.forget();
    accept();
    await clock.advance(5 * SECOND);
    expect((await committer.load())?.record).toEqual(await stored());
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 1));
  });
});

it("looks at nothing at the end where nothing is left to write", async () => {
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
