import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import type { RefreshProtocol } from "../../src/refresh/protocol.ts";
import { disk, withoutWatch } from "../support/interference.ts";
import { SECOND } from "../support/machine.ts";
import { GOAL, startProtocol, urgent } from "../support/protocol.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

describe("a rotation that the store refused", () => {
  it.each<[string, (protocol: RefreshProtocol) => unknown, number]>([
    ["written when the protocol closes", (protocol) => protocol.close(), 2],
    ["not written after it was discarded for another session", (protocol) => protocol.discardPending(), 1],
  ])("is %s", async (_name, end, generation) => {
    const { clock, issuer, protocol, store, stored } = await startProtocol();
    const { save } = store;
    issuer.next((rotated) => {
      store.save = () => Promise.reject(disk);
      return rotated;
    });
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    store.save = save;
    await end(protocol);
    await clock.advance(5 * SECOND);
    expect((await stored())?.tokens?.accessToken).toBe(canary("access", generation));
  });

  it("is written after the store could not be read either (P2)", async () => {
    const { clock, record, signIn, store } = startSession();
    const manager = await signIn(0);
    const { save, load } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    await manager.getAccessToken();
    store.load = async () => Promise.reject(disk);
    await clock.advance(1_500);
    store.load = load;
    store.save = save;
    await clock.advance(600_000);
    expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
  });

  it("is not claimed over a sign-out of another process (I13)", async () => {
    const { clock, open, record, signIn, store } = startSession();
    withoutWatch(store);
    const manager = await signIn(0);
    const { save, load } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    await manager.getAccessToken();
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

  it("does not keep close() waiting (P12)", async () => {
    const { signIn, store, clock } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    await manager.getAccessToken();
    store.load = async () => Promise.reject(disk);
    let loads = 0;
    const outcome = await manager.close().then(
      () => "closed",
      (e: unknown) => e,
    );
    store.load = async () => {
      loads++;
      throw disk;
    };
    await clock.advance(10_000);
    expect.soft(loads).toBe(0);
    expect(outcome).toBe("closed");
  });
});
