import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { createTokenManager, fromKeyValue, memoryStore } from "../../src/index.ts";
import {
  addSeed,
  addSpent,
  digestOf,
  endRecord,
  isOutdated,
  isSameAccount,
  parseRecord,
  type SessionRecord,
  serializeRecord,
} from "../../src/record/record.ts";
import { RecordStore } from "../../src/record/record-store.ts";
import type { DeadReason } from "../../src/types.ts";
import { systemClock } from "../../src/util/clock.ts";
import { attempt } from "../support/interference.ts";
import { record, spentOf } from "../support/record.ts";

describe("the stored string", () => {
  it("is plain JSON that contains the whole record", () => {
    const account = "https://issuer.example ada";
    const before = record(1, { session: "s", rotation: 7, account, spent: spentOf(0), seeds: spentOf(1) });
    expect(parseRecord(serializeRecord(before), "here")).toEqual(before);
    expect(JSON.parse(serializeRecord(before))).toMatchObject({
      schema: 1,
      tokens: { accessToken: canary("access", 1) },
    });
  });

  it.each([
    [1e18, 8.64e15, 3_600_000],
    [-1e18, 0, 0],
  ])("has its numbers limited when it is read: %o", (number, time, duration) => {
    const attempt = { id: "a", digest: "d", status: "claimed", afterLoss: false } as const;
    const numbers = { claimedAt: number, endedAt: number, lease: number, retryIn: number, failures: number };
    const tokens = { ...record(1).tokens, expiresAt: number, refreshTokenExpiresAt: number };
    const stored = JSON.stringify({ ...record(1), tokens, obtainedAt: number, attempt: { ...attempt, ...numbers } });
    expect(parseRecord(stored, "here")).toMatchObject({
      obtainedAt: time,
      tokens: { expiresAt: time, refreshTokenExpiresAt: time },
      attempt: { claimedAt: time, endedAt: time, lease: duration, retryIn: duration, failures: number > 0 ? 1_000 : 0 },
    });
  });

  it("contains only the digest of a used refresh token", () => {
    expect(digestOf("")).toBe("47DEQpj8HBSa-_TI"); // SHA-256 of nothing, base64url
    expect(serializeRecord(endRecord(record(1), { reason: "signed_out" }))).not.toContain("canary");
  });

  it.each([
    ["nothing", "", "does not contain valid JSON"],
    ["half of a record", serializeRecord(record(1)).slice(0, -5), "does not contain valid JSON"],
    ["a value of another type", "[]", "contains JSON that is not a session"],
    ["another schema", '{"schema":"2","obtainedAt":0,"spent":[]}', 'see "schema"'],
    ["a later schema", '{"schema":2,"sessions":[]}', "was written by a newer version. It was left unchanged. Update"],
    ["a requirement", serializeRecord(record(1)).replace("{", '{"requires":["tags"],'), "written by a newer version"],
    [
      "an unknown form of one",
      serializeRecord(record(1)).replace("{", '{"requires":[{}],'),
      "written by a newer version",
    ],
    [
      "tokens of another shape",
      '{"schema":1,"obtainedAt":0,"spent":[],"tokens":{"accessToken":5}}',
      'see "tokens.accessToken"',
    ],
    ["a verdict of another shape", '{"schema":1,"obtainedAt":0,"spent":[],"dead":5}', 'see "dead"'],
  ])("is rejected with its location if it contains %s", (_name, value, problem) => {
    const parse = () => parseRecord(value, "/home/ada/session.json");
    expect(parse).toThrow(expect.objectContaining({ code: "STORE_UNREADABLE", location: "/home/ada/session.json" }));
    expect(parse).toThrow(problem);
  });

  it("is rejected with the problem and the remedy", () => {
    const advice =
      'It was left unchanged. Restore its contents, or have the user sign in and call signIn(tokens, { over: "unreadable" }).';
    expect(() => parseRecord("[]", "here")).toThrow(`here contains JSON that is not a session. ${advice}`);
    expect(() => parseRecord("{", "here")).toThrow(`here does not contain valid JSON. ${advice}`);
  });

  it.each<DeadReason>([
    "no_session",
    "session_expired",
    "refresh_token_reused",
    "response_lost",
    "revoked",
    "signed_out",
    "account_changed",
  ])("can hold the verdict %s", (reason) => {
    const ended = endRecord(record(1), { reason });
    expect(parseRecord(serializeRecord(ended), "here").dead).toEqual({ reason });
  });

  it("keeps the reason of a later release", () => {
    const stored = serializeRecord(record(1, { dead: { reason: "of a later release" } }));
    expect(serializeRecord(parseRecord(stored, "here"))).toContain('"of a later release"');
  });

  it.each([
    [1e300, 1e12],
    [-1, 0],
  ])("limits a rotation number of %d", (given, limit) => {
    expect(parseRecord(serializeRecord(record(1, { rotation: given })), "here").rotation).toBe(limit);
  });

  it("keeps the members that a later release added, at every level", () => {
    const given = { ...record(1, { attempt: attempt(1) }), later: 1 };
    const stored = {
      ...given,
      attempt: { ...given.attempt, later: 2 },
      tokens: { ...given.tokens, later: 3 },
      dead: { reason: "revoked", later: 4 },
    };
    const rewritten: unknown = JSON.parse(serializeRecord(parseRecord(JSON.stringify(stored), "here")));
    expect(rewritten).toMatchObject({
      later: 1,
      attempt: { later: 2 },
      tokens: { later: 3 },
      dead: { later: 4 },
    });
  });

  it("shortens the digests of an earlier release, which were longer", () => {
    const long = `${digestOf(canary("refresh", 0))}mW5JCeuQeRkm5NMpJWZG3hSuFU`;
    const stored = record(1, {
      spent: [long],
      attempt: attempt(1, { digest: long }),
      dead: { reason: "revoked", digest: long },
    });
    const digest = digestOf(canary("refresh", 0));
    expect(parseRecord(serializeRecord(stored), "here")).toMatchObject({
      spent: [digest],
      attempt: { digest },
      dead: { digest },
    });
  });

  it("has an ID of its own for every session of an earlier release", () => {
    const idOf = (stored: SessionRecord) => parseRecord(serializeRecord(stored), "here").session;
    expect(idOf(record(1))).toBe(`~${digestOf(canary("refresh", 1))}`);
    expect(idOf(record(1))).toBe(idOf(record(1, { obtainedAt: 5 })));
    expect(idOf(record(2))).not.toBe(idOf(record(1)));
    const { tokens = { accessToken: "", tokenType: "", extra: {} } } = record(1);
    expect(idOf(record(1, { tokens: { ...tokens, refreshToken: undefined } }))).toBe(
      `~${digestOf(canary("access", 1))}`,
    );
    expect(idOf(record(1, { session: "mine" }))).toBe("mine");
    expect(idOf(endRecord(record(1), { reason: "revoked" }))).toBeUndefined();
  });

  it("reads the former reason answer_lost as response_lost", () => {
    const stored = serializeRecord(record(1, { dead: { reason: "response_lost" } }));
    const former = stored.replace("response_lost", "answer_lost");
    expect(parseRecord(former, "here").dead?.reason).toBe("response_lost");
    const other = serializeRecord(record(1, { account: "answer_lost" }));
    expect(parseRecord(other, "here").account).toBe("answer_lost");
  });

  it("knows the first seed of the current session, and the 31 newest others", () => {
    const seed = (generation: number | string) => digestOf(canary("refresh", generation));
    const earlier = addSeed(addSeed(undefined, seed("a"), true), seed("b"), true);
    expect(earlier).toEqual([seed("b"), seed("a")]);
    expect(addSeed(earlier, undefined)).toBe(earlier);
    expect(addSeed(earlier, seed("b"))).toEqual(earlier);
    expect(addSeed(addSeed(earlier, seed("c")), seed("a"))).toEqual([seed("b"), seed("c"), seed("a")]);
    expect(addSeed(addSeed(earlier, seed("c")), seed("a"), true)).toEqual([seed("a"), seed("c"), seed("b")]);
    const many = Array.from({ length: 40 }, (_, index) => index).reduce(
      (all, each) => addSeed(all, seed(each)),
      earlier,
    );
    expect(many).toEqual([seed("b"), ...Array.from({ length: 31 }, (_, index) => seed(index + 9))]);
  });

  it("contains the newest 1,000 digests, but never the current one", () => {
    const spent = Array.from({ length: 1_008 }, (_, index) => index).reduce<readonly string[]>(
      (known, generation) => addSpent(known, digestOf(canary("refresh", generation)), undefined),
      [],
    );
    expect(spent).toEqual(spentOf(...Array.from({ length: 1_000 }, (_, index) => index + 8)));
    expect(addSpent(spentOf(1, 2), spentOf(2)[0], spentOf(1)[0])).toEqual(spentOf(2));
  });

  it.each([
    [32, undefined],
    [32, false],
    [500, true],
  ])("is stored with the newest %i digests (documents of other programs: %s)", async (kept, foreignDocuments) => {
    const store = memoryStore();
    const records = new RecordStore(
      { ...store, supports: { ...store.supports, foreignDocuments } },
      { accountOf: () => undefined, clock: systemClock },
    );
    const spent = spentOf(...Array.from({ length: 500 }, (_, index) => index));
    const saved = await records.save({ schema: 1, obtainedAt: 0, spent }, undefined);
    expect(saved?.record.spent).toEqual(spent.slice(-kept));
    expect((await records.load())?.record.spent).toEqual(spent.slice(-kept));
  });

  it("keeps them in a record that documents belong to, also through a store that does not know of these", async () => {
    const records = new RecordStore(memoryStore(), { accountOf: () => undefined, clock: systemClock });
    const spent = spentOf(...Array.from({ length: 500 }, (_, index) => index));
    const saved = await records.save({ schema: 1, obtainedAt: 0, spent, primary: "a" }, undefined);
    expect(saved?.record.spent).toEqual(spent);
  });

  it("may be written by another program", async () => {
    const store = memoryStore();
    const tokens = { accessToken: canary("access", 1), expiresAt: Date.now() + 60_000 };
    await store.save(JSON.stringify({ schema: 1, tokens, obtainedAt: Date.now(), spent: [] }), undefined);
    expect(await createTokenManager({ store }).getAccessToken()).toBe(canary("access", 1));
  });
});

