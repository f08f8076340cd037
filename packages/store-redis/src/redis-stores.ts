import type { Clock, TokenStore } from "@unexpired/core";
import { systemClock } from "@unexpired/core/adapter";
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
  /** How long an operation waits for its reply, in milliseconds. Default 5,000. */
  readonly timeout?: number | undefined;
  /**
   * How long refreshes wait after a reconnect for other processes to restore what a failover may have undone, in milliseconds.
   * Default 2,000, at most 10,000. Needs `subscribe`.
   */
  readonly settleTime?: number | undefined;
  /** Time and timers, for tests. Default: the system's. */
  readonly clock?: Clock | undefined;
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

const LONGEST_SETTLE_TIME = 10_000; // ms; a manager waits no longer
const LONGEST_TIMEOUT = 30_000; // ms; likewise

/**
 * Creates stores for sessions in Redis or Valkey, which any number of machines can share: one hash per session, one script per
 * operation, and one subscription for all.
 *
 * @throws TypeError if an option is invalid
 */
export function redisStores(options: RedisStoresOptions): RedisStores {
  assertValid(options);
  const { evaluate, subscribe, scan, prefix = "unexpired:", durable = false, clock = systemClock } = options;
  const { timeout = 5_000, settleTime = 2_000 } = options;
  const channel = `${prefix}changed`;
  const supports = { compareAndSet: "cluster", durable } as const;
  const backend: Backend = { evaluate, prefix, channel, timeout, clock, supports };
  const notifications = subscribe && new Notifications({ subscribe, channel, settleTime, clock });
  return {
    store(key) {
      if (!isText(key) || key === "") throw new TypeError('"key" must be text of at least one character.');
      return notifications ? new WatchedRedisStore(backend, key, notifications) : new RedisStore(backend, key);
    },
    ...(scan && { list: () => listKeys(scan, prefix) }),
  };
}

function assertValid({
  evaluate,
  subscribe,
  scan,
  prefix = "",
  timeout = 1,
  settleTime = 0,
}: RedisStoresOptions): void {
  for (const [name, value = evaluate] of Object.entries({ evaluate, subscribe, scan })) {
    if (typeof value !== "function") throw new TypeError(`"${name}" must be a function.`);
  }
  if (!isText(prefix)) throw new TypeError('"prefix" must be text.');
  if (!(timeout >= 1 && timeout <= LONGEST_TIMEOUT))
    throw new TypeError(`"timeout" must be 1 to ${LONGEST_TIMEOUT} milliseconds.`);
  if (!(settleTime >= 0 && settleTime <= LONGEST_SETTLE_TIME))
    throw new TypeError(`"settleTime" must be 0 to ${LONGEST_SETTLE_TIME} milliseconds.`);
}

/** Whether it is text without half of a surrogate pair: all of these would become the same character. */
const isText = (text: unknown): boolean => typeof text === "string" && !/\p{Surrogate}/u.test(text);
