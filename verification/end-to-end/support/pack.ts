/** Packs the packages once for all tests of the tarballs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { packAll } from "../../../scripts/pack.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The files, by the packages' names. */
    tarballs: Readonly<Record<string, string>>;
  }
}

export function setup({ provide }: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-packed-"));
  provide("tarballs", Object.fromEntries(packAll(directory)));
  return () => rmSync(directory, { recursive: true });
}
