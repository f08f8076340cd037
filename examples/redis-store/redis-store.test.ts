import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createTokenManager } from "@unexpired/core";
import { describeTokenStore, fork, startIssuer } from "@unexpired/testing";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasRedis, RedisServer } from "./redis-server.ts";
import { redisStore } from "./redis-store.ts";

const module = new URL("open-store.ts", import.meta.url);
/** A command prefix that runs a process with pid 1 and its own UTS namespace, as in a container. */
const CONTAINER = ["unshare", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child"];
const canCreateNamespaces = () => spawnSync(CONTAINER[0] ?? "", [...CONTAINER.slice(1), "true"]).status === 0;
const HOSTS = 4;
const HOUR = 3_600_000;

const server = new RedisServer();
const freshLocation = () => ({ url: server.url, key: `session:${randomUUID()}`, durable: true });

/** Runs a command on the server through a separate client. */
async function administer(...command: string[]): Promise<void> {
  const client = await createClient({ url: server.url }).connect();
  await client.sendCommand(command);
  client.destroy();
}

function contract(): void {
  describeTokenStore(
    { describe, it },
    {
      create() {
        const argument = freshLocation();
        return {
          open: () => redisStore(argument),
          openNeighbor: () => redisStore({ ...argument, key: `${argument.key}:2` }),
          childProcess: { module, argument },
          damage: () => administer("SET", argument.key, "?"),
          async interrupt() {
            await server.kill();
            return () => server.start();
          },
          wipe: () => administer("DEL", argument.key),
        };
      },
    },
  );
}

function severalHosts(): void {
  it(`keeps one session alive through 3 expiries on ${HOSTS} hosts, with one exchange each`, async (ctx) => {
    if (!canCreateNamespaces()) ctx.skip("not applicable: this user cannot create namespaces");
    const argument = freshLocation();
    await using issuer = await startIssuer();
    await using store = redisStore(argument);
    await using tokens = createTokenManager({ store });
    await tokens.signIn(issuer.signIn());
    const task = { do: "session", tokenEndpoint: issuer.tokenEndpoint } as const;
    await using hosts = new AsyncDisposableStack();
    const processes = Array.from({ length: HOSTS }, () =>
      hosts.use(fork({ module, argument }, task, { within: CONTAINER })),
    );
    for (const each of processes) await each.next();
    for (let expiry = 1; expiry <= 3; expiry++) {
      for (const each of processes) each.send(expiry * 2 * HOUR);
      const given = await Promise.all(processes.map((each) => each.next()));
      expect(new Set(given).size, String(given)).toBe(1);
      expect(issuer).toMatchObject({ exchanges: expiry, revoked: 0 });
    }
  });
}

function outages(): void {
  it("keeps an accepted save when the server is killed, and works again once the server restarts", async () => {
    await using store = redisStore(freshLocation());
    const version = await store.save("value", undefined);
    await server.kill();
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await server.start();
    expect(await store.load()).toEqual({ value: "value", version });
  });

  it("notifies watchers of a save after the server restarts", async () => {
    await using store = redisStore(freshLocation());
    const changes = new EventTarget();
    const change = () => changes.dispatchEvent(new Event("change"));
    const subscribed = once(changes, "change");
    const stop = store.watch?.(change);
    await subscribed;
    await server.kill();
    const subscribedAgain = once(changes, "change");
    await server.start();
    await subscribedAgain;
    const notified = once(changes, "change");
    await store.save("value", undefined);
    await notified;
    stop?.();
  });

  it("reports STORE_UNAVAILABLE if the server does not respond", async () => {
    await using store = redisStore(freshLocation());
    await store.load();
    server.signal("SIGSTOP");
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    server.signal("SIGCONT");
    expect(await store.load()).toBeUndefined();
  });
}

function errors(): void {
  it("reports STORE_UNREADABLE if the key holds another program's data", async () => {
    const { key, url } = freshLocation();
    await administer("RPUSH", key, "a list");
    await expect(redisStore({ key, url }).load()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
  });

  it("hides the password", async () => {
    const store = redisStore({ url: "redis://user:secret@127.0.0.1:1", key: "session" });
    expect(store.describe()).toBe('The Redis key "session" at 127.0.0.1:1');
    const error = await store.load().catch((reason: Error) => `${reason.stack} ${reason.cause}`);
    expect(error).toContain("127.0.0.1:1");
    expect(error).not.toContain("secret");
  });
}

describe("redisStore", () => {
  if (!hasRedis()) return it("keeps the store contract", (ctx) => ctx.skip("redis-server is not installed"));
  beforeAll(() => server.start());
  afterAll(() => server[Symbol.asyncDispose]());
  contract();
  severalHosts();
  outages();
  errors();
});
