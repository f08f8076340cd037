import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoreHarness } from "@unexpired/testing";
import { openStore } from "./open-store.ts";

export const harness: StoreHarness = {
  create() {
    const directory = mkdtempSync(join(tmpdir(), "sqlite-store-"));
    const path = join(directory, "sessions.db");
    return {
      open: () => openStore(path),
      childProcess: { module: new URL("open-store.ts", import.meta.url), argument: path },
      damage: () => writeFileSync(path, "this is not a database"),
      wipe: () => rmSync(path),
      dispose: () => rmSync(directory, { recursive: true }),
    };
  },
};
