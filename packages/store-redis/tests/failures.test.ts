import { inspect } from "node:util";
import { createTokenManager, type TokenStore } from "@unexpired/core";
import { type Evaluate, redisStores } from "@unexpired/store-redis";
import { RedisServer } from "@unexpired-internal/engines/redis";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { CLIENTS, connectTo, freshKey, SOON, TestServer } from "./support/server.ts";

const server = TestServer.use();

/** Each operation of a store, on a version that may exist. */
const operations: Readonly<Record<string, (store: TokenStore) => Promise<unknown>>> = {
  load: (store) => store.load(),
  save: (store) => store.save("value", undefined),
  remove: (store) => store.remove(),
};

const unavailable = (message: string) => ({ code: "STORE_UNAVAILABLE", message: expect.stringContaining(message) });

/** Expects that every operation fails with that message. */
async function expectFailures(store: TokenStore, message: string, names = Object.keys(operations)): Promise<void> {
  for (const name of names) await expect(operations[name]?.(store), name).rejects.toMatchObject(unavailable(message));
}

/** Changes settings of the server for the time of a function. */
async function withSettings(settings: readonly string[], run: () => Promise<void>): Promise<void> {
  const [name = "", value = "", usual = ""] = settings;
  await server.redis.command("config", "set", name, value);
  try {
    await run();
  } finally {
    await server.redis.command("config", "set", name, usual);
  }
}

