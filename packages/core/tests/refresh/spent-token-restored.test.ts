import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import type { Attempt } from "../../src/record/record.ts";
import { digestOf, endRecord } from "../../src/record/record.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import { attempt, gate, withoutWatch, write } from "../support/interference.ts";
import { NOW } from "../support/machine.ts";
import { digest, GOAL, idle, recordWith, startProtocol, urgent } from "../support/protocol.ts";
import { startSession, typesOf } from "../support/session.ts";

const HOUR = 3_600_000;

/**
 * Starts a session, refreshes it once, and puts the first refresh token back into the store.
 * The manager `other` has loaded neither.
 */
async function startWithSpentTokenRestored() {
  const session = startSession();
  withoutWatch(session.store);
  const manager = await session.signIn(0);
  const { tokens, obtainedAt } = await session.record();
  await manager.getAccessToken();
  const before = await session.record();
  await session.clock.advance(HOUR);
  await write(session.store, (record) => ({ ...record, tokens, obtainedAt }));
  return { ...session, manager, before, tokens, obtainedAt, other: session.open() };
}

describe("a spent refresh token that replaces the newer one in the store (I9)", () => {
  const newer = recordWith(2, { obtainedAt: NOW + 1, spent: [digest(1), "x"] });

  it("is replaced by the newer one, with the spent digests of both records", async () => {
    const { known, protocol, put, stored, announced } = await startProtocol(newer);
    known.isUsable = true;
    known.isDue = false;
    await put(recordWith(1, { spent: ["y", "x"] }));
    expect(await protocol.renew({ ...GOAL, reason: "clock" }, urgent)).toBe(true);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect((await stored())?.spent).toEqual(["y", "x", digest(1)]);
    expect(announced).toEqual([{ type: "session-restored", location: memoryStore().describe() }]);
  });

  it.each<[string, { readonly there: Attempt; readonly here?: Attempt; readonly left?: string }]>([
    ["the stored claim on the newer one", { there: attempt(2, { id: "stored" }), left: "stored" }],
    ["the claim that this process knows", { there: attempt(1), here: attempt(2, { id: "known" }), left: "known" }],
    ["no claim on the spent one", { there: attempt(1), here: attempt(1) }],
  ])("is replaced by the newer one, with %s", async (_name, { there, here, left }) => {
    const { known, protocol, put, stored } = await startProtocol({ ...newer, attempt: here });
    Object.assign(known, { isUsable: true, isDue: false });
    await put(recordWith(1, { attempt: there }));
    await protocol.renew({ ...GOAL, reason: "clock" }, idle);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 2));
    expect((await stored())?.attempt?.id).toBe(left);
  });

  it("is loaded again if another save comes in between, and announced once", async () => {
    const { known, protocol, put, store, announced } = await startProtocol(newer);
    Object.assign(known, { isUsable: true, isDue: false });
    await put(recordWith(1));
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      await put(recordWith(1, { spent: ["z"] }));
      return save(value, expected);
    };
    expect(await protocol.renew({ ...GOAL, reason: "clock" }, urgent)).toBe(true);
    expect(announced).toHaveLength(1);
  });
});

