import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { expect, it } from "vitest";
import { disk, gate } from "../support/interference.ts";
import { startSession, typesOf } from "../support/session.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

it("makes one exchange for 1,000 callers of an expired token (P4)", async () => {
  const { clock, issuer, signIn } = startSession();
  const manager = await signIn();
  await clock.advance(2 * HOUR);
  const tokens = await Promise.all(Array.from({ length: 1_000 }, () => manager.getAccessToken()));
  expect(new Set(tokens)).toEqual(new Set([canary("access", 2)]));
  expect(issuer.presented).toHaveLength(1);
});

it("refreshes a valid token once for concurrent calls of refresh()", async () => {
  const { issuer, signIn } = startSession();
  const manager = await signIn();
  const sets = await Promise.all([manager.refresh(), manager.refresh(), manager.refresh()]);
  expect(sets.map((set) => set.accessToken)).toEqual(Array(3).fill(canary("access", 2)));
  expect(issuer.presented).toHaveLength(1);
});

it("makes concurrent callers wait for the replacement of a rejected token", async () => {
  const { issuer, signIn } = startSession();
  const manager = await signIn();
  const replaced = manager.replaceRejected(canary("access", 1));
  await settle();
  expect(await manager.getAccessToken()).toBe(canary("access", 2));
  expect(await replaced).toBe(canary("access", 2));
  expect(issuer.presented).toHaveLength(1);
});

it("rejects an aborted caller at once, and lets the exchange continue", async () => {
  const { clock, issuer, signIn } = startSession();
  const manager = await signIn(0);
  const { promise, open: respond } = gate<void>();
  issuer.next((rotated) => promise.then(() => rotated));
  const controller = new AbortController();
  const aborted = manager.getAccessToken({ signal: controller.signal });
  const other = manager.getAccessToken();
  await settle();
  controller.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  respond();
  expect(await other).toBe(canary("access", 2));
  await expect(manager.getAccessToken({ signal: controller.signal })).rejects.toThrow("enough");
  expect(clock.keepingAlive).toBe(0);
});

it("returns a usable token of unknown expiry during a refresh", async () => {
  const { clock, issuer, signIn } = startSession();
  issuer.lifetime = undefined;
  const manager = await signIn(null);
  await manager.getAccessToken();
  await clock.advance(60_000);
  issuer.next(() => new Promise(() => {}));
  void manager.refresh().catch(() => {});
  await settle();
  let got: unknown;
  void manager.getAccessToken().then((token) => (got = token));
  await settle();
  expect(manager.state).toMatchObject({ status: "refreshing", usable: true });
  expect(got).toBe(canary("access", 2));
});

it("announces one failure once for all its callers", async () => {
  const { events, open, signIn, store } = startSession();
  await signIn(0);
  store.save = async () => Promise.reject(disk);
  const manager = open();
  await Promise.allSettled(Array.from({ length: 5 }, () => manager.getAccessToken()));
  expect(typesOf(events).filter((type) => type === "refresh-failed")).toHaveLength(1);
});

it("is not reset by a load that began before the exchange ended (P3)", async () => {
  const { issuer, signIn, store } = startSession();
  const manager = await signIn();
  const { load } = store;
  const { promise: finished, open: finish } = gate<void>();
  store.load = async () => {
    store.load = load;
    const loaded = await load();
    await finished;
    return loaded;
  };
  const pending = manager.hasSession();
  await settle();
  await manager.refresh();
  finish();
  expect(await pending).toBe(true);
  expect(await manager.getAccessToken()).toBe(canary("access", 2));
  expect(issuer.presented).toHaveLength(1);
});
