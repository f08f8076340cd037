import { mkdirSync, mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { directoryLock } from "../../packages/store-node/src/lock.ts";

/** The user and group ID of an account without privileges. */
export const NOBODY = 65_534;

/**
 * Switches this process to an account without privileges, because root passes all permission checks. All modules have
 * to be loaded before: they may be in a directory that this account cannot enter.
 */
export async function dropRights(): Promise<void> {
  await loadTakeover();
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}

/** Takes over a stale lock, because the lock loads the code for that only when it needs it. */
async function loadTakeover(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-faults-"));
  const lock = join(directory, "lock");
  mkdirSync(lock);
  utimesSync(lock, 0, 0);
  const release = await directoryLock(directory, { wait: undefined });
  await release?.();
  rmSync(directory, { recursive: true, force: true });
}
