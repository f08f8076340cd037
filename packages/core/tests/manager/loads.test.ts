import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { disk, gate, holdNextLoad, withoutWatch } from "../support/interference.ts";
import { startSession } from "../support/session.ts";

const DEAD = { status: "dead", reason: "signed_out" };

describe("a change notification", () => {
  it.each([
    ["succeeds", undefined],
    ["fails", disk],
  ])("that arrives during a load leads to another one, even if that %s (P3, I21)", async (_name, error) => {
    const { open, signIn, store } = startSession();
    const manager = await signIn();
    const held = holdNextLoad(store);
    const looking = manager.hasSession().catch(() => {});
    await settle();
    await open().signOut();
    await settle();
    held.finish(error);
    await looking;
    await settle();
    expect(manager.state).toEqual(DEAD);
  });

  it("is looked at during an exchange (P3)", async () => {
    const { open, issuer, signIn } = startSession();
    const manager = await signIn();
    const { promise, open: respond } = gate<void>();
    issuer.next(() => promise.then(() => ({ access_token: "late" })), { before: true });
    const refreshing = manager.refresh().catch(() => {});
    await settle();
    await open().signOut();
    await settle();
    expect(manager.state).toEqual(DEAD);
    expect(issuer.presented).toHaveLength(1);
    respond();
    await refreshing;
  });

  it("leads to one load for many of them", async () => {
    const { signIn, store } = startSession();
    const notify: (() => void)[] = [];
    store.watch = (onChange) => {
      notify.push(onChange);
      return () => {};
    };
    const manager = await signIn();
    const held = holdNextLoad(store);
    void manager.hasSession();
    await settle();
    let loads = 0;
    const { load } = store;
    store.load = () => {
      loads++;
      return load();
    };
    for (let time = 0; time < 100; time++) notify[0]?.();
    held.finish();
    await settle();
    expect(loads).toBe(1);
  });

  it("is not missed between the first load and watching", async () => {
    const { open, signIn, store } = startSession();
    const other = await signIn();
    const manager = open();
    const held = holdNextLoad(store);
    const looking = manager.hasSession();
    await settle();
    await other.signOut();
    held.finish();
    await looking;
    await settle();
    expect(manager.state).toEqual(DEAD);
  });
});

describe("a call that looks at the store", () => {
  const startWithOldLoad = async () => {
    const session = startSession();
    withoutWatch(session.store);
    const manager = session.open();
    const held = holdNextLoad(session.store);
    const first = manager.hasSession();
    await settle();
    await session.signIn(); // in another process
    return { ...session, held, manager, first };
  };

  it("does not join a load that began before it: hasSession", async () => {
    const { first, held, manager } = await startWithOldLoad();
    const second = manager.hasSession();
    held.finish();
    expect(await first).toBe(false);
    expect(await second).toBe(true);
  });

  it("does not reject because of a load that began before it: getAccessToken", async () => {
    const { held, manager, store } = await startWithOldLoad();
    let loads = 0;
    const { load } = store;
    const tokens = Array.from({ length: 100 }, () => manager.getAccessToken());
    store.load = () => {
      loads++;
      return load();
    };
    held.finish();
    expect(new Set(await Promise.all(tokens))).toEqual(new Set([canary("access", 1)]));
    expect(loads).toBe(1);
  });

  it("rejects after at most two loads for all callers together if there is no session", async () => {
    const { open, store } = startSession();
    let loads = 0;
    const { load } = store;
    store.load = () => {
      loads++;
      return load();
    };
    const manager = open();
    const tokens = Array.from({ length: 100 }, () => manager.getAccessToken());
    for (const token of tokens) await expect(token).rejects.toMatchObject({ reason: "no_session" });
    expect(loads).toBeLessThanOrEqual(2);
  });

  it("loads once more if this process saved something during the load", async () => {
    const { held, manager, first, open, issuer } = await startWithOldLoad();
    await manager.signIn(issuer.tokens());
    await open().signOut();
    held.finish();
    expect(await first).toBe(false);
    expect(manager.state).toEqual(DEAD);
  });

  it("does not load forever if the store calls back as soon as it is watched", async () => {
    const { open, store } = startSession();
    store.watch = (onChange) => {
      onChange();
      return () => {};
    };
    expect(await open().hasSession()).toBe(false);
  });
});
