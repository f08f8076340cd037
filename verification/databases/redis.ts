import { redisStores } from "@unexpired/store-redis";
import { Forwarder } from "@unexpired-internal/engines/forwarder";
import { missingRedis, RedisServer } from "@unexpired-internal/engines/redis";
import { Redis } from "ioredis";
import type { Database, DatabaseKind, Stores } from "./database.ts";

const TIMEOUT = 2_000; // ms, for a command
const PREFIX = "unexpired:";

/** Redis, behind an address that stays the same when a replica takes over. */
export class RedisDatabase implements Database {
  primary: RedisServer;
  readonly #address: Forwarder;
  readonly #servers: RedisServer[];

  constructor(primary: RedisServer, address: Forwarder) {
    this.primary = primary;
    this.#address = address;
    this.#servers = [primary];
  }

  open(): Stores {
    const url = this.primary.urlAt(this.#address.port);
    const redis = new Redis(url, {
      commandTimeout: TIMEOUT,
      maxRetriesPerRequest: 1,
      autoResendUnfulfilledCommands: false,
    }).on("error", () => {}); // commands fail as well
    const stores = redisStores({
      evaluate: (script, keys, args) => redis.eval(script, keys.length, ...keys, ...args),
      subscribe(channel, { onMessage, onReady, onDisconnect }) {
        const subscriber = new Redis(url, { autoResubscribe: false, maxRetriesPerRequest: null });
        subscriber.on("error", () => {}).on("close", onDisconnect);
        subscriber.on("message", (_, message) => onMessage(message));
        subscriber.on("ready", () => void subscriber.subscribe(channel).then(onReady, () => {}));
        return () => subscriber.disconnect();
      },
    });
    return { store: stores.store, [Symbol.asyncDispose]: async () => redis.disconnect() };
  }

  restart(): Promise<void> {
    return this.primary.restart();
  }

  stop(): Promise<void> {
    return this.primary.stop();
  }

  start(): Promise<void> {
    return this.primary.start();
  }

  pause(): void {
    this.primary.pause();
  }

  resume(): void {
    this.primary.resume();
  }

  read(key: string): Promise<string> {
    return this.primary.command("hget", `${PREFIX}${key}`, "value");
  }

  async swap(one: string, other: string): Promise<void> {
    const [spare, first, second] = [`${PREFIX}spare`, `${PREFIX}${one}`, `${PREFIX}${other}`];
    await this.primary.command("rename", first, spare);
    await this.primary.command("rename", second, first);
    await this.primary.command("rename", spare, second);
  }

  /** Starts a replica that has a copy of everything so far, and receives nothing more. */
  async startStaleReplica(): Promise<RedisServer> {
    const replica = await this.primary.startReplica();
    this.#servers.push(replica);
    await replica.promote(); // from now on; if it were only stopped, it would read what the kernel has buffered
    return replica;
  }

  /** The primary server crashes, and a replica takes over with what it has. */
  async failOver(replica: RedisServer): Promise<void> {
    this.#address.switchTo(undefined);
    await this.primary.crash();
    this.primary = replica;
    this.#address.switchTo(replica.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#address[Symbol.asyncDispose]();
    for (const server of this.#servers) await server[Symbol.asyncDispose]();
  }
}

export const redisKind: DatabaseKind<RedisDatabase> = {
  title: "Redis",
  missing: missingRedis,
  async start() {
    const primary = await RedisServer.start();
    return new RedisDatabase(primary, await Forwarder.start(primary.port));
  },
};
