import type { TokenStore } from "@unexpired/core";
import { Notifications, type Subscribe } from "./notifications.ts";
import { type Backend, type Evaluate, RedisStore, WatchedRedisStore } from "./redis-store.ts";
import { listKeys, type Scan } from "./scan.ts";

/** Options of {@link redisStores}. */
export interface RedisStoresOptions {
  /** Runs a script on the primary server. See {@link Evaluate}. */
  readonly evaluate: Evaluate;
  /** Subscribes to a channel. See {@link Subscribe}. If omitted, a process looks at a session again when it is used. */
  readonly subscribe?: Subscribe | undefined;
  /** Finds the keys that match a pattern. See {@link Scan}. Needed for `list` only. */
  readonly scan?: Scan | undefined;
  /** Begins all keys and the channel. Default `unexpired:`. */
  readonly prefix?: string | undefined;
  /**
   * Whether the server has written a save to its disk before it replies: `appendonly yes` and `appendfsync always`. Default
   * `false`.
   */
  readonly durable?: boolean | undefined;
  /**
   * How long refreshes wait after a reconnect for other processes to restore what a failover may have undone, in milliseconds.
   * Default 2,000. Needs `subscribe`.
   */
  readonly settleTime?: number | undefined;
}

/** The sessions of a Redis server. Both functions work without `this`. */
export interface RedisStores {
  /**
   * Returns the store for the session with that key, such as the ID of a user. It appears in error messages and in
   * notifications, so it must not be a secret.
   *
   * @throws TypeError if the key is not text of at least one character
   */
  readonly store: (key: string) => TokenStore;
  /**
   * Lists the keys of all sessions, dead ones included, each once and in no order. One that is created or removed in the
   * meantime may be listed or not. `undefined` without the option `scan`.
   *
   * @throws StoreError (`STORE_UNAVAILABLE`) if the server cannot be reached
   */
  readonly list?: () => AsyncIterable<string>;
}

const SETTLE_TIME = 2_000; // ms

/**
 * Creates stores for sessions in Redis or Valkey, which any number of machines can share: one hash per session, one script per
 * operation, and one subscription for all.
 *
 * @throws TypeError if an option is invalid
 */
export function redisStores(options: RedisStoresOptions): RedisStores {
  const { evaluate, subscribe, scan, prefix = "unexpired:", durable = false, settleTime = SETTLE_TIME } = options;
  assertFunction("evaluate", evaluate);
  assertFunction("subscribe", subscribe ?? evaluate);
  assertFunction("scan", scan ?? evaluate);
  if (!isText(prefix)) throw new TypeError('"prefix" must be text.');
  if (!(settleTime >= 0 && settleTime <= 10_000)) throw new TypeError('"settleTime" must be 0 to 10,000 ms.');
  const channel = `${prefix}changed`;
  const backend: Backend = { evaluate, prefix, channel, supports: { compareAndSet: "cluster", durable } };
  const notifications = subscribe && new Notifications({ subscribe, channel, settleTime });
  return {
    store(key) {
      if (!isText(key) || key === "") throw new TypeError('"key" must be text of at least one character.');
      return notifications ? new WatchedRedisStore(backend, key, notifications) : new RedisStore(backend, key);
    },
    ...(scan && { list: () => listKeys(scan, prefix) }),
  };
}

function assertFunction(name: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`"${name}" must be a function.`);
}

/** Whether it is text without half of a surrogate pair: all of these would become the same character. */
const isText = (text: unknown): boolean => typeof text === "string" && !/\p{Surrogate}/u.test(text);
