import { randomUUID } from "node:crypto";
import { StoreConflictError, StoreError, type TokenStore } from "@unexpired/core";
import { RedisConnection, subscribe } from "./redis-connection.ts";

/** The key holds the version, a space and the value. Redis runs a script atomically. */
const SAVE = `
  local version = (redis.call("GET", KEYS[1]) or "none "):match("^(%S+) ")
  if version ~= ARGV[1] then return version and "conflict" or "unreadable" end
  redis.call("SET", KEYS[1], ARGV[2] .. " " .. ARGV[3])
  redis.call("PUBLISH", KEYS[1], "saved")
  return "saved"
`;

export interface RedisStoreOptions {
  /** A URL with the scheme `redis:`, `rediss:` or `unix:`. */
  readonly url: string;
  readonly key: string;
  /**
   * Whether the server syncs each write before it responds: `appendonly yes`, `appendfsync always`. Default `false`.
   */
  readonly durable?: boolean;
}

/** Stores a session under a key of a Redis server, which any number of hosts can share. */
export function redisStore({ url, key, durable = false }: RedisStoreOptions): TokenStore & AsyncDisposable {
  const { host, pathname } = new URL(url); // without the password
  const location = `The Redis key "${key}" at ${host}${pathname}`;
  const redis = new RedisConnection(url, location);
  const unreadable = () =>
    new StoreError("STORE_UNREADABLE", {
      location,
      problem: "contains a value that this store did not save",
      hint: "The value was not changed. Choose another key.",
    });
  return {
    supports: { compareAndSet: "cluster", durable },
    describe: () => location,
    async load() {
      const stored = await redis.run((client) => client.get(key));
      if (stored === null) return undefined;
      const [, version, value] = /^(\S+) (.*)$/s.exec(stored) ?? [];
      if (version !== undefined && value !== undefined) return { version, value };
      throw unreadable();
    },
    async save(value, expected) {
      const version = randomUUID(); // a counter would repeat if the server lost data or a replica took over
      const request = { keys: [key], arguments: [expected ?? "none", version, value] };
      const result = await redis.run((client) => client.eval(SAVE, request));
      if (result === "unreadable") throw unreadable();
      if (result === "conflict") throw new StoreConflictError(location);
      return version;
    },
    async remove() {
      await redis.run((client) => client.multi().del(key).publish(key, "removed").exec());
    },
    watch: (onChange) => subscribe(url, key, onChange),
    [Symbol.asyncDispose]: async () => redis.close(),
  };
}
