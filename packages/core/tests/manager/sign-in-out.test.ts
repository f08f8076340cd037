import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { type NewSession, saveSession, saveTombstone } from "../../src/manager/sign-in-out.ts";
import { digestOf, type SessionRecord, serializeRecord } from "../../src/record/record.ts";
import { RecordStore } from "../../src/record/record-store.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import { systemClock } from "../../src/util/clock.ts";
import { attempt } from "../support/interference.ts";
import { NOW, recordOf, tokens } from "../support/machine.ts";

const digest = (generation: number) => digestOf(canary("refresh", generation));
const session = (generation: number, account?: string): NewSession => ({
  session: `session ${generation}`,
  tokens: tokens({ accessToken: canary("access", generation), refreshToken: canary("refresh", generation) }),
  account,
  obtainedAt: NOW,
});
const stored = (generation: number, more: Partial<SessionRecord> = {}): SessionRecord =>
  recordOf({ ...session(generation), session: "stored", ...more });

async function startStore(first?: SessionRecord) {
  const store = memoryStore();
  const records = new RecordStore(store, { accountOf: () => undefined, clock: systemClock });
  if (first) await store.save(serializeRecord(first), undefined);
  const put = async (record: SessionRecord) =>
    void (await store.save(serializeRecord(record), (await store.load())?.version));
  const record = async () => (await records.load())?.record;
  /** Wraps the next save. */
  const wrapNextSave = (wrapper: (save: () => Promise<string>) => Promise<string>) => {
    const { save } = store;
    store.save = (value, expected) => {
      store.save = save;
      return wrapper(() => save(value, expected));
    };
  };
  return { wrapNextSave, put, record, records, store };
}

/** Signs in, and returns the record that is then stored. */
const signIn = async (records: RecordStore, session: NewSession): Promise<SessionRecord> =>
  (await saveSession(records, session, { onlyIfNew: false, rotates: true })).record;

describe("saveSession", () => {
  it("replaces the stored record, including its verdict, but does not mark its refresh token as spent", async () => {
    const before = stored(1, { dead: { reason: "revoked" }, renewed: true, spent: [digest(0)] });
    const { record, records } = await startStore(before);
    const saved = await signIn(records, session(2, "ada"));
    expect(saved).toEqual({
      schema: 1,
      ...session(2, "ada"),
      rotation: 0,
      spent: [digest(0)],
      seeds: [digest(2)],
      attempt: undefined,
      dead: undefined,
      renewed: undefined,
    });
    expect(await record()).toMatchObject(JSON.parse(JSON.stringify(saved)));
    expect((await record())?.dead).toBeUndefined();
  });

  it("marks the replaced refresh token as spent if an exchange of it is in flight", async () => {
    const { records } = await startStore(stored(1, { attempt: attempt(1), spent: [digest(0)] }));
    expect(await signIn(records, session(2))).toMatchObject({ attempt: undefined, spent: [digest(0), digest(1)] });
  });

  it("keeps a claim on the same refresh token, and does not mark it as spent (P1)", async () => {
    const { records } = await startStore(stored(1, { attempt: attempt(1), spent: [digest(1)] }));
    expect(await signIn(records, session(1))).toMatchObject({ attempt: { id: "theirs" }, spent: [] });
  });

  it("replaces a session that is saved concurrently", async () => {
    const { wrapNextSave, put, records } = await startStore(stored(1));
    wrapNextSave(async (save) => {
      await put(stored(2, { spent: [digest(1)] }));
      return save();
    });
    expect((await signIn(records, session(3))).spent).toEqual([digest(1)]);
  });

  it("saves the session even if the record is removed concurrently", async () => {
    const { wrapNextSave, record, records, store } = await startStore(stored(1));
    wrapNextSave(async (save) => {
      await store.remove();
      return save();
    });
    expect((await signIn(records, session(2))).spent).toEqual([]);
    expect((await record())?.tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it.each<[string, string | undefined, number]>([
    ["the session was refreshed since", "ada", 3],
    ["another account signed in since", "bob", 2],
  ])("finds that a save that threw had succeeded, if %s", async (_name, account, generation) => {
    const { wrapNextSave, put, record, records } = await startStore(stored(1));
    wrapNextSave(async (save) => {
      await save();
      await put(stored(3, { account, spent: [digest(1), digest(2)], seeds: [digest(2)] }));
      throw new Error("timed out");
    });
    const saved = await signIn(records, session(2, "ada"));
    expect(saved.tokens?.refreshToken).toBe(canary("refresh", generation));
    expect((await record())?.tokens?.refreshToken).toBe(canary("refresh", 3));
  });

  it("also replaces a concurrently saved session with one that has no refresh token", async () => {
    const { wrapNextSave, put, records } = await startStore(stored(1));
    wrapNextSave(async (save) => {
      await put(stored(2));
      return save();
    });
    const alone = { ...session(3), tokens: tokens({ accessToken: canary("access", 3), refreshToken: undefined }) };
    expect(await signIn(records, alone)).toMatchObject({ tokens: { accessToken: canary("access", 3) } });
  });
});

describe("saveTombstone", () => {
  const out = async (records: RecordStore, account?: string) => saveTombstone(records, { account, now: NOW + 5 });

  it("saves a tombstone, and returns the replaced tokens", async () => {
    const { record, records } = await startStore(stored(1, { attempt: attempt(1) }));
    const { record: saved, tokens: replaced } = await out(records);
    expect(replaced?.refreshToken).toBe(canary("refresh", 1));
    expect(saved).toMatchObject({ dead: { reason: "signed_out", digest: digest(1) }, obtainedAt: NOW + 5 });
    expect(await record()).toMatchObject({ rotation: 1, seeds: [digest(1)] });
    expect(await record()).toMatchObject({ dead: { reason: "signed_out" }, obtainedAt: NOW + 5, spent: [digest(1)] });
    expect((await record())?.tokens).toBeUndefined();
    expect((await record())?.attempt).toBeUndefined();
  });

  it("replaces another verdict, and a session that is saved concurrently", async () => {
    const { wrapNextSave, put, record, records } = await startStore(stored(1, { dead: { reason: "revoked" } }));
    wrapNextSave(async (save) => {
      await put(stored(2));
      return save();
    });
    expect((await out(records)).tokens?.refreshToken).toBe(canary("refresh", 2));
    expect((await record())?.dead).toEqual({ reason: "signed_out", digest: digest(2) });
  });

  it("saves nothing if nothing is stored", async () => {
    const { records, store } = await startStore();
    expect(await out(records)).toEqual({ record: undefined, tokens: undefined });
    expect(await store.load()).toBeUndefined();
  });

  it.each<[string, Partial<SessionRecord>]>([
    ["a sign-out", { tokens: undefined, dead: { reason: "signed_out", digest: digest(1) } }],
    ["another account's session", { account: "bob" }],
  ])("leaves %s unchanged", async (_name, more) => {
    const { records, store } = await startStore(stored(1, more));
    const before = await store.load();
    const { record: found, tokens: replaced } = await out(records, "ada");
    expect(found?.dead).toEqual(more.dead);
    expect(found?.account).toBe(more.account);
    expect(replaced).toBeUndefined();
    expect(await store.load()).toEqual(before);
  });
});
