import "./compile-cache.ts";
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStore } from "@unexpired/store-node";
import { describe, it } from "vitest";
import { describeTokenStore } from "../src/index.ts";
import { plainFormat as format } from "./document-formats.ts";

describe("fileStore with a format", () => {
  describeTokenStore(
    { describe, it },
    {
      create() {
        const directory = mkdtempSync(join(tmpdir(), "unexpired-kit-"));
        const path = join(directory, "document.json");
        writeFileSync(path, '{"theme":"dark"}');
        const chains = join(directory, ".document.json.unexpired");
        const chain = () => join(chains, readdirSync(chains).find((name) => /^[\w-]{22}$/.test(name)) ?? "none");
        return {
          open: () => fileStore({ path, format }),
          openNeighbor: () => fileStore({ path, format: { ...format, key: "another" } }),
          childProcess: { module: join(import.meta.dirname, "fixtures/document-store.ts"), argument: path },
          damage() {
            const head = Math.max(...readdirSync(chain()).map(Number).filter(Number.isFinite));
            writeFileSync(join(chain(), String(head)), "?");
          },
          interrupt() {
            renameSync(chains, `${chains}.away`);
            writeFileSync(chains, "");
            return () => {
              rmSync(chains);
              renameSync(`${chains}.away`, chains);
            };
          },
          wipe: () => rmSync(chains, { recursive: true }),
          dispose: () => rmSync(directory, { recursive: true }),
        };
      },
    },
  );
});
