import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { StoreHarness } from "../src/index.ts";
import { openStore } from "./fixtures/mutant-store.ts";
import { PASSWORD } from "./reference-store.ts";

const DAMAGE = "UPDATE session SET value = CAST(value || '?' AS BLOB)";

const module = join(import.meta.dirname, "fixtures/mutant-store.ts");

/** Creates a harness for the mutant of that name, or for the reference store. Disposing it removes its locations. */
export function harnessFor(mutant?: string): StoreHarness & Disposable {
  const root = mkdtempSync(join(tmpdir(), "unexpired-kit-"));
  let locations = 0;
  return {
    secrets: [PASSWORD],
    create() {
      const directory = join(root, String(++locations));
      mkdirSync(directory);
      const path = join(directory, "session.db");
      const argument = { path, ...(mutant === undefined ? {} : { mutant }) };
      const tamper = (sql: string, ...values: SQLInputValue[]) => {
        using database = new DatabaseSync(path);
        return database.prepare(sql).get(...values);
      };
      return {
        open: () => openStore(argument),
        openNeighbor: () => openStore({ ...argument, name: "session 2" }),
        childProcess: { module, argument },
        damage: () => void tamper(DAMAGE),
        damageOverwritable() {
          const before = tamper("SELECT value FROM session")?.value ?? null;
          tamper(DAMAGE);
          return () => void tamper("UPDATE session SET value = ?", before);
        },
        interrupt() {
          tamper("ALTER TABLE session RENAME TO unreachable");
          return () => void tamper("ALTER TABLE unreachable RENAME TO session");
        },
        wipe: () => void tamper("DELETE FROM session"),
      };
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}
