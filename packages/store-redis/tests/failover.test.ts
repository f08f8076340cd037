import { once } from "node:events";
import { createTokenManager, type TokenManager, type TokenStore } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { type RedisStores, redisStores } from "@unexpired/store-redis";
import { type Issuer, startIssuer, VirtualClock } from "@unexpired/testing";
import { Forwarder } from "@unexpired-internal/engines/forwarder";
import { missingRedis, RedisServer } from "@unexpired-internal/engines/redis";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Client } from "./support/clients.ts";
import { CLIENTS, connectTo, freshKey, SOON } from "./support/server.ts";
import { watching } from "./support/watching.ts";

/** A primary server with a replica, each process on a connection that can be pointed to the other one. */
class Pair {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  readonly #client: Client;

  private constructor(primary: RedisServer, replica: RedisServer, client: Client) {
    this.primary = primary;
    this.replica = replica;
    this.#client = client;
  }

  static async start(client: Client): Promise<Pair> {
    const primary = await RedisServer.start();
    const replica = await primary.startReplica();
    onTestFinished(async () => {
      await replica[Symbol.asyncDispose]();
      await primary[Symbol.asyncDispose]();
    });
    return new Pair(primary, replica, client);
  }

  /** Connects a process to one of them. */
  async connect(server: RedisServer, clock?: VirtualClock): Promise<{ stores: RedisStores; forwarder: Forwarder }> {
    const forwarder = await Forwarder.start(server.port);
    const options = connectTo(server.urlAt(forwarder.port), this.#client);
    onTestFinished(() => forwarder[Symbol.asyncDispose]());
    return { stores: redisStores({ ...options, clock }), forwarder };
  }

  /** Waits until the replica has the session, and ends the replication: the replica lacks what follows. */
  async cutReplication(key: string): Promise<void> {
    const version = (server: RedisServer) => server.command("hget", `unexpired:${key}`, "version");
    await expect.poll(async () => (await version(this.replica)) === (await version(this.primary)), SOON).toBe(true);
    await this.replica.promote();
  }

  /** Ends the primary server, and points a process to the replica. */
  async failOver(forwarder: Forwarder): Promise<void> {
    await this.primary.crash();
    forwarder.switchTo(this.replica.port);
  }
}

const managerOf = (store: TokenStore, issuer: Issuer): TokenManager => {
  const tokens = createTokenManager({
    store,
    refresh: oauth2Refresh({ tokenEndpoint: issuer.tokenEndpoint, clientId: "app" }),
  });
  onTestFinished(() => tokens.close());
  return tokens;
};

/** Resolves when a manager restores its session. */
function restored(tokens: TokenManager): Promise<unknown> {
  const events = new EventTarget();
  tokens.subscribe((event) => event.type === "session-restored" && events.dispatchEvent(new Event("restored")));
  return once(events, "restored");
}

describe.each(CLIENTS)("a failover that loses the last writes, through %s", (client) => {
  const missing = missingRedis();
  if (missing !== undefined) return it("is survived", (ctx) => ctx.skip(missing));

  it("is undone by a live manager before anything is sent", async () => {
    await using issuer = await startIssuer();
    const pair = await Pair.start(client);
    const key = freshKey();
    const { stores, forwarder } = await pair.connect(pair.primary);
    const tokens = managerOf(stores.store(key), issuer);
    await tokens.signIn(issuer.signIn());
    await pair.cutReplication(key);
    await tokens.refresh();
    expect(issuer).toMatchObject({ exchanges: 1, revoked: 0 });
    const session = restored(tokens);
    await pair.failOver(forwarder);
    await session;
    const late = await pair.connect(pair.replica);
    const newcomer = managerOf(late.stores.store(key), issuer);
    expect(await newcomer.getAccessToken()).toBe(await tokens.getAccessToken());
    await newcomer.refresh();
    expect(issuer).toMatchObject({ exchanges: 2, revoked: 0, requests: { length: 2 } });
  });

  it("does not bring a session back that was signed out", async () => {
    await using issuer = await startIssuer();
    const pair = await Pair.start(client);
    const key = freshKey();
    const { stores, forwarder } = await pair.connect(pair.primary);
    const tokens = managerOf(stores.store(key), issuer);
    await tokens.signIn(issuer.signIn());
    await pair.cutReplication(key);
    await tokens.signOut();
    const session = restored(tokens);
    await pair.failOver(forwarder);
    await session;
    expect(await pair.replica.command("hget", `unexpired:${key}`, "reason")).toBe("signed_out");
    const late = await pair.connect(pair.replica);
    const newcomer = managerOf(late.stores.store(key), issuer);
    await expect(newcomer.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "signed_out" });
    expect(issuer.requests).toEqual([]);
  });

  it("makes a process wait that has connected sooner than the one that knows the session", async () => {
    await using issuer = await startIssuer();
    const pair = await Pair.start(client);
    const key = freshKey();
    const clock = new VirtualClock();
    const [knowing, sooner] = [await pair.connect(pair.primary), await pair.connect(pair.primary, clock)];
    const tokens = managerOf(knowing.stores.store(key), issuer);
    await tokens.signIn(issuer.signIn());
    const other = sooner.stores.store(freshKey());
    const watcher = watching(other.watch?.bind(other));
    await watcher.next();
    await pair.cutReplication(key);
    await tokens.refresh();
    const reconnected = watcher.next();
    await pair.failOver(sooner.forwarder);
    await reconnected;
    const refreshed = managerOf(sooner.stores.store(key), issuer).refresh();
    const session = restored(tokens);
    knowing.forwarder.switchTo(pair.replica.port);
    await session;
    expect(issuer.exchanges).toBe(1);
    await clock.advance(2_000);
    await refreshed; // it has found the newer session
    expect(issuer).toMatchObject({ exchanges: 1, revoked: 0, requests: { length: 1 } });
  });

  it("lets a process that starts afterwards present the older token once, if no manager is left", async () => {
    await using issuer = await startIssuer();
    const pair = await Pair.start(client);
    const key = freshKey();
    const { stores, forwarder } = await pair.connect(pair.primary);
    const tokens = managerOf(stores.store(key), issuer);
    await tokens.signIn(issuer.signIn());
    await pair.cutReplication(key);
    await tokens.refresh();
    await tokens.close();
    await pair.failOver(forwarder);
    const late = await pair.connect(pair.replica);
    const newcomer = managerOf(late.stores.store(key), issuer);
    await expect(newcomer.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    await expect(newcomer.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    expect(issuer.requests.map(({ verdict }) => verdict)).toEqual(["exchanged", "reused"]);
    expect(issuer.revoked).toBe(1);
  });
});
