import { createTokenManager, TokenEndpointError } from "@unexpired/core";
import { type Evaluate, redisStores } from "@unexpired/store-redis";
import { VirtualClock } from "@unexpired/testing";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it, vi } from "vitest";
import { CLIENTS, freshKey, TestServer } from "./support/server.ts";

const server = TestServer.use();
const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 0, 1);

describe("options", () => {
  const evaluate: Evaluate = async () => [];

  it.each([
    ["no evaluate function", { evaluate: undefined as never }, '"evaluate" must be a function.'],
    ["a subscribe that is no function", { evaluate, subscribe: {} as never }, '"subscribe" must be a function.'],
    ["a scan that is no function", { evaluate, scan: {} as never }, '"scan" must be a function.'],
    ["a prefix that is no text", { evaluate, prefix: 1 as never }, '"prefix" must be text.'],
    ["a prefix with half a surrogate pair", { evaluate, prefix: "a\uD83D" }, '"prefix" must be text.'],
    ["no timeout", { evaluate, timeout: 0 }, '"timeout" must be 1 to 30000 milliseconds.'],
    ["a long timeout", { evaluate, timeout: 30_001 }, '"timeout" must be 1 to 30000 milliseconds.'],
    ["a negative settle time", { evaluate, settleTime: -1 }, '"settleTime" must be 0 to 10000 milliseconds.'],
    ["a settle time that is no number", { evaluate, settleTime: NaN }, '"settleTime" must be 0 to 10000'],
  ])("refuses %s", (_, options, message) => {
    expect(() => redisStores(options)).toThrow(message);
    expect(() => redisStores(options)).toThrow(TypeError);
  });

  it.each(["", "a\uD83D", 1 as never])("refuses the key %j", (key) => {
    expect(() => redisStores({ evaluate }).store(key)).toThrow('"key" must be text of at least one character.');
  });

  it("names the key, and declares durability only if it is told so", () => {
    const { store } = redisStores({ evaluate });
    expect(store("user:1").describe()).toBe('The Redis key "unexpired:user:1"');
    expect(store("user:1").supports).toEqual({ compareAndSet: "cluster", durable: false });
    expect(redisStores({ evaluate, durable: true }).store("a").supports.durable).toBe(true);
  });

  it("has no watch without `subscribe`, so that a manager looks again by itself, and no list without `scan`", () => {
    const stores = redisStores({ evaluate });
    expect(stores.store("a")).not.toHaveProperty("watch");
    expect(stores.store("a")).not.toHaveProperty("settled");
    expect(stores).not.toHaveProperty("list");
  });
});

