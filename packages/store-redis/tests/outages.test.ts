import { redisStores } from "@unexpired/store-redis";
import { describe, expect, it } from "vitest";
import { CLIENTS, freshKey, SOON, TestServer } from "./support/server.ts";
import { watching } from "./support/watching.ts";

const server = TestServer.use();
const unavailable = { code: "STORE_UNAVAILABLE" };

describe.each(CLIENTS)("through %s", (client) => {
  it("an accepted save survives a crash of the server", async () => {
    const store = server.open(freshKey(), client);
    const version = await store.save("value", undefined);
    await server.redis.crash();
    await expect(store.load()).rejects.toMatchObject(unavailable);
    await expect(store.save("another", version)).rejects.toMatchObject(unavailable);
    await server.redis.start();
    expect(await store.load()).toEqual({ value: "value", version });
  });

  it("a server that does not respond is an error, until it responds again", async () => {
    const store = server.open(freshKey(), client, { timeout: 1_000 });
    const version = await store.save("value", undefined);
    server.redis.pause();
    const calls = [store.save("unknown", version), ...Array.from({ length: 20 }, () => store.load())];
    for (const { reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[])
      expect(reason).toMatchObject(unavailable);
    server.redis.resume();
    await expect
      .poll(
        () =>
          store.load().then(
            () => "loaded",
            () => "failed",
          ),
        SOON,
      )
      .toBe("loaded");
  });

  it("watchers are told to look again when the server is back, and notified of saves again", async () => {
    const stores = redisStores(server.connect(client));
    const key = freshKey();
    const watchers = [key, freshKey()].map((each) => {
      const store = stores.store(each);
      return watching(store.watch?.bind(store));
    });
    await Promise.all(watchers.map((watcher) => watcher.next()));
    const again = watchers.map((watcher) => watcher.next());
    await server.redis.restart();
    await Promise.all(again);
    const notified = watchers[0]?.next();
    await server.open(key, client).save("value", undefined);
    await notified;
  });

  it("notifications begin when the server does", async () => {
    await server.redis.stop();
    const store = redisStores(server.connect(client)).store(freshKey());
    const ready = watching(store.watch?.bind(store)).next();
    await server.redis.start();
    await ready;
  });

  it("changes are notified to the watchers of that key only, through one subscription", async () => {
    const stores = redisStores(server.connect(client));
    const [key, another] = [freshKey(), freshKey()];
    const [first, second, other] = [key, key, another].map((each) => {
      const store = stores.store(each);
      return watching(store.watch?.bind(store));
    });
    await first?.next(); // the subscription has started
    const before = other?.count();
    expect(await server.redis.command("pubsub", "numsub", "unexpired:changed")).toMatch(/\n1$/);
    const elsewhere = server.open(key, client); // as in another process
    const change = async <T>(run: () => Promise<T>) => {
      const notified = [first?.next(), second?.next()];
      const result = await run();
      await Promise.all(notified);
      return result;
    };
    const version = await change(() => elsewhere.save("1", undefined));
    await expect(elsewhere.save("2", "another version")).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    await change(() => elsewhere.save("2", version));
    await change(() => elsewhere.remove());
    expect(other?.count()).toBe(before);
    expect(first?.count()).toBe(4);
    for (const watcher of [first, second, other]) watcher?.stop();
    await expect.poll(() => server.redis.command("pubsub", "numsub", "unexpired:changed"), SOON).toMatch(/\n0$/);
  });
});
