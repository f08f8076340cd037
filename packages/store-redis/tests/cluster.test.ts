import { redisStores, type Subscribe } from "@unexpired/store-redis";
import { describeTokenStore, type StoreFixture } from "@unexpired/testing";
import { RedisServer } from "@unexpired-internal/engines/redis";
import { Cluster } from "ioredis";
import { createCluster } from "redis";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Connected } from "./support/clients.ts";
import { freshKey, TestServer } from "./support/server.ts";
import { watching } from "./support/watching.ts";

const server = TestServer.use(RedisServer.startCluster);

/** The cluster clients of the README. */
const clusters: Readonly<Record<string, () => Promise<Connected>>> = {
  async ioredis() {
    const open = () =>
      new Cluster([server.redis.url], { redisOptions: { maxRetriesPerRequest: 0 } }).on("error", () => {});
    const cluster = open();
    const subscribe: Subscribe = (channel, { onMessage, onReady, onDisconnect }) => {
      const subscriber = open();
      subscriber.on("-node", onDisconnect).on("message", (_, message) => onMessage(message));
      subscriber.on("ready", () => subscriber.subscribe(channel).then(onReady, () => {}));
      return () => subscriber.disconnect();
    };
    return {
      options: { evaluate: (script, keys, args) => cluster.eval(script, keys.length, ...keys, ...args), subscribe },
      [Symbol.asyncDispose]: async () => cluster.disconnect(),
    };
  },
  async redis() {
    const cluster = createCluster({ rootNodes: [{ url: server.redis.url }] }).on("error", () => {});
    await cluster.connect();
    const subscribe: Subscribe = async (channel, { onMessage, onReady }) => {
      const listener = (message: unknown) => onMessage(String(message));
      await cluster.subscribe(channel, listener);
      onReady();
      return () => cluster.unsubscribe(channel, listener);
    };
    return {
      options: { evaluate: (script, keys, args) => cluster.eval(script, { keys, arguments: args }), subscribe },
      [Symbol.asyncDispose]: async () => cluster.destroy(),
    };
  },
};

describe.each(Object.entries(clusters))("on a Redis Cluster, through %s", (_, connect) => {
  async function open() {
    const connected = await connect();
    onTestFinished(() => connected[Symbol.asyncDispose]());
    return redisStores(connected.options);
  }

  describeTokenStore(
    { describe, it },
    {
      async create(): Promise<StoreFixture> {
        const { store } = await open();
        const key = freshKey();
        return {
          open: () => store(key),
          openNeighbor: () => store(`${key}:2`),
          damage: async () => {
            await server.redis.command("set", `unexpired:${key}`, "?");
          },
          wipe: async () => {
            await server.redis.command("del", `unexpired:${key}`);
          },
        };
      },
    },
  );

  it("keeps sessions in all slots, and notifies of each", async () => {
    const stores = await open();
    for (let round = 0; round < 20; round++) {
      const store = stores.store(freshKey());
      const watcher = watching(store.watch?.bind(store));
      await watcher.next();
      const notified = watcher.next();
      await store.save("value", undefined);
      await notified;
      watcher.stop();
    }
    expect(await server.redis.command("cluster", "info")).toContain("cluster_state:ok");
  });
});