describe("a manager whose store holds a spent refresh token again", () => {
  it("presents no spent token, and restores the newer session (I9)", async () => {
    const { clock, events, issuer, record, signIn, store } = startSession();
    withoutWatch(store);
    const manager = await signIn(0);
    const old = await record();
    await manager.getAccessToken();
    await write(store, () => old);
    await clock.advance(60_000);
    expect(await manager.refresh()).toMatchObject({ accessToken: canary("access", 3) });
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
    expect(typesOf(events)).toContain("session-restored");
  });

  it("restores the newer session if it watches the store (I9)", async () => {
    const { clock, issuer, record, signIn, store } = startSession();
    const manager = await signIn(0);
    const old = await record();
    await manager.getAccessToken();
    await write(store, () => old);
    await clock.advance(60_000);
    expect(await manager.refresh()).toMatchObject({ accessToken: canary("access", 3) });
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
  });

  it("restores the newer session after another load (I9)", async () => {
    const { clock, issuer, record, signIn, store } = startSession();
    withoutWatch(store);
    const manager = await signIn(0);
    const old = await record();
    await manager.getAccessToken();
    await write(store, () => old);
    await manager.hasSession();
    await clock.advance(60_000);
    expect(await manager.refresh()).toMatchObject({ accessToken: canary("access", 3) });
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
  });

  it("stores its rotation over a spent token that was put back during the exchange (P2)", async () => {
    const { issuer, record, signIn, store } = startSession();
    withoutWatch(store);
    const manager = await signIn(0);
    const old = await record();
    await manager.getAccessToken();
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const renewed = manager.refresh();
    await settle();
    await write(store, () => old);
    respond();
    expect(await renewed).toMatchObject({ accessToken: canary("access", 3) });
    expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 3));
  });

  it("ends a session whose refresh token is spent if it knows no newer one (P1, I9)", async () => {
    const { issuer, other, store } = await startWithSpentTokenRestored();
    const { save } = store;
    let saves = 0;
    store.save = (value, expected) => (++saves > 20 ? new Promise(() => {}) : save(value, expected));
    await other.hasSession();
    let result: unknown;
    other.getAccessToken().catch((error: unknown) => {
      result = error;
    });
    await settle();
    expect(result).toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "refresh_token_reused" });
    expect({ saves, presented: issuer.presented }).toEqual({ saves: 1, presented: [canary("refresh", 1)] });
  });

  it("does not take an expired token for a new one because it was put back during a wait (P13, I9)", async () => {
    const { before, clock, issuer, other, store, tokens, obtainedAt } = await startWithSpentTokenRestored();
    await write(store, () => ({ ...before, attempt: attempt(2) }));
    await other.hasSession();
    const waiting = other.getAccessToken().catch((error: unknown) => error);
    await settle();
    await write(store, (stored) => ({ ...stored, rotation: 2, spent: [1, 2].map(digest), tokens, obtainedAt }));
    await clock.advance(1_000);
    expect(await waiting).toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "refresh_token_reused" });
    expect(issuer.presented).toHaveLength(1);
  });

  it("follows a claim on a token that was put back (I9)", async () => {
    const { clock, other, store } = await startWithSpentTokenRestored();
    await write(store, ({ tokens, ...stored }) => ({
      ...stored,
      attempt: attempt(1),
      tokens: tokens && { ...tokens, expiresAt: clock.now() + HOUR },
    }));
    await other.hasSession();
    expect(other.state?.status).toBe("refreshing");
    await write(store, (stored) => ({ ...stored, attempt: undefined }));
    await other.hasSession();
    expect(other.state?.status).toBe("valid");
  });

  it("restores the session with all known spent digests (P1, I9)", async () => {
    const { manager, record, store } = await startWithSpentTokenRestored();
    await write(store, (stored) => ({ ...stored, spent: [digest(9)] }));
    await manager.getAccessToken();
    expect((await record()).spent.toSorted()).toEqual([...[1, 2, 9].map(digest)].toSorted());
  });

  it("restores no token that is spent according to the stored record (P1, I9)", async () => {
    const { events, issuer, manager, store } = await startWithSpentTokenRestored();
    await write(store, (stored) => ({ ...stored, spent: [1, 2].map(digest) })); // another process has rotated again
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "refresh_token_reused" });
    expect(typesOf(events)).not.toContain("session-restored");
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it.each([
    ["over a record with the claim, which no other process has seen", false],
    ["over a record without the claim, which another process has seen", true],
  ])("keeps the claim of an exchange in flight when it restores the newer session %s (P1)", async (_name, hides) => {
    const { before, clock, issuer, manager, open, store, tokens, obtainedAt } = await startWithSpentTokenRestored();
    await write(store, () => before);
    const other = open();
    await other.hasSession();
    const response = gate<void>();
    issuer.next((rotated) => response.promise.then(() => rotated));
    const renewed = manager.getAccessToken();
    await settle();
    if (hides) await other.hasSession();
    await write(store, (stored) => ({ ...stored, attempt: hides ? undefined : stored.attempt, tokens, obtainedAt }));
    const waiting = other.getAccessToken();
    await clock.advance(1_000);
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
    response.open();
    await clock.advance(1_000);
    expect(await Promise.all([renewed, waiting])).toEqual([canary("access", 3), canary("access", 3)]);
    expect(issuer.presented).toHaveLength(2);
  });

  it("stores no rotation of a replaced session over one that was put back (P3)", async () => {
    const { clock, issuer, manager, open, record, before, store } = await startWithSpentTokenRestored();
    await write(store, () => before);
    const response = gate<void>();
    issuer.next((rotated) => response.promise.then(() => rotated));
    const renewed = manager.getAccessToken();
    await settle();
    const newer = open();
    await newer.signIn({ accessToken: "n1", refreshToken: "new 1", expiresAt: clock.now() + HOUR });
    const old = await record();
    await write(store, (stored) => ({
      ...stored,
      tokens: old.tokens && { ...old.tokens, accessToken: "n2", refreshToken: "new 2" },
      spent: [...stored.spent, digestOf("new 1")],
    }));
    await write(store, ({ spent }) => ({ ...old, spent }));
    response.open();
    expect(await renewed).toBe("n1");
    expect((await record()).tokens?.refreshToken).toBe("new 1");
  });
});

describe("an old copy of the session that another process has ended", () => {
  it("is replaced by the newer session after a verdict", async () => {
    const { manager, before, store, issuer } = await startWithSpentTokenRestored();
    const ended = endRecord({ ...before, rotation: 0, spent: [] }, { reason: "revoked", digest: digest(1) });
    await write(store, () => ({ ...ended, rotation: 0 }));
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
  });

  it("is over after a sign-out, whatever its number (P3)", async () => {
    const { manager, before, store } = await startWithSpentTokenRestored();
    const ended = endRecord({ ...before, rotation: 0, spent: [] }, { reason: "signed_out", digest: digest(1) });
    await write(store, () => ({ ...ended, rotation: 0 }));
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
    expect(await manager.hasSession()).toBe(false);
  });

  it("is replaced although its date is later, because the clock has been set right since (P1)", async () => {
    const { clock, issuer, record, signIn, store } = startSession();
    withoutWatch(store);
    const manager = await signIn();
    await write(store, ({ session, rotation, ...earlierRelease }) => earlierRelease);
    clock.jump(2 * HOUR);
    await manager.refresh();
    const old = await record();
    clock.jump(-2 * HOUR);
    await manager.refresh();
    await write(store, () => old);
    await clock.advance(60_000);
    await manager.refresh();
    expect(issuer.presented).toEqual([1, 2, 3].map((generation) => canary("refresh", generation)));
  });
});
