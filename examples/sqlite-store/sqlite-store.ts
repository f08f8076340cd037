import { randomUUID } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";

const SET_UP = `
  PRAGMA synchronous = EXTRA; -- a commit is durable, and so is the removal of its journal
  CREATE TABLE IF NOT EXISTS session (name TEXT PRIMARY KEY, version TEXT NOT NULL, value TEXT NOT NULL) STRICT;
`;
const CREATE = "INSERT INTO session (name, version, value) VALUES (:name, :next, :value) ON CONFLICT DO NOTHING";
const REPLACE = "UPDATE session SET version = :next, value = :value WHERE name = :name AND version = :expected";
const BUSY = 5; // SQLITE_BUSY
const UNREADABLE = [1, 11, 26]; // SQLITE_ERROR (a table with other columns), SQLITE_CORRUPT, SQLITE_NOTADB
const BUSY_TIMEOUT = 10_000; // ms

/** Stores a session in a row of an SQLite database, which all processes of one machine can share. */
export function sqliteStore({ path, name = "session" }: { path: string; name?: string }): TokenStore {
  const file = resolve(path);
  const location = `The session "${name}" in ${file}`;
  /** Retries while another process writes. SQLite's own `busy_timeout` would block the event loop. */
  async function use<T>(run: (database: DatabaseSync) => T): Promise<T> {
    for (const end = performance.now() + BUSY_TIMEOUT; ; await setTimeout(Math.random() * 10)) {
      try {
        return withDatabase(file, run);
      } catch (error) {
        if (codeOf(error) !== BUSY || performance.now() > end) throw storeError(location, error);
      }
    }
  }
  return {
    supports: { compareAndSet: "host", durable: true },
    describe: () => location,
    async load() {
      const sql = "SELECT value, version FROM session WHERE name = :name";
      return (await use((database) => database.prepare(sql).get({ name }))) as StoredValue | undefined;
    },
    async save(value, expected) {
      const next = randomUUID(); // never repeats, even if another file replaces this one
      const [sql, condition] = expected === undefined ? [CREATE, {}] : [REPLACE, { expected }];
      const { changes } = await use((database) => database.prepare(sql).run({ name, next, value, ...condition }));
      if (changes === 0) throw new StoreConflictError(location);
      return next;
    },
    async remove() {
      await use((database) => database.prepare("DELETE FROM session WHERE name = :name").run({ name }));
    },
  };
}

/** Opens the database for one use, which detects a file that was deleted or replaced, and leaves nothing open. */
function withDatabase<T>(file: string, run: (database: DatabaseSync) => T): T {
  createPrivately(file);
  const database = new DatabaseSync(file);
  try {
    database.exec(SET_UP);
    return run(database);
  } finally {
    database.close();
  }
}

/** Creates the file with mode 0600. SQLite itself would make it readable for all users. */
function createPrivately(file: string): void {
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

const codeOf = (error: unknown): number => ((error as { errcode?: number }).errcode ?? 0) & 0xff;

function storeError(location: string, cause: unknown): StoreError {
  const details = { location, problem: `cannot be used (${(cause as Error).message})`, cause };
  return UNREADABLE.includes(codeOf(cause))
    ? new StoreError("STORE_UNREADABLE", { ...details, hint: "Move the file away, and sign in again." })
    : new StoreError("STORE_UNAVAILABLE", { ...details, hint: "Fix the cause, and try again." });
}
