import { randomUUID } from "node:crypto";
import { type RedisStoresOptions, redisStores } from "@unexpired/store-redis";
import { missingRedis, RedisServer } from "@unexpired-internal/engines/redis";
import { afterAll, beforeAll, beforeEach, onTestFinished } from "vitest";
import { type Client, type Connected, clients } from "./clients.ts";

/** A Redis server for the tests of a file. Its members are there when a test runs. */
export class TestServer {
  #server: RedisServer | undefined;

  /** Starts it before the tests of the file, and stops it afterwards. Skips them if Redis is missing. */
  static use(start: () => Promise<RedisServer> = RedisServer.start): TestServer {
    const server = new TestServer();
    const missing = missingRedis();
    if (missing === undefined)
      beforeAll(async () => {
        server.#server = await start();
      });
    else beforeEach((ctx) => ctx.skip(missing));
    afterAll(() => server.#server?.[Symbol.asyncDispose]());
    return server;
  }

  get redis(): RedisServer {
    if (!this.#server) throw new Error("The Redis server has not been started.");
    return this.#server;
  }

  /** Connects a client until the test ends. */
  connect(client: Client): Connected["options"] {
    return connectTo(this.redis.url, client);
  }

  /** Opens the store of a key through a client, without notifications. */
  open(key: string, client: Client = "redis", options: Partial<RedisStoresOptions> = {}) {
    const { evaluate } = this.connect(client);
    return redisStores({ evaluate, ...options }).store(key);
  }

  /** Returns the fields of a session. */
  async fields(key: string): Promise<Record<string, string>> {
    const words = (await this.redis.command("--json", "hgetall", `unexpired:${key}`)) || "{}";
    return JSON.parse(words);
  }
}

/** Connects a client to a URL until the test ends. */
export function connectTo(url: string, client: Client): Connected["options"] {
  const connected = clients[client](url);
  onTestFinished(() => connected[Symbol.asyncDispose]());
  return connected.options;
}

/** The names of the clients, for `describe.each`. */
export const CLIENTS = Object.keys(clients) as Client[];

/** A new key. */
export const freshKey = (): string => `user:${randomUUID()}`;

/** How long `expect.poll` waits. */
export const SOON = { timeout: 10_000 };
