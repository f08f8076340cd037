/** Packs the packages once, for all tests that use the tarballs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { packAll } from "../../../scripts/pack.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The paths of the tarballs, by package name. */
    tarballs: Readonly<Record<string, string>>;
  }
}

export function setup({ provide }: TestProject): () => void {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-packed-"));
  provide("tarballs", Object.fromEntries(packAll(directory)));
  return () => rmSync(directory, { recursive: true });
}