describe("a stored record", () => {
  const known = record(3, { spent: spentOf(1, 2) });
  const second = (more: Partial<SessionRecord>) => record(2, more);

  it.each<[string, SessionRecord | undefined, SessionRecord | undefined]>([
    ["if its refresh token is spent", second({}), known],
    [
      "if its rotation number is lower, whatever the clock says",
      record(0, { session: "s", rotation: 1, obtainedAt: 9_000 }),
      { ...known, session: "s", rotation: 2 },
    ],
    [
      "if it has a verdict, and its number is lower",
      endRecord(record(0, { session: "s" }), { reason: "revoked" }),
      { ...known, session: "s", rotation: 2 },
    ],
    ["even within the same millisecond", second({ obtainedAt: 3_000 }), known],
    ["even if the session has ended", second({}), endRecord(known, { reason: "signed_out" })],
  ])("is outdated %s", (_name, found, ours) => {
    expect(isOutdated(found, ours)).toBe(true);
  });

  it.each<[string, SessionRecord | undefined, SessionRecord | undefined]>([
    ["if it came later, as after a new sign-in", second({ obtainedAt: 3_001, session: "~new" }), known],
    ["if its refresh token is not spent", record(0), known],
    [
      "if its rotation number is not lower",
      record(2, { session: "s", rotation: 3 }),
      { ...known, session: "s", rotation: 2 },
    ],
    ["if it is of another session", second({ session: "t" }), { ...known, session: "s", rotation: 2 }],
    [
      "if it knows that our refresh token is spent",
      record(1, { session: "s", rotation: 1, spent: spentOf(2, 3) }),
      { ...known, session: "s", rotation: 3 },
    ],
    [
      "if it ended an old copy that knew that our refresh token is spent",
      endRecord(record(1, { session: "s", spent: spentOf(3) }), { reason: "refresh_token_reused" }),
      { ...known, session: "s", rotation: 3 },
    ],
    ["if its ID is derived", record(0, { session: "~s" }), { ...known, session: "~s", rotation: 2 }],
    ["if its refresh token is the known one", record(3, { obtainedAt: 1 }), { ...known, spent: spentOf(3) }],
    ["without a refresh token", endRecord(record(2), { reason: "revoked" }), known],
    ["if nothing is stored", undefined, known],
    ["if nothing is known", second({}), undefined],
  ])("is not outdated %s", (_name, found, ours) => {
    expect(isOutdated(found, ours)).toBe(false);
  });
});

describe("the account of a record", () => {
  it.each<[string | undefined, string | undefined, boolean]>([
    ["ada", "ada", true],
    ["ada", "bob", false],
    [undefined, "bob", true],
    ["ada", undefined, true],
  ])("is compared with the known one: %o and %o are the same, %o (P14)", (account, other, expected) => {
    expect(isSameAccount(account, record(1, { account: other }))).toBe(expected);
  });
});

it("survives a round trip through a key-value store", async () => {
  const map = new Map<string, string>();
  const write = createTokenManager({ store: fromKeyValue(map) });
  await write.signIn({ accessToken: canary("access", 1) });
  const read = createTokenManager({ store: fromKeyValue(map) });
  expect(await read.getAccessToken()).toBe(canary("access", 1));
});
