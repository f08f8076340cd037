import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { StoreError } from "../../src/errors.ts";
import { disk, withoutWatch } from "../support/interference.ts";
import { SECOND } from "../support/machine.ts";
import { GOAL, startProtocol, urgent } from "../support/protocol.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

/** Refreshes the session of a new manager, and has the store refuse the tokens until its `save` is put back. */
async function refuseRotation({ signIn, store }: ReturnType<typeof startSession>) {
  const manager = await signIn(0);
  const { save, load } = store;
  let saves = 0;
  store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
  await manager.getAccessToken();
  return { manager, save, load };
}

describe("a rotation that the store refused", () => {
  it.each<[string, (session: Awaited<ReturnType<typeof startProtocol>>) => unknown, number]>([
    ["written when the protocol closes", ({ protocol }) => protocol.close(), 2],
    ["not written after it was discarded for another session", ({ pending }) => pending.onReplaced(undefined), 1],
  ])("is %s", async (_name, end, generation) => {
    const session = await startProtocol();
    const { clock, issuer, protocol, store, stored } = session;
    const { save } = store;
    issuer.next((rotated) => {
      store.save = () => Promise.reject(disk);
      return rotated;
    });
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    store.save = save;
    await end(session);
    await clock.advance(5 * SECOND);
    expect((await stored())?.tokens?.accessToken).toBe(canary("access", generation));
  });

  it("is written after the store could not be read either (P2)", async () => {
    const session = startSession();
    const { clock, record, store } = session;
    const { load, save } = await refuseRotation(session);
    store.load = async () => Promise.reject(disk);
    await clock.advance(1_500);
    store.load = load;
    store.save = save;
    await clock.advance(600_000);
    expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
  });

  it("is written although the session file holds other text by then (P2)", async () => {
    const session = startSession();
    const { clock, record, store } = session;
    const { load, save } = await refuseRotation(session);
    store.load = async () => {
      const { version, value = "" } = (await load()) ?? {};
      const [location, problem, hint] = [store.describe(), "does not contain valid JSON", "Restore it."];
      throw new StoreError("STORE_UNREADABLE", { location, problem, hint, version, stored: () => value });
    };
    store.save = save;
    await clock.advance(1_500);
    store.load = load;
    expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
  });

  it("is not claimed over a sign-out of another process (I13)", async () => {
    const session = startSession();
    const { clock, open, record, store } = session;
    withoutWatch(store);
    const { load, manager, save } = await refuseRotation(session);
    await clock.leap(2 * HOUR);
    let loads = 0; // of the commit, of the failed save; before the third, another process signs out and the disk works again
    store.load = async () => {
      if (++loads === 3) {
        store.load = load;
        store.save = save;
        await open().signOut({ revoke: false });
      }
      return load();
    };
    const result = manager.getAccessToken().catch((error: unknown) => error);
    await clock.advance(5);
    expect.soft(await result).toMatchObject({ reason: "signed_out" });
    expect((await record()).dead?.reason).toBe("signed_out");
  });

  it("makes close() reject after the deadline of an exchange (P2)", async () => {
    const { signIn, store, clock } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    await manager.getAccessToken();
    let outcome: unknown = "pending";
    manager.close().catch((error: unknown) => {
      outcome = error;
    });
    await clock.advance(29 * SECOND);
    expect(outcome).toBe("pending");
    await clock.advance(SECOND);
    expect(outcome).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(String(outcome)).toContain(", so the refreshed session was not saved");
    await expect(manager.close()).rejects.toBe(outcome);
    expect(clock.keepingAlive).toBe(0);
  });

  it("is reported as a process warning if the manager is not closed (P2)", async () => {
    const { signIn, store, clock } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    await manager.getAccessToken();
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    await clock.advance(30 * SECOND);
    const warning = await warned;
    expect(warning).toMatchObject({ name: "UnexpiredWarning", code: "UNEXPIRED_ROTATION_LOST" });
    expect(warning.message).toContain(`${store.describe()}: The refreshed session has not been saved yet. `);
    expect(warning.message).toMatch(/ await close\(\) before the program ends: it rejects with the reason\.$/);
    expect(warning.message).not.toContain(canary("access", 2));
  });

  it("does not revive a session that was signed out (I18)", async () => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    let respond = (): void => {};
    issuer.next(
      (rotated) =>
        new Promise((resolve) => {
          respond = () => resolve(rotated);
        }),
    );
    const token = manager.getAccessToken().catch((error: unknown) => error);
    await settle();
    await manager.signOut({ revoke: false });
    const { save, load } = store;
    store.save = async () => Promise.reject(disk);
    store.load = async () => Promise.reject(disk);
    respond();
    await clock.advance(SECOND);
    expect(await token).toBeInstanceOf(Error);
    expect(manager.state).toEqual({ status: "dead", reason: "signed_out" });
    await expect(manager.getAccessToken()).rejects.toBeInstanceOf(Error);
    Object.assign(store, { save, load });
    await clock.advance(5 * SECOND);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it("is seen by a sign-in with the refresh token that it replaced (P3)", async () => {
    const { clock, issuer, record, signIn, store } = startSession();
    const manager = await signIn(0);
    const seed = issuer.tokens();
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    await manager.getAccessToken();
    store.save = save;
    expect(await manager.signIn(seed)).toBe(false);
    await clock.advance(SECOND);
    expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
  });

  it("is saved although a sign-in, which began before the exchange, ends after it (P2)", async () => {
    const { clock, issuer, open, record, store } = startSession();
    const manager = open();
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => {
      saves++;
      if (saves === 3) throw disk;
      const version = await save(value, expected);
      return saves === 1 ? new Promise(() => {}) : version; // the sign-in learns nothing for 30 seconds
    };
    const signedIn = manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() });
    await settle();
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    store.save = () => Promise.reject(disk);
    await clock.advance(30 * SECOND);
    await signedIn;
    store.save = save;
    await clock.advance(SECOND);
    expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
  });
});
