import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** An empty directory for one test. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-keychain-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
