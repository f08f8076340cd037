import { describe, expect, it } from "vitest";
import { canary } from "../../../verification/end-to-end/support/canary.ts";
import { createTokenManager, fromKeyValue, memoryStore, reconcile } from "../src/index.ts";
import {
  digestOf,
  endRecord,
  isOutdated,
  parseRecord,
  type SessionRecord,
  serialiseRecord,
  spend,
} from "../src/record.ts";
import { unprintable } from "../src/token-set.ts";
import type { DeadReason } from "../src/types.ts";

const record = (generation: number, more: Partial<SessionRecord> = {}): SessionRecord => ({
  schema: 1,
  obtainedAt: generation * 1_000,
  tokens: unprintable({
    accessToken: canary("access", generation),
    refreshToken: canary("refresh", generation),
    tokenType: "Bearer",
    extra: { note: "ünï☃\u0000" },
  }),
  spent: [],
  ...more,
});
const spentOf = (...generations: number[]) => generations.map((generation) => digestOf(canary("refresh", generation)));

describe("the stored string", () => {
  it("holds the whole record, and plain JSON of it", () => {
    const before = record(1, { account: "https://issuer.example ada", spent: spentOf(0) });
    expect(parseRecord(serialiseRecord(before), "here")).toEqual(before);
    expect(JSON.parse(serialiseRecord(before))).toMatchObject({
      schema: 1,
      tokens: { accessToken: canary("access", 1) },
    });
  });

  it("holds a refresh token that was used as a digest only", () => {
    expect(digestOf("")).toBe("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"); // SHA-256 of nothing, base64url
    expect(serialiseRecord(endRecord(record(1), { reason: "signed_out" }))).not.toContain("canary");
  });

  it.each([
    ["nothing", "", "does not hold JSON"],
    ["half of it", serialiseRecord(record(1)).slice(0, -5), "does not hold JSON"],
    ["another type", "[]", "holds JSON that is not a session"],
    ["another schema", '{"schema":2,"obtainedAt":0,"spent":[]}', 'see "schema"'],
    [
      "tokens of another shape",
      '{"schema":1,"obtainedAt":0,"spent":[],"tokens":{"accessToken":5}}',
      'see "tokens.accessToken"',
    ],
    ["an unknown verdict", '{"schema":1,"obtainedAt":0,"spent":[],"dead":{"reason":"tired"}}', 'see "dead.reason"'],
  ])("is refused by name where it is %s", (_name, value, problem) => {
    const parse = () => parseRecord(value, "/home/ada/session.json");
    expect(parse).toThrow(expect.objectContaining({ code: "STORE_UNREADABLE", place: "/home/ada/session.json" }));
    expect(parse).toThrow(problem);
  });

  it("is refused with what is wrong, and what to do", () => {
    const advice = "It was left as it is. Put the right contents back, or move it away and sign in again.";
    expect(() => parseRecord("[]", "here")).toThrow(`here holds JSON that is not a session. ${advice}`);
    expect(() => parseRecord("{", "here")).toThrow(`here does not hold JSON. ${advice}`);
  });

  it.each<DeadReason>([
    "no_session",
    "session_expired",
    "refresh_token_reused",
    "answer_lost",
    "revoked",
    "signed_out",
    "account_changed",
  ])("can hold the verdict %s", (reason) => {
    const ended = endRecord(record(1), { reason });
    expect(parseRecord(serialiseRecord(ended), "here").dead).toEqual({ reason });
  });

  it("keeps the newest 32 digests, and never the current one", () => {
    const spent = Array.from({ length: 40 }, (_, index) => index).reduce<readonly string[]>(
      (known, generation) => spend(known, digestOf(canary("refresh", generation)), undefined),
      [],
    );
    expect(spent).toEqual(spentOf(...Array.from({ length: 32 }, (_, index) => index + 8)));
    expect(spend(spentOf(1, 2), spentOf(2)[0], spentOf(1)[0])).toEqual(spentOf(2));
  });

  it("takes what another program wrote by hand", async () => {
    const store = memoryStore();
    const tokens = { accessToken: canary("access", 1), expiresAt: Date.now() + 60_000 };
    await store.save(JSON.stringify({ schema: 1, tokens, obtainedAt: Date.now(), spent: [] }), undefined);
    expect(await createTokenManager({ store }).getAccessToken()).toBe(canary("access", 1));
  });
});

