import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { endRecord, parseRecord, serialiseRecord } from "../../src/record/record.ts";
import { reconcileRecords } from "../../src/session-record.ts";
import { record, spentOf } from "../support/record.ts";

describe("reconcile", () => {
  const truth = serialiseRecord(record(3, { spent: spentOf(1, 2) }));
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
    expect(reconcileRecords(truth, serialiseRecord(found))).toBe(truth);
  });

  it("adopts a newer session, and remembers the spent tokens", () => {
    const merged = parseRecord(reconcileRecords(truth, serialiseRecord(record(4, { spent: spentOf(0) }))), "here");
    expect(merged.tokens?.refreshToken).toBe(canary("refresh", 4));
    expect(merged.spent).toEqual(spentOf(1, 2, 0, 3));
  });

  it("adopts an unknown session, whatever its date", () => {
    const merged = reconcileRecords(truth, serialiseRecord(record(4, { obtainedAt: 1 })));
    expect(parseRecord(merged, "here").tokens?.refreshToken).toBe(canary("refresh", 4));
  });

  it("keeps a sign-out over a later one", () => {
    expect(reconcileRecords(serialiseRecord(ended(1)), serialiseRecord(ended(2)))).toBe(serialiseRecord(ended(1)));
  });

  it("adopts a newer access token of the same refresh token, and a later sign-out", () => {
    const renewed = record(3, {
      obtainedAt: 9_000,
      tokens: { ...record(3).tokens, accessToken: canary("access", 9) } as never,
    });
    expect(parseRecord(reconcileRecords(truth, serialiseRecord(renewed)), "here").tokens?.accessToken).toBe(
      canary("access", 9),
    );
    expect(parseRecord(reconcileRecords(truth, serialiseRecord(ended(9_000))), "here").dead?.reason).toBe("signed_out");
  });

  it.each(["", "not json", "{}"])("returns %j unchanged, so that loading it fails", (found) => {
    expect(reconcileRecords(truth, found)).toBe(found);
  });
});
