import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { StoreHarness } from "../src/index.ts";
import { openStore } from "./fixtures/mutant-store.ts";
import { PASSWORD } from "./reference-store.ts";

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
      const tamper = (sql: string) => {
        using database = new DatabaseSync(path);
        database.exec(sql);
      };
      return {
        open: () => openStore(argument),
        openNeighbor: () => openStore({ ...argument, name: "session 2" }),
        childProcess: { module, argument },
        damage: () => tamper("UPDATE session SET value = CAST(value || '?' AS BLOB)"),
        interrupt() {
          tamper("ALTER TABLE session RENAME TO unreachable");
          return () => tamper("ALTER TABLE unreachable RENAME TO session");
        },
        wipe: () => tamper("DELETE FROM session"),
      };
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}
