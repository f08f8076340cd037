import {
  type Clock,
  describeRecord,
  StoreConflictError,
  type StoredValue,
  StoreError,
  type TokenStore,
} from "@unexpired/core";
import { toStoreError, unreadableError } from "./errors.ts";
import type { Notifications } from "./notifications.ts";
import { LOAD, REMOVE, SAVE, UNREADABLE } from "./scripts.ts";

/**
 * Runs a Lua script on the primary server, as `EVAL` does, and resolves to its reply: `redis.eval(script, keys.length, ...keys,
 * ...args)` of ioredis, `client.eval(script, { keys, arguments: args })` of node-redis. There is exactly one key.
 */
export type Evaluate = (script: string, keys: string[], args: string[]) => Promise<unknown>;

/** The part that all stores of a server share. */
export interface Backend {
  readonly evaluate: Evaluate;
  readonly prefix: string;
  readonly channel: string;
  /** In milliseconds. */
  readonly timeout: number;
  readonly clock: Clock;
  readonly supports: TokenStore["supports"];
}

/** The session of one key. Servers hold thousands, so it has no members of its own but these two. */
export class RedisStore implements TokenStore {
  readonly #backend: Backend;
  readonly #key: string;

  constructor(backend: Backend, key: string) {
    this.#backend = backend;
    this.#key = key;
  }

  get supports(): TokenStore["supports"] {
    return this.#backend.supports;
  }

  describe(): string {
    return `The Redis key "${this.#backend.prefix}${this.#key}"`;
  }

  async load(): Promise<StoredValue | undefined> {
    const reply = await this.#evaluate(LOAD, []);
    if (!Array.isArray(reply)) throw this.#unexpected();
    const [version, value]: unknown[] = reply;
    if (version === undefined) return undefined;
    if (typeof version !== "string" || typeof value !== "string") throw this.#unexpected();
    return { version, value };
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    const version = crypto.randomUUID(); // a counter would repeat after a failover
    const { channel, clock } = this.#backend;
    const args = [expected ?? "", version, value, channel, this.#key, textOf(clock.now()), ...fieldsOf(value)];
    const reply = await this.#evaluate(SAVE, args, value);
    if (reply === "conflict") throw new StoreConflictError(this.describe());
    if (reply !== "saved") throw this.#unexpected();
    return version;
  }

  async remove(): Promise<void> {
    const reply = await this.#evaluate(REMOVE, [this.#backend.channel, this.#key]);
    if (reply !== "removed") throw this.#unexpected();
  }

  async #evaluate(script: string, args: string[], value?: string): Promise<unknown> {
    const { evaluate, prefix } = this.#backend;
    try {
      const reply = await withTimeout(evaluate(script, [`${prefix}${this.#key}`], args), this.#backend);
      if (reply !== UNREADABLE) return reply;
    } catch (error) {
      throw toStoreError(error, this.describe(), value);
    }
    throw unreadableError(this.describe());
  }

  #unexpected(): StoreError {
    return new StoreError("STORE_UNAVAILABLE", {
      location: this.describe(),
      problem: "cannot be used, because the evaluate function did not resolve to the reply of the script",
      hint: "Pass a function that resolves to the reply of EVAL, with strings as strings.",
    });
  }
}

/** A store that is notified of changes. */
export class WatchedRedisStore extends RedisStore {
  readonly #notifications: Notifications;
  readonly #watchedKey: string;

  constructor(backend: Backend, key: string, notifications: Notifications) {
    super(backend, key);
    this.#notifications = notifications;
    this.#watchedKey = key;
  }

  watch(onChange: () => void): () => void {
    return this.#notifications.watch(this.#watchedKey, onChange);
  }

  settled(): Promise<void> {
    return this.#notifications.settled();
  }
}

/** Waits for a reply: some clients wait forever for a server that has stopped. A call that waits keeps the process alive. */
async function withTimeout(reply: Promise<unknown>, { clock, timeout }: Backend): Promise<unknown> {
  let cancel = () => {};
  const expired = new Promise<never>((_, reject) => {
    cancel = clock.setTimer(() => reject(new Error(`no reply within ${timeout} ms`)), timeout, true);
  });
  try {
    return await Promise.race([reply, expired]);
  } finally {
    cancel();
  }
}

const LAST_TIME = 8.64e15; // ms; the latest that a Date can represent

/** Returns the fields for people: status, reason and expiry. Those that have nothing to tell are empty. */
function fieldsOf(value: string): string[] {
  const { status = "", reason = "", expiresAt = -1 } = { ...describeRecord(value) };
  const isTime = expiresAt >= 0 && expiresAt <= LAST_TIME;
  return [status, reason, isTime ? textOf(expiresAt) : ""];
}

const textOf = (time: number): string => new Date(time).toISOString();