describe("a session", () => {
  it("is one hash that an operator can read, without tokens outside of `value`", async () => {
    const key = freshKey();
    const clock = new VirtualClock(NOW);
    const failures = ["temporarily_unavailable", "invalid_grant"];
    const refresh = async () => {
      expect(await server.fields(key)).toMatchObject({ status: "refreshing" });
      throw new TokenEndpointError({ error: failures.shift(), status: 400, sent: true });
    };
    const store = server.open(key, "redis", { clock });
    await using tokens = createTokenManager({ store, refresh, clock });
    await tokens.signIn({
      accessToken: canary("access", 1),
      refreshToken: canary("refresh", 1),
      expiresAt: NOW + HOUR,
    });
    const { value, ...alive } = await server.fields(key);
    const version = expect.stringMatching(/^[\da-f-]{36}$/);
    const [updated_at, expires_at] = ["2026-01-01T00:00:00.000Z", "2026-01-01T01:00:00.000Z"];
    expect(alive).toEqual({ version, status: "alive", expires_at, updated_at });
    expect(JSON.parse(value ?? "")).toMatchObject({ tokens: { accessToken: canary("access", 1) } });
    await expect(tokens.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(await server.fields(key)).toMatchObject({ status: "retrying", reason: "temporarily_unavailable" });
    await tokens.signIn({ accessToken: canary("access", 2), refreshToken: canary("refresh", 2) });
    expect(await server.fields(key)).not.toHaveProperty("reason");
    await expect(tokens.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    expect(await server.fields(key)).toMatchObject({ status: "dead", reason: "session_expired" });
  });

  it("has no status if the value is sealed, even if it had one before", async () => {
    const key = freshKey();
    const store = server.open(key);
    await using tokens = createTokenManager({ store });
    await tokens.signIn({ accessToken: canary("access", 1), expiresAt: NOW });
    expect(await server.fields(key)).toMatchObject({ status: "alive", expires_at: expect.any(String) });
    const { version } = (await store.load()) ?? {};
    await store.save("sealed text", version);
    expect(Object.keys(await server.fields(key)).sort()).toEqual(["updated_at", "value", "version"]);
  });

  it("has no expiry that a date cannot represent", async () => {
    const key = freshKey();
    await using tokens = createTokenManager({ store: server.open(key) });
    await tokens.signIn({ accessToken: canary("access", 1), expiresAt: 1e300 });
    expect((await server.fields(key)).expires_at).toMatch(/^\+275760-09-13|undefined/);
  });

  it("survives a save that the client sends twice", async () => {
    const { evaluate } = server.connect("redis");
    const twice: Evaluate = async (script, keys, args) => {
      await evaluate(script, keys, args);
      return evaluate(script, keys, args);
    };
    const store = redisStores({ evaluate: twice }).store(freshKey());
    const version = await store.save("1", undefined);
    const next = await store.save("2", version);
    expect(await store.load()).toEqual({ value: "2", version: next });
    await expect(store.save("3", version)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
  });

  it("keeps another prefix apart", async () => {
    const key = freshKey();
    await server.open(key, "redis", { prefix: "other:" }).save("1", undefined);
    expect(await server.open(key).load()).toBeUndefined();
  });
});

describe.each(CLIENTS)("the data of another program, through %s", (client) => {
  const unreadable = {
    code: "STORE_UNREADABLE",
    message: expect.stringContaining("holds data that this store did not save. The data was not changed."),
  };

  it.each([
    ["a string", ["set", "theirs"]],
    ["a list", ["rpush", "theirs"]],
    ["another hash", ["hset", "field", "theirs"]],
    ["a hash with a version only", ["hset", "version", "theirs"]],
  ])("is unreadable, and stays as it is: %s", async (_, [command = "", ...words]) => {
    const key = freshKey();
    const name = `unexpired:${key}`;
    await server.redis.command(command, name, ...words);
    await server.redis.command("expire", name, "1000");
    const dump = () => server.redis.command("dump", name);
    const before = await dump();
    const store = server.open(key, client);
    await expect(store.load()).rejects.toMatchObject(unreadable);
    await expect(store.save("ours", undefined)).rejects.toMatchObject(unreadable);
    await expect(store.save("ours", "theirs")).rejects.toMatchObject(unreadable);
    await expect(store.remove()).rejects.toMatchObject(unreadable);
    expect(await dump()).toBe(before);
    expect(await server.redis.command("persist", name)).toBe("1");
  });
});

async function collect(keys: AsyncIterable<string> | undefined): Promise<string[]> {
  const collected: string[] = [];
  for await (const key of keys ?? []) collected.push(key);
  return collected;
}

describe.each(CLIENTS)("the list of keys, through %s", (client) => {
  it("has each key with the prefix once, whatever the prefix contains", async () => {
    const prefix = "a*[b]?\\-^:";
    const { evaluate, scan } = server.connect(client);
    if (!scan) throw new Error("The client has no scan.");
    const repeating = async function* (pattern: string) {
      for (let round = 0; round < 2; round++) yield* scan(pattern);
    };
    const { store, list } = redisStores({ evaluate, scan: repeating, prefix });
    await server.redis.command("flushall");
    const keys = Array.from({ length: 300 }, () => freshKey());
    await Promise.all(keys.map((key) => store(key).save("1", undefined)));
    await redisStores({ evaluate, prefix: "ab:" }).store("not listed").save("1", undefined);
    const listed = await collect(list?.());
    expect(listed.sort()).toEqual(keys.sort());
  });

  it("reports a server that refuses it", async () => {
    const { evaluate } = server.connect(client);
    const scan = () => {
      throw new Error("refused");
    };
    const { list } = redisStores({ evaluate, scan });
    await expect(collect(list?.())).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining('The Redis keys "unexpired:*" cannot be used (refused)'),
    });
  });
});

it("gives up waiting for a reply, and keeps the process alive until then", async () => {
  const clock = new VirtualClock();
  const evaluate = vi.fn<Evaluate>(() => new Promise(() => {}));
  const store = redisStores({ evaluate, clock, timeout: 700 }).store("a");
  const loaded = store.load().catch((error: unknown) => error);
  await clock.advance(699);
  expect(clock.keepingAlive).toBe(1);
  await clock.advance(1);
  expect(await loaded).toMatchObject({ code: "STORE_UNAVAILABLE", cause: { message: "no reply within 700 ms" } });
  expect(clock.keepingAlive).toBe(0);
  evaluate.mockResolvedValue([]);
  expect(await store.load()).toBeUndefined();
  expect(clock.keepingAlive).toBe(0);
});
