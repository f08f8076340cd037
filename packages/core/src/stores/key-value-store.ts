import * as z from "zod/mini";
import { StoreConflictError, StoreError } from "../errors.ts";
import type { StoredValue, TokenStore } from "../types.ts";
import { checkOptions, type OptionTable } from "../util/check-options.ts";
import { randomId, systemClock } from "../util/clock.ts";
import { typeOf } from "../util/describe-type.ts";

/** A plain get/set/delete object over strings. Its methods may be asynchronous. */
export interface KeyValue {
  get(key: string): unknown;
  set(key: string, value: string): unknown;
  delete(key: string): unknown;
}

/** Options of {@link fromKeyValue}. */
export interface KeyValueOptions {
  /** Under which key the session is kept. Default `"unexpired"`. */
  readonly key?: string | undefined;
}

const VERSIONS_KEPT = 100;

/** A store over a key-value object. */
export interface KeyValueStore extends TokenStore {
  /** Whether somebody was seen to write the session past this store. */
  readonly isShared: boolean;
}

const PREFIX = "unexpired"; // not JSON, so that key-value libraries which parse what they read leave it alone

/**
 * Makes a store of a key-value object. Such an object cannot compare and set, so `supports.compareAndSet` is
 * `"process"`, and holds for this one store: managers that share it are safe. Two stores made over one backing are not,
 * in one process or in several: each of them may overwrite what the other has just saved, and a session is lost. A
 * manager that sees another's write says so with the event `degraded`.
 *
 * @throws TypeError where `get`, `set` or `delete` is missing, or `key` is no string
 */
export function fromKeyValue(keyValue: KeyValue, options: KeyValueOptions = {}): KeyValueStore {
  check(keyValue);
  checkOptions("fromKeyValue", optionTable, options);
  const { key = "unexpired" } = options;
  const place = `The key "${key}"`;
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const turn = queue.then(run);
    queue = turn.catch(() => {});
    return turn;
  };
  let isShared = false;
  const known = new Set<string>(); // versions that we wrote or have seen
  const know = (version: string) => {
    known.add(version);
    if (known.size > VERSIONS_KEPT) known.delete([...known][0] ?? "");
  };
  const load = async (): Promise<StoredValue | undefined> => {
    const stored = parse(await keyValue.get(key), place);
    isShared ||= stored !== undefined && known.size > 0 && !known.has(stored.version);
    if (stored) know(stored.version);
    return stored;
  };
  return {
    get isShared() {
      return isShared;
    },
    supports: { compareAndSet: "process", durable: false },
    describe: () => place,
    load,
    save: (value, expected) =>
      inTurn(async () => {
        if ((await load())?.version !== expected) throw new StoreConflictError(place);
        const version = randomId(systemClock);
        know(version);
        await keyValue.set(key, `${PREFIX} ${version} ${value}`);
        return version;
      }),
    remove: () => inTurn(async () => void (await keyValue.delete(key))),
  };
}

const optionTable = {
  key: [z.string().check(z.minLength(1)), "a non-empty string"],
} as const satisfies OptionTable & Record<keyof KeyValueOptions, unknown>;

function check(keyValue: KeyValue): void {
  const missing = (["get", "set", "delete"] as const).find((method) => typeof keyValue?.[method] !== "function");
  if (missing === undefined) return;
  const type = typeOf(keyValue?.[missing]);
  throw new TypeError(`fromKeyValue: expected an object with get, set and delete; ${missing} is ${type}.`);
}

function parse(found: unknown, place: string): StoredValue | undefined {
  if (found === undefined || found === null) return undefined;
  const [, version, value] = (typeof found === "string" && /^unexpired (\S+) (.*)$/s.exec(found)) || [];
  if (version !== undefined && value !== undefined) return { version, value };
  throw new StoreError("STORE_UNREADABLE", {
    place,
    problem: "holds something that was not saved by this library",
    advice: "It was left as it is. Choose another key, or delete it and sign in again.",
  });
}
