import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoreHarness } from "@unexpired/testing";
import { openStore } from "./open-store.ts";
import { sqliteStore } from "./sqlite-store.ts";

export const harness: StoreHarness = {
  create() {
    const directory = mkdtempSync(join(tmpdir(), "sqlite-store-"));
    const path = join(directory, "sessions.db");
    return {
      open: () => openStore(path),
      openNeighbor: () => sqliteStore({ path, name: "session 2" }),
      childProcess: { module: new URL("open-store.ts", import.meta.url), argument: path },
      damage: () => writeFileSync(path, "this is not a database"),
      interrupt() {
        renameSync(path, `${path}.away`);
        mkdirSync(path); // SQLite cannot open a directory
        return () => {
          rmdirSync(path);
          renameSync(`${path}.away`, path);
        };
      },
      wipe: () => rmSync(path),
      dispose: () => rmSync(directory, { recursive: true }),
    };
  },
};
