import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { endRecord, parseRecord, type SessionRecord, serializeRecord } from "../../src/record/record.ts";
import { reconcileRecords, recordOfFound } from "../../src/session-record.ts";
import { record, spentOf } from "../support/record.ts";

const tokenOf = (text: string) => parseRecord(text, "here").tokens?.refreshToken;

describe("reconcile", () => {
  const truth = serializeRecord(record(3, { spent: spentOf(1, 2) }));
  const ended = (obtainedAt: number) => ({ ...endRecord(record(3), { reason: "signed_out" as const }), obtainedAt });

  it.each([
    ["an equal record", record(3, { spent: spentOf(1, 2) })],
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
  ])("keeps the stored record over %s", (_name, found) => {
    expect(reconcileRecords(truth, serializeRecord(found))).toBe(truth);
  });

  it("adopts a newer session, and remembers the spent tokens", () => {
    const merged = parseRecord(reconcileRecords(truth, serializeRecord(record(4, { spent: spentOf(0) }))), "here");
    expect(merged.tokens?.refreshToken).toBe(canary("refresh", 4));
    expect(merged.spent).toEqual(spentOf(1, 2, 0, 3));
  });

  it("adopts an unknown session, whatever its date", () => {
    const merged = reconcileRecords(truth, serializeRecord(record(4, { obtainedAt: 1 })));
    expect(parseRecord(merged, "here").tokens?.refreshToken).toBe(canary("refresh", 4));
  });

  it("keeps a sign-out over a later one", () => {
    expect(reconcileRecords(serializeRecord(ended(1)), serializeRecord(ended(2)))).toBe(serializeRecord(ended(1)));
  });

  it("adopts a newer access token of the same refresh token, and a later sign-out", () => {
    const renewed = record(3, {
      obtainedAt: 9_000,
      tokens: { ...record(3).tokens, accessToken: canary("access", 9) } as never,
    });
    expect(parseRecord(reconcileRecords(truth, serializeRecord(renewed)), "here").tokens?.accessToken).toBe(
      canary("access", 9),
    );
    expect(parseRecord(reconcileRecords(truth, serializeRecord(ended(9_000))), "here").dead?.reason).toBe("signed_out");
  });

  it.each([
    ["keeps", 3],
    ["forgets", 4],
  ])("%s an attempt whose refresh token the other program's session has (%i)", (verb, generation) => {
    const attempt = {
      id: "1",
      digest: spentOf(3)[0] ?? "",
      status: "claimed" as const,
      claimedAt: 1,
      lease: 1,
      afterLoss: false,
      failures: 0,
    };
    const claimed = serializeRecord(record(3, { attempt }));
    const tokens = { ...record(generation).tokens, accessToken: canary("access", 9) } as never;
    const merged = parseRecord(
      reconcileRecords(claimed, serializeRecord(record(generation, { obtainedAt: 9_000, tokens }))),
      "here",
    );
    expect(merged.tokens?.accessToken).toBe(canary("access", 9));
    expect(merged.attempt).toEqual(verb === "keeps" ? attempt : undefined);
  });

  describe("with session IDs", () => {
    const ours = (generation: number, rotation: number, more: Partial<SessionRecord> = {}) =>
      serializeRecord(record(generation, { session: "s", rotation, ...more }));

    it("keeps the stored record over an old copy whose refresh token is in no list any more, whatever the clock says", () => {
      expect(reconcileRecords(ours(50, 50), ours(3, 3, { obtainedAt: 99_000 }))).toBe(ours(50, 50));
      const out = serializeRecord(endRecord(record(3, { session: "s", rotation: 3 }), { reason: "signed_out" }));
      expect(reconcileRecords(out, ours(3, 3))).toBe(out);
    });

    it("keeps a sign-out over every copy of the session, also a newer one, but no other verdict", () => {
      const ended = (reason: "signed_out" | "revoked") =>
        serializeRecord(endRecord(record(3, { session: "s", rotation: 3 }), { reason }));
      expect(reconcileRecords(ended("signed_out"), ours(9, 4))).toBe(ended("signed_out"));
      expect(reconcileRecords(ended("signed_out"), ours(9, 5))).toBe(ended("signed_out"));
      expect(tokenOf(reconcileRecords(ended("revoked"), ours(9, 4)))).toBe(canary("refresh", 9));
    });

    it("adopts a record with a higher number, and another session", () => {
      expect(tokenOf(reconcileRecords(ours(3, 3), ours(9, 4, { obtainedAt: 1 })))).toBe(canary("refresh", 9));
      expect(tokenOf(reconcileRecords(ours(3, 3), ours(9, 1, { session: "t" })))).toBe(canary("refresh", 9));
    });

    it("keeps the stored record over a spent refresh token with a higher number (P1)", () => {
      const stored = ours(1, 0, { spent: spentOf(2) }); // an old copy that was adopted over another account's session
      expect(reconcileRecords(stored, ours(2, 1))).toBe(stored);
    });

    it("adopts tokens that another program wrote into our record", () => {
      expect(tokenOf(reconcileRecords(ours(3, 3), ours(9, 3)))).toBe(canary("refresh", 9));
    });

    const other = (more: Partial<SessionRecord>) => ours(9, 1, { session: "t", obtainedAt: 1, ...more });
    const withoutRefreshToken = { tokens: { ...record(9).tokens, refreshToken: undefined } as never };

    it.each<[string, string, string | undefined]>([
      ["another session", other({}), "t"],
      ["one without a refresh token", other(withoutRefreshToken), "t"],
      ["one that a verdict has ended", other({ ...withoutRefreshToken, dead: { reason: "revoked" } }), "s"],
      [
        "one that was signed out",
        other({ tokens: undefined, dead: { reason: "signed_out" }, obtainedAt: 99_000 }),
        "s",
      ],
      ["one whose refresh token is spent", ours(2, 1, { session: "t", obtainedAt: 99_000 }), "s"],
      ["the same refresh token", ours(3, 1, { session: "t", obtainedAt: 1 }), "s"],
    ])("switches only to a session that is alive: %s", (_name, found, session) => {
      const stored = ours(3, 3, { spent: spentOf(2) });
      expect(parseRecord(reconcileRecords(stored, found), "here").session).toBe(session);
    });

    it("switches back and forth: neither session's refresh token is spent", () => {
      const [ada, bob] = [ours(3, 3, { spent: spentOf(2) }), ours(9, 1, { session: "t", spent: spentOf(8) })];
      const first = reconcileRecords(bob, ada);
      expect(parseRecord(first, "here")).toMatchObject({ session: "s", spent: spentOf(8, 2) });
      const second = reconcileRecords(first, bob);
      expect(parseRecord(second, "here")).toMatchObject({ session: "t", spent: spentOf(8, 2) });
      expect(parseRecord(reconcileRecords(second, ada), "here").session).toBe("s");
    });

    it("never reverts another account's session", () => {
      const stored = ours(3, 3, { account: "ada", spent: spentOf(9) });
      const found = reconcileRecords(stored, ours(9, 1, { session: "t", account: "bob" }));
      expect(parseRecord(found, "here")).toMatchObject({ account: "bob", spent: spentOf(9) }); // never presented
    });
  });

  it.each<[string, number | undefined, string]>([
    ["keeps the stored record over one that has expired", 5_000, "3"],
    ["adopts one that has expired later", 5_002, "9"],
    ["adopts one that has not expired", 9_000, "9"],
    ["adopts one of unknown expiry", undefined, "9"],
  ])("without session IDs %s", (_name, expiresAt, expected) => {
    const expiring = (generation: number, at: number | undefined) =>
      serializeRecord(record(generation, { tokens: { ...record(generation).tokens, expiresAt: at } as never }));
    const found = reconcileRecords(expiring(3, 5_001), expiring(9, expiresAt), 6_000);
    expect(tokenOf(found)).toBe(canary("refresh", Number(expected)));
  });

  it.each<[string, number | undefined, number]>([
    ["adopts a token that does not state its expiry", undefined, 9],
    ["adopts a token that expires earlier", 7_000, 9],
    ["keeps its own over a token that has expired", 2_000, 7],
  ])("of a document without refresh tokens that another program has changed, %s", (_name, expiresAt, expected) => {
    const withAccess = (number: number, at: number | undefined) => ({
      ...{ accessToken: canary("access", number), tokenType: "Bearer", extra: {}, expiresAt: at },
    });
    const stored = serializeRecord(record(3, { tokens: withAccess(7, 9_000) as never }));
    const found = recordOfFound({ tokens: withAccess(9, expiresAt) }, 3_000);
    expect(parseRecord(reconcileRecords(stored, found, 3_000), "here").tokens?.accessToken).toBe(
      canary("access", expected),
    );
  });

  it.each<[string, { number?: number; expiresAt?: number }, number]>([
    ["keeps its newer access token", { number: 1, expiresAt: 4_000 }, 7],
    ["adopts one that expires later", { number: 9, expiresAt: 9_001 }, 9],
    ["keeps its own, if that of the document has no expiry", { number: 9 }, 7],
    ["keeps its own, if the document has none", { expiresAt: 9_001 }, 7],
  ])("of a document that does not state when a token was obtained, %s", (_name, { number, expiresAt }, expected) => {
    const stored = record(3, {
      tokens: { ...record(3).tokens, accessToken: canary("access", 7), expiresAt: 9_000 } as never,
    });
    const accessToken = number === undefined ? "" : canary("access", number);
    for (const refreshToken of [record(3).tokens?.refreshToken, undefined]) {
      const tokens = { ...record(3).tokens, accessToken, refreshToken, expiresAt };
      const found = serializeRecord(record(3, { obtainedAt: 3_000, tokens: tokens as never }));
      const result = parseRecord(reconcileRecords(serializeRecord(stored), found, 3_000), "here");
      expect(result.tokens?.accessToken).toBe(canary("access", expected));
    }
  });

  it.each([undefined, 2_000])(
    "adopts the access token of a document if it has none itself, whatever the expiry (%s)",
    (expiresAt) => {
      const withAccess = (accessToken: string, at?: number) => ({ ...record(3).tokens, accessToken, expiresAt: at });
      const stored = serializeRecord(record(3, { tokens: withAccess("") as never }));
      const found = recordOfFound({ tokens: withAccess(canary("access", 9), expiresAt) as never }, 3_000);
      expect(parseRecord(reconcileRecords(stored, found, 3_000), "here").tokens?.accessToken).toBe(canary("access", 9));
    },
  );

  it.each(["signed_out", "session_expired"])(
    "without session IDs adopts a later sign-in whose access token has expired, if the session has ended: %s",
    (reason) => {
      const [digest = ""] = spentOf(3);
      const ended = serializeRecord({ ...endRecord(record(3), { reason, digest }), spent: spentOf(3) });
      const expired = (generation: number) =>
        serializeRecord(record(generation, { tokens: { ...record(generation).tokens, expiresAt: 5_000 } as never }));
      expect(tokenOf(reconcileRecords(ended, expired(9), 6_000))).toBe(canary("refresh", 9));
      expect(reconcileRecords(ended, expired(3), 6_000)).toBe(ended);
    },
  );

  it("without session IDs keeps a sign-out over the session that it ended", () => {
    const [digest = ""] = spentOf(3);
    const out = serializeRecord(endRecord(record(3), { reason: "signed_out", digest }));
    expect(reconcileRecords(out, serializeRecord(record(3, { obtainedAt: 99_000 })))).toBe(out);
    expect(tokenOf(reconcileRecords(out, serializeRecord(record(4))))).toBe(canary("refresh", 4));
  });

  it("without session IDs and refresh tokens adopts a later sign-in after a sign-out", () => {
    const accessOnly = (number: number) =>
      record(number, { tokens: { ...record(number).tokens, refreshToken: undefined } as never });
    const out = serializeRecord(endRecord(accessOnly(3), { reason: "signed_out" }));
    const found = reconcileRecords(out, serializeRecord(accessOnly(4)));
    expect(parseRecord(found, "here").tokens?.accessToken).toBe(canary("access", 4));
  });

  it("without session IDs adopts a later sign-in whose access token has expired by now", () => {
    const out = serializeRecord(endRecord(record(3), { reason: "signed_out", digest: spentOf(3)[0] ?? "" }));
    const found = serializeRecord(record(9, { tokens: { ...record(9).tokens, expiresAt: 5_000 } as never }));
    expect(tokenOf(reconcileRecords(out, found, 6_000))).toBe(canary("refresh", 9));
  });

  it("returns the stored string unchanged if it is not a session, so that loading it fails", () => {
    expect(reconcileRecords("not json", serializeRecord(record(3)))).toBe("not json");
  });

  it.each(["", "not json", "{}"])("returns %j unchanged, so that loading it fails", (found) => {
    expect(reconcileRecords(truth, found)).toBe(found);
  });
});
