import * as z from "zod/mini";
import { StoreConflictError, StoreError } from "../errors.ts";
import type { StoredValue, TokenStore } from "../types.ts";
import { checkOptions, type OptionTable } from "../util/check-options.ts";
import { systemClock } from "../util/clock.ts";
import { withDeadline } from "../util/deadline.ts";
import { describeType } from "../util/describe-type.ts";
import { Listeners } from "../util/listeners.ts";

/** An object that gets, sets and deletes strings by key. Its methods may be asynchronous. */
export interface KeyValue {
  get(key: string): unknown;
  set(key: string, value: string): unknown;
  delete(key: string): unknown;
}

/** Options of {@link fromKeyValue}. */
export interface KeyValueOptions {
  /** The key of the session. Default `"unexpired"`. */
  readonly key?: string | undefined;
}

const VERSIONS_KEPT = 100;
/** In milliseconds. */
const DEADLINE = 30_000;

/** A store over a key-value object. */
export interface KeyValueStore extends TokenStore {
  /** Whether a write to the session that bypassed this store has been detected. */
  readonly isShared: boolean;
}

const PREFIX = "unexpired"; // not JSON, because some key-value libraries parse the JSON that they read
const UNREADABLE = "unreadable-"; // begins the versions of what cannot be read

/**
 * Creates a store from a key-value object. Such an object has no compare-and-set, so `supports.compareAndSet` is
 * `"process"` and covers only the returned store: managers that share it are safe. Two stores over the same object are
 * not, whether in one process or in several: each may overwrite what the other has just saved, and the session is lost.
 * A manager that detects such a write emits the event `store-shared`.
 *
 * @throws TypeError if `get`, `set` or `delete` is missing, or `key` is not a non-empty string
 */
export function fromKeyValue(keyValue: KeyValue, options: KeyValueOptions = {}): KeyValueStore {
  check(keyValue);
  const { key = "unexpired" } = checkOptions("fromKeyValue", optionTable, options);
  const location = `The key "${key}"`;
  let isShared = false;
  const known = new Set<string>(); // versions that this store has written or read
  const remember = (version: string) => {
    known.add(version);
    if (known.size > VERSIONS_KEPT) known.delete(known.values().next().value ?? "");
  };
  const unreadableVersion = versionsOfUnreadable();
  const notice = (found: unknown): StoredValue | undefined => {
    const stored = parse(found, location, unreadableVersion);
    isShared ||= stored !== undefined && known.size > 0 && !known.has(stored.version);
    if (stored) remember(stored.version);
    return stored;
  };
  const [read, write] = serialize(keyValue, key);
  const watchers = new Listeners<[]>();
  return {
    get isShared() {
      return isShared;
    },
    supports: { compareAndSet: "process", durable: false },
    describe: () => location,
    load: async () => notice(await read()),
    save: (value, expected) =>
      write(async () => {
        const found = await keyValue.get(key);
        const isOver = expected?.startsWith(UNREADABLE);
        if ((isOver ? unreadableVersion(found) : notice(found)?.version) !== expected)
          throw new StoreConflictError(location);
        if (isOver) await keyValue.set(`${key}.${expected}`, `${found}`); // the copy
        const version = systemClock.randomId();
        remember(version);
        await keyValue.set(key, `${PREFIX} ${version} ${value}`);
        watchers.call();
        return version;
      }),
    remove: () =>
      write(async () => {
        await keyValue.delete(key);
        watchers.call();
      }),
    watch: (onChange) => watchers.add(onChange),
  };
}

/** Runs writes one at a time, and repeats a read that overlapped one: some libraries write a value in place. */
function serialize(keyValue: KeyValue, key: string) {
  let queue: Promise<unknown> = Promise.resolve();
  const read = async (): Promise<unknown> => {
    const before = queue;
    await before;
    const found = await keyValue.get(key);
    return before === queue ? found : read();
  };
  const write = <T>(run: () => Promise<T>): Promise<T> => {
    const turn = queue.then(run);
    // a write that never ends must not block all later ones
    queue = withDeadline(() => turn, systemClock, { milliseconds: DEADLINE, message: "", keepAlive: false }).catch(
      () => {},
    );
    return turn;
  };
  return [read, write] as const;
}

const optionTable = {
  key: [z.string().check(z.minLength(1)), "a non-empty string"],
} as const satisfies OptionTable & Record<keyof KeyValueOptions, unknown>;

function check(keyValue: KeyValue): void {
  for (const method of ["get", "set", "delete"] as const) {
    const type = describeType(keyValue?.[method]);
    if (type !== "a function")
      throw new TypeError(`fromKeyValue: expected an object with get, set and delete; ${method} is ${type}.`);
  }
}

function parse(
  found: unknown,
  location: string,
  unreadableVersion: (found: unknown) => string | undefined,
): StoredValue | undefined {
  if (found === undefined || found === null) return undefined;
  const stored = parseOwn(found);
  if (stored) return stored;
  const version = unreadableVersion(found);
  throw new StoreError("STORE_UNREADABLE", {
    location,
    problem: "contains a value that was not saved by this library",
    hint: `It was left unchanged. Choose another key, or ${version ? 'call signIn(tokens, { over: "unreadable" }).' : "delete this one and sign in again."}`,
    version,
  });
}

function parseOwn(found: unknown): StoredValue | undefined {
  const [, version, value] = (typeof found === "string" && /^unexpired (\S+) (.*)$/s.exec(found)) || [];
  return version !== undefined && value !== undefined ? { version, value } : undefined;
}

/** Returns a function that gives a text of another program a version, over which `save` replaces it. Only texts can be copied. */
function versionsOfUnreadable(): (found: unknown) => string | undefined {
  let last: { readonly text: string; readonly version: string } | undefined;
  return (found) => {
    if (typeof found !== "string" || parseOwn(found)) return undefined;
    if (last?.text !== found) last = { text: found, version: UNREADABLE + systemClock.randomId() };
    return last.version;
  };
}
