import "./compile-cache.ts";
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "vitest";
import { describeTokenStore } from "../src/index.ts";
import { MIRRORED, openStore } from "./fixtures/mirrored-store.ts";

describe("mirroredStore", () => {
  describeTokenStore(
    { describe, it },
    {
      create() {
        const directory = mkdtempSync(join(tmpdir(), "unexpired-kit-"));
        const path = join(directory, "session.json");
        const chain = join(directory, ".session.json.unexpired");
        const write = () => {
          for (const [index, { document = "" }] of MIRRORED.entries()) writeFileSync(`${path}.copy-${index}`, document);
        };
        write();
        return {
          open: () => openStore(path),
          openNeighbor: () => openStore(`${path}.2`),
          childProcess: { module: join(import.meta.dirname, "fixtures/mirrored-store.ts"), argument: path },
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
            for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true });
            write();
          },
          dispose: () => rmSync(directory, { recursive: true }),
        };
      },
    },
  );
});
