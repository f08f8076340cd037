import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { StoreError, type TokenStore } from "../../src/index.ts";
import { parseRecord, serializeRecord } from "../../src/record/record.ts";
import { RecordStore, type Stored } from "../../src/record/record-store.ts";
import { loadClient, reconcileRecords, updateClient } from "../../src/session-record.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import { systemClock } from "../../src/util/clock.ts";
import { write } from "../support/interference.ts";
import { printed } from "../support/leaks.ts";
import { record } from "../support/record.ts";
import { account, startSession, tokensOf } from "../support/session.ts";

const HOUR = 3_600_000;
const client = {
  issuer: "https://issuer.test",
  registration: { client_id: "app", client_secret: canary("secret", 1) },
};

describe("the stored client", () => {
  it("is kept in a store without a session, which is no session then", async () => {
    const { store, open } = startSession();
    expect(await loadClient(store)).toBeUndefined();
    await updateClient(store, () => client);
    expect(await loadClient(store)).toEqual(client);
    const manager = open();
    expect(await manager.peek()).toBeUndefined();
    expect(await manager.hasSession()).toBe(false);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "no_session" });
  });

  it("survives a sign-in, a refresh, a verdict and a sign-out", async () => {
    const { store, clock, issuer, open } = startSession();
    await updateClient(store, () => client);
    const manager = open();
    await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() + HOUR });
    await manager.refresh();
    expect(await loadClient(store)).toEqual(client);
    issuer.isRevoked = true;
    await expect(manager.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    expect(await loadClient(store)).toEqual(client);
    await manager.signOut();
    expect(await loadClient(store)).toEqual(client);
  });

  it("survives an exchange during which it was changed", async () => {
    const { store, issuer, signIn } = startSession();
    const manager = await signIn();
    issuer.next(async (rotated) => {
      await updateClient(store, () => client);
      return rotated;
    });
    await manager.refresh();
    expect(await loadClient(store)).toEqual(client);
  });

  it("is changed without touching the session, also after a conflict", async () => {
    const { store, clock, open } = startSession({ account });
    await open().signIn(tokensOf("ada", clock.now() + HOUR));
    const before = await open().peek();
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      await write(store, (stored) => ({ ...stored, later: true })); // by another process
      return save(value, expected);
    };
    await updateClient(store, (found) => ({ ...found, ...client }));
    expect(await open().peek()).toEqual(before);
    expect(JSON.parse((await store.load())?.value ?? "")).toMatchObject({ later: true, client });
  });

  it("is not saved if the change returns it as it was", async () => {
    const store = memoryStore();
    await updateClient(store, () => client);
    const version = (await store.load())?.version;
    await updateClient(store, (found) => found);
    expect((await store.load())?.version).toBe(version);
  });

  it("survives the session of another program, which knows no client", () => {
    const foreign = serializeRecord(record(4));
    const stored = serializeRecord({ ...record(3), client, signIn: { id: "1", claimedAt: 0, lease: 1 } });
    const merged = parseRecord(reconcileRecords(stored, foreign), "here");
    expect(merged).toMatchObject({ tokens: { refreshToken: canary("refresh", 4) }, client, signIn: { id: "1" } });
  });

  it.each(["with", "without"])("gives way to a session that was found %s a refresh token", (which) => {
    const { tokens } = record(1);
    const found = which === "with" ? record(1) : record(1, { tokens: { ...tokens, refreshToken: undefined } as never });
    const empty = serializeRecord({ schema: 1, obtainedAt: 0, spent: [], client });
    const merged = parseRecord(reconcileRecords(empty, serializeRecord(found)), "here");
    expect(merged).toMatchObject({ tokens: { accessToken: tokens?.accessToken }, client });
  });

  it("does not replace a session if an older copy has only a client", () => {
    const stored = serializeRecord(record(3));
    expect(reconcileRecords(stored, serializeRecord({ schema: 1, obtainedAt: 0, spent: [], client }))).toBe(stored);
  });

  it("does not show its secrets in an error of the store, however many tokens have come since (P8)", async () => {
    const store: TokenStore = memoryStore();
    const records = new RecordStore(store, { accountOf: () => undefined, clock: systemClock });
    const { load } = store;
    const shown: unknown[] = [];
    let saved: Stored | undefined;
    for (let number = 0; number < 20; number++) {
      saved = (await records.save({ ...record(number), client }, saved)) ?? undefined;
      store.load = async () => Promise.reject(new Error(`cannot parse ${canary("secret", 1)}`));
      shown.push(await records.load().catch((error: unknown) => error));
      store.load = load;
    }
    expect(shown.every((error) => error instanceof StoreError)).toBe(true);
    expect(shown.map(printed).join()).not.toContain("canary");
  });
});

it("drops and revokes the tokens of an exchange if only a client is left of the store's content", async () => {
  const { store, issuer, events, signIn } = startSession();
  const manager = await signIn();
  issuer.next(async (rotated) => {
    await store.remove();
    await updateClient(store, () => client);
    return rotated;
  });
  await expect(manager.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "no_session" });
  expect(events).toContainEqual({ type: "rotation-dropped", reason: "signed_out" });
  expect(issuer.revoked).toHaveLength(1);
});
