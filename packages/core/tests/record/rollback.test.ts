import { describe, expect, it } from "vitest";
import { reconcileRecords } from "../../src/record/reconcile.ts";
import { endRecord, type SessionRecord, serializeRecord } from "../../src/record/record.ts";
import { extendPast, restorationOf } from "../../src/record/rollback.ts";
import { attempt } from "../support/interference.ts";
import { NOW } from "../support/machine.ts";
import { digest, recordWith } from "../support/protocol.ts";

const session = (more: Partial<SessionRecord> = {}) => recordWith(1, { session: "s", rotation: 1, ...more });
/** A record that was saved over these versions. */
function after(first: SessionRecord, ...versions: string[]): SessionRecord {
  let record = first;
  for (const version of versions) record = { ...first, past: extendPast(record, { record, version }) };
  return record;
}
const signOut = (record: SessionRecord) => endRecord(record, { reason: "signed_out", digest: digest(1) });

/** What is saved if `found` (version `f`, after version 1) is stored, and `known` (version `k`, after version 1) was. */
const restored = (found: SessionRecord, known: SessionRecord) =>
  restorationOf({ record: after(found, "1"), version: "f" }, { record: after(known, "1"), version: "k" });

describe("a version that the known record has replaced", () => {
  const known = { record: after(session({ attempt: attempt(1) }), "1", "2"), version: "k" };

  it("is replaced by the known record, which lists its own version as replaced, too", () => {
    const next = restorationOf({ record: session({ attempt: attempt(1, { id: "before" }) }), version: "1" }, known);
    expect(next).toEqual({ ...known.record, past: extendPast(known.record, known) });
    expect(next?.past).toHaveLength(3);
  });

  it("is the known one after a sign-in that followed a sign-out", () => {
    expect(restorationOf({ record: signOut(session()), version: "2" }, known)?.tokens).toBeDefined();
  });

  it("is forgotten after 16 more saves", () => {
    const record = after(session(), ...Array.from({ length: 17 }, (_, index) => `${index}`));
    expect(record.past).toHaveLength(16);
    expect(restorationOf({ record: session(), version: "0" }, { record, version: "k" })).toBeUndefined();
    expect(restorationOf({ record: session(), version: "1" }, { record, version: "k" })).toBeDefined();
  });
});

describe("a version that another process has saved since", () => {
  it("is replaced if it is of an older rotation", () => {
    const known = recordWith(2, { session: "s", rotation: 2, spent: [digest(1)] });
    expect(restored(session({ spent: [digest(9)] }), known)).toMatchObject({
      rotation: 2,
      spent: [digest(9), digest(1)],
    });
  });

  it("is ended if the session had been signed out, whatever its rotation", () => {
    const next = restored(session({ rotation: 7 }), signOut(session()));
    expect(next).toMatchObject({ rotation: 8, dead: { reason: "signed_out", digest: digest(1) } });
    expect(next?.tokens).toBeUndefined();
  });

  it.each<[string, SessionRecord, SessionRecord]>([
    ["a sign-out", signOut(session()), session({ rotation: 9 })],
    ["a sign-out of what was signed out", signOut(session({ rotation: 3 })), signOut(session())],
    ["a sign-in", recordWith(5, { session: "t", seeds: [digest(5), digest(1)] }), session({ seeds: [digest(1)] })],
    [
      "a sign-in with an earlier token",
      recordWith(1, { session: "t", seeds: [digest(1), digest(5)] }),
      session({ seeds: [digest(5), digest(1)] }),
    ],
    ["a session of an earlier release", recordWith(1, { session: "~s" }), { ...signOut(session()), session: "~s" }],
    ["a claim", session({ attempt: attempt(1) }), session({ attempt: attempt(1, { id: "known" }) })],
    [
      "what has become of the claim",
      session({ attempt: attempt(1, { status: "failed" }) }),
      session({ attempt: attempt(1) }),
    ],
    ["the end of a back-off", session(), session({ attempt: attempt(1, { status: "failed" }) })],
  ])("stays if it is %s", (_name, found, known) => {
    expect(restored(found, known)).toBeUndefined();
  });

  it.each<[string, SessionRecord["attempt"]]>([
    ["no attempt", undefined],
    ["an earlier attempt", attempt(1, { id: "before", status: "failed" })],
    ["an attempt of another token", attempt(9)],
  ])("gets the claim that it lacks, if it has %s", (_name, found) => {
    const claim = attempt(1);
    expect(restored(session({ attempt: found }), session({ attempt: claim }))?.attempt).toEqual(claim);
  });

  it("is replaced if a sign-in had replaced its session", () => {
    const known = recordWith(5, { session: "t", seeds: [digest(5), digest(1)] });
    expect(restored(session({ seeds: [digest(1)] }), known)?.session).toBe("t");
  });

  it("stays if it has followed on what is known: the claim was given back", () => {
    const known = { record: after(session({ attempt: attempt(1) }), "1"), version: "k" };
    expect(restorationOf({ record: after(session(), "1", "k"), version: "f" }, known)).toBeUndefined();
  });

  it("stays if nothing tells that it comes from the same store", () => {
    const known = { record: session({ attempt: attempt(1) }), version: "k" };
    expect(restorationOf({ record: after(session(), "other"), version: "f" }, known)).toBeUndefined();
  });
});

it("survives what another program has written into a document", () => {
  const stored = serializeRecord(after(session(), "1"));
  const external = serializeRecord(recordWith(2, { session: "s", rotation: 2 }));
  expect(JSON.parse(reconcileRecords(stored, external, NOW))).toMatchObject({
    past: [expect.any(String)],
    rotation: 2,
  });
});
