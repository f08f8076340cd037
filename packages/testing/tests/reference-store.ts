import { createHash, randomUUID } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";

/** A stored row. `value` is a string unless it was damaged. */
export interface Row {
  readonly value: unknown;
  readonly version: string;
}

const SET_UP = `
  PRAGMA busy_timeout = 10000;
  PRAGMA synchronous = OFF;
  CREATE TABLE IF NOT EXISTS session (name TEXT PRIMARY KEY, value, version TEXT);`;
const POLL = 20; // ms
const OVER = "over ";

/** The password that a store over a network would be opened with. The reference store does not show it. */
export const PASSWORD = "password of the reference store";

/** A store that passes every case, split into methods that a mutant can override. */
export class ReferenceStore implements TokenStore, AsyncDisposable {
  readonly supports: TokenStore["supports"] = { compareAndSet: "host", durable: false };
  readonly holder?: NonNullable<TokenStore["holder"]>;
  readonly path: string;
  readonly name: string;
  readonly #database: DatabaseSync;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(path: string, name = "session") {
    this.path = path;
    this.name = name;
    this.#database = new DatabaseSync(path);
    this.#database.exec(SET_UP);
    const { holder } = fileStore({ path });
    if (holder) this.holder = holder;
  }

  async load(): Promise<StoredValue | undefined> {
    return this.parse(this.row());
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    return this.transaction(() => this.replace(value, expected));
  }

  async remove(): Promise<void> {
    this.run("DELETE FROM session WHERE name = ?", this.name);
  }

  watch(onChange: () => void): () => void {
    let seen = this.changes();
    const timer = setInterval(() => {
      const before = seen;
      seen = this.changes();
      if (seen !== before) onChange();
    }, POLL);
    timer.unref();
    this.#timers.add(timer);
    return () => clearInterval(timer);
  }

  describe(): string {
    return `The database ${this.path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#database.close();
  }

  /** Compares and sets. Must run in a transaction. */
  replace(value: string, expected: string | undefined): string {
    if (!this.compare(expected, this.row())) return this.refuse(value);
    const version = this.nextVersion(value);
    this.write(this.encode(value), version);
    return version;
  }

  compare(expected: string | undefined, row: Row | undefined): boolean {
    if (expected?.startsWith(OVER))
      return row !== undefined && typeof row.value !== "string" && this.overwriteVersion(row) === expected;
    return this.accepts(expected, this.parse(row));
  }

  /** Returns the version over which a save replaces a row that is unreadable. */
  overwriteVersion({ value, version }: Row): string | undefined {
    return `${OVER}${version} ${createHash("sha256")
      .update(value as Uint8Array)
      .digest("hex")}`;
  }

  accepts(expected: string | undefined, found: StoredValue | undefined): boolean {
    return found?.version === expected;
  }

  refuse(_value: string): string {
    throw new StoreConflictError(this.describe());
  }

  nextVersion(_value: string): string {
    return randomUUID();
  }

  parse(row: Row | undefined): StoredValue | undefined {
    if (row === undefined) return undefined;
    if (typeof row.value !== "string") return this.complain(row);
    return { value: this.decode(row.value), version: row.version };
  }

  complain(row: Row): StoredValue | undefined {
    throw new StoreError("STORE_UNREADABLE", {
      location: this.describe(),
      problem: "contains a value that is not text",
      hint: "Restore the file, or remove it and sign in again.",
      overwriteVersion: this.overwriteVersion(row),
    });
  }

  encode(value: string): string {
    return value;
  }

  decode(text: string): string {
    return text;
  }

  row(): Row | undefined {
    return this.get("SELECT value, version FROM session WHERE name = ?", this.name) as Row | undefined;
  }

  write(text: string, version: string): void {
    this.run("INSERT OR REPLACE INTO session VALUES (?, ?, ?)", this.name, text, version);
  }

  /** A number that grows with each change made by another connection. */
  changes(): unknown {
    return this.get("PRAGMA data_version")?.data_version;
  }

  get(sql: string, ...values: string[]) {
    return this.attempt(() => this.#database.prepare(sql).get(...values));
  }

  run(sql: string, ...values: string[]): void {
    this.attempt(() => this.#database.prepare(sql).run(...values));
  }

  transaction<T>(body: () => T): T {
    this.run("BEGIN IMMEDIATE");
    try {
      return body();
    } finally {
      this.run("COMMIT");
    }
  }

  /** Runs one statement, and reports its error as the store's. */
  attempt<T>(statement: () => T): T {
    try {
      return statement();
    } catch (cause) {
      return this.fail(cause as Error);
    }
  }

  fail(cause: Error): never {
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.describe(),
      problem: `cannot be used (${cause.message})`,
      hint: "Fix the cause, and try again.",
      cause,
    });
  }
}