describe.each(CLIENTS)("through %s", (client) => {
  it("a replica is reported by every operation, even if there is no session", async () => {
    await using replica = await server.redis.startReplica();
    const { store } = redisStores(connectTo(replica.url, client));
    await expectFailures(store(freshKey()), "Let the client connect to the primary server");
    const key = freshKey();
    await server.open(key, client).save("value", undefined);
    await expect.poll(() => replica.command("hget", `unexpired:${key}`, "value"), SOON).toBe("value");
    await expectFailures(store(key), "Let the client connect to the primary server", ["load", "remove"]);
  });

  it("a server without enough replicas refuses saves, and is read", async () => {
    const store = server.open(freshKey(), client);
    const version = await store.save("value", undefined);
    await withSettings(["min-replicas-to-write", "1", "0"], async () => {
      await expect(store.save("another", version)).rejects.toMatchObject(
        unavailable("Nothing was saved, because fewer replicas are connected than `min-replicas-to-write` asks for."),
      );
      expect(await store.load()).toEqual({ value: "value", version });
    });
    expect(await store.load()).toEqual({ value: "value", version });
  });

  it("a server without memory refuses saves as a whole, and is read", async () => {
    const key = freshKey();
    const store = server.open(key, client);
    await using tokens = createTokenManager({ store });
    await tokens.signIn({ accessToken: canary("access", 1), expiresAt: 1_700_000_000_000 });
    const before = await server.fields(key);
    const { version } = (await store.load()) ?? {};
    await withSettings(["maxmemory", "1", "0"], async () => {
      const saved = store.save("another", version);
      await expect(saved).rejects.toMatchObject(unavailable("Nothing was saved, because the server has reached its"));
      expect(await store.load()).toMatchObject({ version });
    });
    expect(await server.fields(key)).toEqual(before);
  });

  it("a user without rights is reported with the rights to grant", async () => {
    const rules = ["on", ">password", "~unexpired:*", "resetchannels", "+@connection", "+info", "+eval", "+@hash"];
    await server.redis.command("acl", "setuser", "limited", ...rules, "+exists", "+publish", "+del");
    const url = new URL(server.redis.url);
    Object.assign(url, { username: "limited", password: "password" });
    const store = redisStores(connectTo(url.href, client)).store(freshKey());
    await expectFailures(store, "Grant the user `+eval", ["save"]);
    expect(await store.load()).toBeUndefined(); // nothing was saved
    await server.redis.command("acl", "setuser", "limited", "&unexpired:*");
    await store.save("value", undefined);
    await server.redis.command("acl", "setuser", "limited", "-hmget");
    await expectFailures(store, "Grant the user `+eval", ["load", "save"]);
    await server.redis.command("acl", "setuser", "limited", "-eval");
    await expectFailures(store, "Grant the user `+eval");
  });

  it("the rights that the message names are enough", async () => {
    const refused = redisStores({ evaluate: () => Promise.reject(new Error("NOPERM")) }).store("a");
    const { message } = await refused.load().then(
      () => ({ message: "" }),
      (error: Error) => error,
    );
    const rules = [...message.matchAll(/`([^`]+)`/g)].flatMap(([, words = ""]) => words.split(" "));
    await server.redis.command("acl", "setuser", "enough", "on", ">password", "+@connection", "+info", ...rules);
    const url = new URL(server.redis.url);
    Object.assign(url, { username: "enough", password: "password" });
    const store = redisStores(connectTo(url.href, client)).store(freshKey());
    const version = await store.save("value", undefined);
    expect(await store.load()).toEqual({ value: "value", version });
    await store.remove();
  });

  it("a missing password, and a cluster without a server for the key, are reported with the remedy", async () => {
    await using locked = await RedisServer.start({ password: canary("secret", "redis") });
    const { store } = redisStores(connectTo(locked.url.replace(/:[^/]*@/, ""), client));
    await expectFailures(store("a"), "Give the client the password of the server.", ["load"]);
    const settings = { "cluster-enabled": "yes", "cluster-port": `${server.redis.port - 1}` };
    await using cluster = await RedisServer.start({ settings });
    await expectFailures(
      redisStores(connectTo(cluster.url, client)).store("a"),
      "Some slots of the cluster have no server.",
    );
  });

  it("tokens are hidden if the server quotes the arguments of a command, or the client attaches them", async () => {
    const TOKENS = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1) };
    await using strange = await RedisServer.start({ settings: { "rename-command": "eval other" } });
    const { evaluate } = connectTo(strange.url, client);
    const shorter: Evaluate = (_, keys, args) => evaluate("", keys, args); // the server quotes 128 characters
    for (const each of [evaluate, shorter, quoting(evaluate)]) {
      const store = redisStores({ evaluate: each }).store("a");
      const value = JSON.stringify({ schema: 1, tokens: TOKENS });
      const bare = await store.save(value, undefined).catch((error: unknown) => error);
      expect(bare).toMatchObject(unavailable("unknown command"));
      expect(shown(bare)).not.toContain("canary-");
      await using tokens = createTokenManager({ store });
      const managed = await tokens.signIn(TOKENS).catch((error: unknown) => error);
      expect(managed).toMatchObject({ code: "STORE_UNAVAILABLE" });
      expect(shown(managed)).not.toContain("canary-");
    }
  });
});

const shown = (error: unknown) =>
  [inspect(error, { depth: 8, showHidden: true }), JSON.stringify(error), (error as Error).stack].join("\n");

/** An evaluate function whose errors quote the arguments in every way. */
const quoting =
  (evaluate: Evaluate): Evaluate =>
  (script, keys, args) =>
    evaluate(script, keys, args).catch((cause: Error) => {
      const text = `${cause.message} ${JSON.stringify(args)} ${args[2]?.slice(0, 60)}...`;
      throw Object.assign(new Error(text, { cause }), { command: { name: "eval", args }, args });
    });

describe("an evaluate function", () => {
  const failing = (thrown: unknown) => redisStores({ evaluate: () => Promise.reject(thrown) }).store("a");

  it.each([
    ["nothing", undefined, "(the evaluate function failed without a message)"],
    ["an error without a message", Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }), "(ECONNREFUSED)"],
    ["an error", new Error("Socket closed"), "(Socket closed). Check that the evaluate function reaches the server"],
    ["LOADING", new Error("LOADING Redis is loading the dataset in memory"), "The server is still loading its data."],
    [
      "MISCONF",
      new Error("MISCONF Redis is configured to save"),
      "the server cannot write to its disk. Check its log.",
    ],
    ["MOVED", new Error("MOVED 1 127.0.0.1:1"), "Use the cluster client of your library."],
    ["an error of Redis 8", new Error("ERR ACL failure in script: User x has no permissions"), "Grant the user"],
    ["a long command without a password", new Error("ERR Protocol error: unauthenticated bulk length"), "the password"],
    ["BUSY", new Error("BUSY Redis is busy running a script"), "Another script blocks the server."],
    [
      "an error of Redis 6",
      new Error("ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed"),
      "Nothing was saved, because the server has reached its `maxmemory`.",
    ],
  ])("is reported if it rejects with %s", async (_, thrown, message) => {
    await expectFailures(failing(thrown), message);
  });

  it("keeps a code that is one, and nothing that could be anything else", async () => {
    const code = (value: unknown) => failing(Object.assign(new Error("failed"), { code: value })).load();
    await expect(code("ECONNRESET")).rejects.toMatchObject({ cause: { code: "ECONNRESET" } });
    await expect(code(canary("access", 1))).rejects.not.toHaveProperty("cause.code");
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("refused");
      },
    ],
    ["resolves to something else", async () => 1],
    ["resolves to buffers", async () => [Buffer.from("a"), Buffer.from("b")]],
  ])("is reported if it %s", async (_, evaluate: Evaluate) => {
    await expectFailures(redisStores({ evaluate }).store("a"), "cannot be used");
  });
});