describe("a record is older than what is known", () => {
  const known = record(3, { spent: spentOf(1, 2) });
  const second = (more: Partial<SessionRecord>) => record(2, more);

  it.each<[string, SessionRecord | undefined, SessionRecord | undefined]>([
    ["where its refresh token was used up since", second({}), known],
    ["also within one millisecond", second({ obtainedAt: 3_000 }), known],
    ["also where the session is over", second({}), endRecord(known, { reason: "signed_out" })],
  ])("%s", (_name, found, ours) => {
    expect(isOutdated(found, ours)).toBe(true);
  });

  it.each<[string, SessionRecord | undefined, SessionRecord | undefined]>([
    ["not where it came later, as after a new sign-in", second({ obtainedAt: 3_001 }), known],
    ["not where its refresh token is not spent", record(0), known],
    ["not where its refresh token is ours", record(3, { obtainedAt: 1 }), { ...known, spent: spentOf(3) }],
    ["not without a refresh token", endRecord(record(2), { reason: "revoked" }), known],
    ["not where there is none", undefined, known],
    ["not where nothing is known", second({}), undefined],
  ])("%s", (_name, found, ours) => {
    expect(isOutdated(found, ours)).toBe(false);
  });
});

describe("reconcile", () => {
  const truth = serialiseRecord(record(3, { spent: spentOf(1, 2) }));
  const ended = (obtainedAt: number) => ({ ...endRecord(record(3), { reason: "signed_out" as const }), obtainedAt });

  it.each([
    ["the same", record(3, { spent: spentOf(1, 2) })],
    ["a spent refresh token (I9)", record(2)],
    ["a spent refresh token with a later date", record(1, { obtainedAt: 9_000 })],
    ["the same tokens, obtained earlier", record(3, { obtainedAt: 1 })],
    ["the same tokens, obtained later", record(3, { obtainedAt: 9_000 })],
    [
      "another access token of the same refresh token and time",
      record(3, { tokens: { ...record(3).tokens, accessToken: "other" } as never }),
    ],
    [
      "the same refresh token and an older access token",
      record(3, { obtainedAt: 1, tokens: { ...record(3).tokens, accessToken: "old" } as never }),
    ],
    ["an earlier tombstone", endRecord(record(1), { reason: "signed_out" })],
  ])("keeps the truth over %s", (_name, found) => {
    expect(reconcile(truth, serialiseRecord(found))).toBe(truth);
  });

  it("takes a newer session, and remembers what was spent", () => {
    const merged = parseRecord(reconcile(truth, serialiseRecord(record(4, { spent: spentOf(0) }))), "here");
    expect(merged.tokens?.refreshToken).toBe(canary("refresh", 4));
    expect(merged.spent).toEqual(spentOf(1, 2, 0, 3));
  });

  it("takes a session that it does not know, whatever its date", () => {
    const merged = reconcile(truth, serialiseRecord(record(4, { obtainedAt: 1 })));
    expect(parseRecord(merged, "here").tokens?.refreshToken).toBe(canary("refresh", 4));
  });

  it("keeps a sign-out over a later one", () => {
    expect(reconcile(serialiseRecord(ended(1)), serialiseRecord(ended(2)))).toBe(serialiseRecord(ended(1)));
  });

  it("takes a newer access token of the same refresh token, and a later sign-out", () => {
    const renewed = record(3, {
      obtainedAt: 9_000,
      tokens: { ...record(3).tokens, accessToken: canary("access", 9) } as never,
    });
    expect(parseRecord(reconcile(truth, serialiseRecord(renewed)), "here").tokens?.accessToken).toBe(
      canary("access", 9),
    );
    expect(parseRecord(reconcile(truth, serialiseRecord(ended(9_000))), "here").dead?.reason).toBe("signed_out");
  });

  it.each(["", "not json", "{}"])("leaves %j for whoever loads it to complain", (found) => {
    expect(reconcile(truth, found)).toBe(found);
  });
});

it("survives key-value stores", async () => {
  const map = new Map<string, string>();
  const write = createTokenManager({ store: fromKeyValue(map) });
  await write.signIn({ accessToken: canary("access", 1) });
  const read = createTokenManager({ store: fromKeyValue(map) });
  expect(await read.getAccessToken()).toBe(canary("access", 1));
});
