import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { memoryStore, type TokenManagerOptions, type TokenStore } from "../../src/index.ts";
import { disk, holdNextLoad } from "../support/interference.ts";
import { MINUTE, SECOND } from "../support/machine.ts";
import { startSession } from "../support/session.ts";

const TOKEN = canary("access", 1);

/** A session whose tokens were just looked at, in a store without notifications, and the number of its loads. */
async function start(options: TokenManagerOptions = {}, supports?: TokenStore["supports"]) {
  const { watch: _, ...store } = memoryStore();
  const shared: TokenStore = { ...store, supports: supports ?? { compareAndSet: "host", durable: true } };
  const session = startSession({ store: shared, ...options });
  const manager = await session.signIn();
  const { load } = shared;
  const count = { loads: 0 };
  shared.load = () => {
    count.loads++;
    return load();
  };
  return { ...session, count, manager, shared };
}

describe("maxStaleness", () => {
  it("starts one load behind the first token that is returned after a pause", async () => {
    const { clock, count, manager } = await start();
    await clock.advance(5 * SECOND - 1);
    await manager.getAccessToken();
    expect(count.loads).toBe(0);
    await clock.advance(1);
    const all = await Promise.all(Array.from({ length: 100 }, () => manager.getAccessToken()));
    expect(new Set(all)).toEqual(new Set([TOKEN]));
    await settle();
    expect(count.loads).toBe(1);
    await clock.advance(MINUTE);
    expect(count.loads).toBe(1);
  });

  it("lets the call after that notice the sign-out of another process (P3)", async () => {
    const { clock, manager, open } = await start();
    await open().signOut({ revoke: false });
    await clock.advance(5 * SECOND);
    expect(await manager.getAccessToken()).toBe(TOKEN);
    await settle();
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it("applies to a token that is newer than the one that was rejected", async () => {
    const { clock, count, manager } = await start();
    await clock.advance(5 * SECOND);
    expect(await manager.replaceRejected(canary("access", 0))).toBe(TOKEN);
    await settle();
    expect(count.loads).toBe(1);
  });

  it("counts on both clocks, because either may stand still", async () => {
    const { clock, count, manager } = await start();
    clock.jump(5 * SECOND);
    await manager.getAccessToken();
    await settle();
    expect(count.loads).toBe(1);
    clock.jump(-5 * SECOND);
    await clock.advance(5 * SECOND);
    await manager.getAccessToken();
    await settle();
    expect(count.loads).toBe(2);
  });

  it.each<[string, TokenManagerOptions, TokenStore["supports"]?]>([
    ["is turned off", { maxStaleness: Number.POSITIVE_INFINITY }],
    ["does not concern a store that no other process shares", {}, { compareAndSet: "process", durable: false }],
  ])("%s", async (_name, options, supports) => {
    const { clock, count, manager } = await start(options, supports);
    await clock.advance(MINUTE);
    await manager.getAccessToken();
    await settle();
    expect(count.loads).toBe(0);
  });

  it("does not concern a store that notifies", async () => {
    const { shared, ...session } = await start();
    const manager = session.open({ store: { ...shared, watch: () => () => {} } });
    await manager.getAccessToken();
    await settle();
    const before = session.count.loads;
    await session.clock.advance(MINUTE);
    await manager.getAccessToken();
    await settle();
    expect(session.count.loads).toBe(before);
  });

  it("blocks no caller if the load never ends, and tries again after a while", async () => {
    const { clock, count, manager, shared } = await start();
    const { load } = shared;
    holdNextLoad(shared);
    await clock.advance(5 * SECOND);
    expect(await manager.getAccessToken()).toBe(TOKEN);
    await clock.advance(5 * SECOND);
    expect(await manager.getAccessToken()).toBe(TOKEN);
    expect(await manager.hasSession()).toBe(true);
    expect(clock.keepingAlive).toBe(0);
    shared.load = load;
    const before = count.loads;
    await clock.advance(30 * SECOND);
    await manager.getAccessToken();
    await settle();
    expect(count.loads).toBe(before + 1);
  });

  it("ignores a load that fails", async () => {
    const { clock, manager, shared } = await start();
    shared.load = () => Promise.reject(disk);
    await clock.advance(5 * SECOND);
    expect(await manager.getAccessToken()).toBe(TOKEN);
    await settle();
    expect(await manager.getAccessToken()).toBe(TOKEN);
  });
});
