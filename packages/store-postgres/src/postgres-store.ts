import { describeRecord, StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import { SERIALIZATION_FAILURE, sqlStateOf, standbyError, toStoreError } from "./errors.ts";
import type { PostgresNotifications } from "./notifications.ts";
import { type Query, type Row, rowsOf } from "./query.ts";
import { insert, load, notifying, remove, update } from "./statements.ts";
import { DEFAULT_TABLE, quoteTable } from "./table.ts";
import { decodeText, encodeText } from "./text.ts";

/** Options of {@link postgresStore}. */
export interface PostgresStoreOptions {
  /** Runs a statement on the primary server, outside of any transaction. See {@link Query}. */
  readonly query: Query;
  /**
   * Names the session: 1 to 500 characters, such as the ID of a user. Appears in error messages and in notifications, so it
   * must not be a secret.
   */
  readonly key: string;
  /** The table: `name` or `schema.name`, case-sensitive. Default `unexpired_sessions`. `migrate` creates it. */
  readonly table?: string | undefined;
  /** Notifies other processes of saves, and this one of theirs. If omitted, they look at a session again when it is used. */
  readonly notifications?: PostgresNotifications | undefined;
  /**
   * Whether the server has written a commit to its disk before it reports it. Default `true`, as PostgreSQL does. Set it to
   * `false` if `synchronous_commit` is `off` for these connections.
   */
  readonly durable?: boolean | undefined;
}

const LONGEST_KEY = 500; // characters: an index entry takes 2,700 bytes
const ATTEMPTS = 5;
const LAST_TIME = 8.64e15; // ms; the latest that a Date can represent, and PostgreSQL as well

/**
 * Creates a store for the session with that key in a table of PostgreSQL, which any number of machines can share. Each
 * operation is one statement: no lock, no open transaction and no connection is held in between.
 *
 * @throws TypeError if an option is invalid
 */
export const postgresStore = (options: PostgresStoreOptions): TokenStore => new PostgresStore(options);

class PostgresStore implements TokenStore {
  readonly supports: TokenStore["supports"];
  readonly watch?: (onChange: () => void) => () => void;
  readonly #query: Query;
  readonly #key: string;
  readonly #table: string;
  readonly #notifications: PostgresNotifications | undefined;

  constructor({ query, key, table = DEFAULT_TABLE, notifications, durable = true }: PostgresStoreOptions) {
    if (typeof query !== "function") throw new TypeError('"query" must be a function.');
    if (!isKey(key)) throw new TypeError(`"key" must be 1 to ${LONGEST_KEY} characters of text, without U+0000.`);
    this.supports = { compareAndSet: "cluster", durable };
    this.#query = query;
    this.#key = key;
    this.#table = quoteTable(table);
    this.#notifications = notifications;
    if (notifications) this.watch = (onChange) => notifications.watch(key, onChange);
  }

  describe(): string {
    return `The PostgreSQL row "${this.#key}" of the table "${this.#table.replaceAll('"', "")}"`;
  }

  async load(): Promise<StoredValue | undefined> {
    const [row] = await this.#repeat(() => this.#run(load(this.#table), [this.#key]));
    if (row?.standby !== "false") throw standbyError(this.describe());
    const { version, value } = row;
    return typeof version === "string" && typeof value === "string" ? { version, value: decodeText(value) } : undefined;
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    const version = crypto.randomUUID();
    const params = [this.#key, version, encodeText(value), ...columnsOf(value)];
    const saved =
      expected === undefined
        ? this.#change(insert(this.#table), params)
        : this.#change(update(this.#table), [...params, expected]);
    const rows = await saved.catch((error: unknown) => {
      if (sqlStateOf(error) === SERIALIZATION_FAILURE) return []; // the server undid it: another save came first
      throw toStoreError(error, this.describe(), value);
    });
    if (rows.length === 0) throw new StoreConflictError(this.describe());
    return version;
  }

  async remove(): Promise<void> {
    await this.#repeat(() => this.#change(remove(this.#table), [this.#key]));
  }

  /** Runs a statement that ends with `returning`, and notifies the other processes if it changes the row. */
  #change(sql: string, params: (string | null)[]): Promise<readonly Row[]> {
    if (!this.#notifications) return this.#run(sql, params);
    const { channel } = this.#notifications;
    return this.#run(`${sql}${notifying(params.length + 1)}`, [...params, channel, this.#key]);
  }

  async #run(sql: string, params: (string | null)[]): Promise<readonly Row[]> {
    return rowsOf(await this.#query(sql, params), this.describe());
  }

  /** Repeats what may be done twice if the server undid it, because another transaction changed the row at that moment. */
  async #repeat(run: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        if (attempt < ATTEMPTS && sqlStateOf(error) === SERIALIZATION_FAILURE) continue;
        throw toStoreError(error, this.describe());
      }
    }
  }
}

const isKey = (key: unknown): boolean =>
  typeof key === "string" && key !== "" && key.length <= LONGEST_KEY && !key.includes("\0") && isWellFormed(key);

/** Whether the text has no half of a surrogate pair: all of these would become the same character. */
const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);

/** Returns the columns for people: status, reason, and the expiry in seconds. All NULL if the value is sealed. */
function columnsOf(value: string): (string | null)[] {
  const { status = null, reason = null, expiresAt = -1 } = { ...describeRecord(value) };
  const isTime = expiresAt >= 0 && expiresAt <= LAST_TIME;
  return [status, reason && encodeText(reason), isTime ? `${expiresAt / 1000}` : null];
}
