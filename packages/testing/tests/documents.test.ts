import "./compile-cache.ts";
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStore } from "@unexpired/store-node";
import { describe, it } from "vitest";
import { describeTokenStore } from "../src/index.ts";
import { FORMATS } from "./document-formats.ts";

const readIfPresent = (path: string) => (existsSync(path) ? readFileSync(path) : undefined);

describe.each(Object.entries(FORMATS))(
  "fileStore with %s",
  (name, { format, document, damaged, withoutRefreshTokens }) => {
    describeTokenStore(
      { describe, it },
      {
        create() {
          const directory = mkdtempSync(join(tmpdir(), "unexpired-kit-"));
          const path = join(directory, "document.json");
          if (document !== undefined) writeFileSync(path, document);
          const chains = join(directory, ".document.json.unexpired");
          let damages = 0;
          const chain = () => join(chains, readdirSync(chains).find((name) => /^[\w-]{22}$/.test(name)) ?? "none");
          return {
            open: () => fileStore({ path, format }),
            openNeighbor: () => fileStore({ path, format: { ...format, key: "another" } }),
            childProcess: {
              module: join(import.meta.dirname, "fixtures/document-store.ts"),
              argument: `${name}:${path}`,
            },
            damage() {
              const head = Math.max(...readdirSync(chain()).map(Number).filter(Number.isFinite));
              writeFileSync(join(chain(), String(head)), "?");
            },
            damageOverwritable() {
              const before = readIfPresent(path);
              writeFileSync(path, damaged(++damages));
              return () => (before === undefined ? rmSync(path) : writeFileSync(path, before));
            },
            interrupt() {
              renameSync(chains, `${chains}.away`);
              writeFileSync(chains, "");
              return () => {
                rmSync(chains);
                renameSync(`${chains}.away`, chains);
              };
            },
            withoutRefreshTokens,
            wipe: () => rmSync(chains, { recursive: true }),
            dispose: () => rmSync(directory, { recursive: true }),
          };
        },
      },
    );
  },
);
