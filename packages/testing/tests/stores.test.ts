import "./compile-cache.ts";
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromKeyValue, memoryStore } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { describe, it } from "vitest";
import { describeTokenStore } from "../src/index.ts";

describe("memoryStore", () => {
  describeTokenStore(
    { describe, it },
    {
      create() {
        const store = memoryStore();
        return { open: () => store };
      },
    },
  );
});

describe("fromKeyValue", () => {
  describeTokenStore(
    { describe, it },
    {
      create() {
        const map = new Map<string, string>();
        const store = fromKeyValue(map);
        return {
          open: () => store,
          openNeighbor: () => fromKeyValue(map, { key: "unexpired-2" }),
          damage: () => void map.set("unexpired", "?"),
          damageOverwritable() {
            const before = map.get("unexpired") ?? "";
            map.set("unexpired", `${before}?`.replace(/^unexpired/, "foreign"));
            return () => void map.set("unexpired", before);
          },
          wipe: () => map.clear(),
        };
      },
    },
  );
});

describe("fileStore", () => {
  describeTokenStore(
    { describe, it },
    {
      create() {
        const directory = mkdtempSync(join(tmpdir(), "unexpired-kit-"));
        const path = join(directory, "session.json");
        const chain = join(directory, ".session.json.unexpired");
        return {
          open: () => fileStore({ path }),
          openNeighbor: () => fileStore({ path: `${path}.2` }),
          childProcess: { module: join(import.meta.dirname, "fixtures/file-store.ts"), argument: path },
          damage() {
            const head = Math.max(...readdirSync(chain).map(Number).filter(Number.isFinite));
            writeFileSync(join(chain, String(head)), "?");
          },
          interrupt() {
            renameSync(chain, `${chain}.away`);
            writeFileSync(chain, "");
            return () => {
              rmSync(chain);
              renameSync(`${chain}.away`, chain);
            };
          },
          wipe() {
            rmSync(chain, { recursive: true });
            rmSync(path);
          },
          dispose: () => rmSync(directory, { recursive: true }),
        };
      },
    },
  );
});
