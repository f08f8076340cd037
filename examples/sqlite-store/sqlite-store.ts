import { randomUUID } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout } from "node:timers/promises";
import { StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";

const SET_UP = `
  PRAGMA synchronous = EXTRA; -- a commit is on the disk, and so is the end of its journal
  CREATE TABLE IF NOT EXISTS session (name TEXT PRIMARY KEY, version TEXT NOT NULL, value TEXT NOT NULL) STRICT;
`;
const CREATE = "INSERT INTO session (name, version, value) VALUES (:name, :next, :value) ON CONFLICT DO NOTHING";
const REPLACE = "UPDATE session SET version = :next, value = :value WHERE name = :name AND version = :expected";
const BUSY = 5; // SQLITE_BUSY
const UNREADABLE = [1, 11, 26]; // SQLITE_ERROR (another table than ours), SQLITE_CORRUPT, SQLITE_NOTADB
const PATIENCE = 10_000;

/** Keeps a session in a row of an SQLite database, which all processes of one machine may share. */
export function sqliteStore({ path, name = "session" }: { path: string; name?: string }): TokenStore {
  const file = resolve(path);
  const place = `The session "${name}" in ${file}`;
  /** While another process writes we try again: SQLite's own `busy_timeout` would stop the whole program meanwhile. */
  async function use<T>(run: (database: DatabaseSync) => T): Promise<T> {
    for (const end = performance.now() + PATIENCE; ; await setTimeout(Math.random() * 10)) {
      try {
        return once(file, run);
      } catch (error) {
        if (codeOf(error) !== BUSY || performance.now() > end) throw storeError(place, error);
      }
    }
  }
  return {
    supports: { compareAndSet: "host", durable: true },
    describe: () => place,
    async load() {
      const sql = "SELECT value, version FROM session WHERE name = :name";
      return (await use((database) => database.prepare(sql).get({ name }))) as StoredValue | undefined;
    },
    async save(value, expected) {
      const next = randomUUID(); // never repeats, not even in another file that takes the place of this one
      const [sql, condition] = expected === undefined ? [CREATE, {}] : [REPLACE, { expected }];
      const { changes } = await use((database) => database.prepare(sql).run({ name, next, value, ...condition }));
      if (changes === 0) throw new StoreConflictError(place);
      return next;
    },
    async remove() {
      await use((database) => database.prepare("DELETE FROM session WHERE name = :name").run({ name }));
    },
  };
}

/** Opens the database for this one use: a file that was deleted or replaced is seen to be, and nothing is left open. */
function once<T>(file: string, run: (database: DatabaseSync) => T): T {
  createPrivately(file);
  const database = new DatabaseSync(file);
  try {
    database.exec(SET_UP);
    return run(database);
  } finally {
    database.close();
  }
}

/** SQLite by itself would let everybody read the file. */
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
    : new StoreError("STORE_UNAVAILABLE", { ...details, hint: "Mend that, and try again." });
}
