import { mkdir, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "./fs-errors.ts";
import { isPermitted } from "./permissions.ts";
import { pause } from "./timers.ts";

type Release = () => Promise<void>;

/**
 * Acquires an advisory lock. Returns a function that releases it, or `undefined` while another process holds it. If
 * locking is not possible at all, the caller proceeds without the lock: it only saves wasted work.
 *
 * `wait` is called between two attempts; if it throws, waiting ends with that error. If `wait` is `undefined`, there is
 * only one attempt.
 */
export type Lock = (
  directory: string,
  options: { readonly wait: (() => Promise<unknown>) | undefined },
) => Promise<Release | undefined>;

const STALE_AFTER = 2000; // ms, by the clock of the file system; the minimum that proper-lockfile accepts
const FIRST_DELAY = 4; // ms
const MAX_DELAY = 32;
const UNLOCKED: Release = async () => undefined;
/** How often to ask for a lock, each time for some 60 ms. Then its holder is slow or dead. */
const MAX_LOCKS = 4;

/**
 * Runs `update` while no other process of this library holds the lock of a directory. The lock only saves wasted work:
 * after about a quarter of a second, `update` runs without it, and is told so.
 */
export async function withAdvisoryLock<T>(
  lock: Lock,
  directory: string,
  update: (isLocked: boolean) => Promise<T>,
): Promise<T> {
  const release = await tryLock(lock, directory);
  return update(release !== undefined).finally(release);
}

/** Locks a directory. Returns `undefined` if it is still locked after about a quarter of a second. */
export async function tryLock(lock: Lock, directory: string): Promise<Release | undefined> {
  let release: Release | undefined;
  for (let attempt = 0; attempt < MAX_LOCKS && !release; attempt++)
    release = await lock(directory, { wait: async () => undefined });
  return release;
}

/** Locks a chain directory by creating a directory named `lock` in it. */
export const directoryLock: Lock = async (directory, { wait }) => {
  const path = join(directory, "lock");
  for (let delay = FIRST_DELAY; ; delay *= 2) {
    const release = await tryAcquire(path);
    if (release || !wait || delay > MAX_DELAY) return release;
    await pause(delay);
    await wait();
  }
};

async function tryAcquire(path: string): Promise<Release | undefined> {
  const release = await tryCreate(path);
  if (release || !(await isStale(path))) return release;
  await removeStale(path);
  return (await tryCreate(path)) ?? ((await isStale(path)) ? UNLOCKED : undefined);
}

/** Returns `undefined` if the lock exists. */
async function tryCreate(path: string): Promise<Release | undefined> {
  try {
    await mkdir(path);
    return () => rmdir(path).catch(() => undefined);
  } catch (error) {
    return codeOf(error) === "EEXIST" ? undefined : UNLOCKED;
  }
}

async function isStale(path: string): Promise<boolean> {
  const held = await stat(path).catch(() => undefined);
  // From the future if the clock was set back since.
  return held !== undefined && Math.abs(Date.now() - held.mtimeMs) > STALE_AFTER;
}

/**
 * Removes the lock of a holder that ended or is suspended: `proper-lockfile` takes it over, and gives it back at once, so
 * that its timer never runs in the host program. It is loaded only now, because loading it is slow.
 */
async function removeStale(path: string): Promise<void> {
  const remove = () => rmdir(path).catch(() => undefined);
  if (!isPermitted("env")) return remove(); // its dependencies read the environment
  try {
    const { lock } = await import("proper-lockfile");
    const release = await lock(path, { lockfilePath: path, realpath: false, stale: STALE_AFTER });
    await release();
  } catch (error) {
    // It cannot be loaded, as in some bundles and sandboxes, or it waits for the time of a lock that is dated in the
    // future. A lock removed by mistake costs a discarded draft.
    if (codeOf(error) !== "ELOCKED" || (await isStale(path))) await remove();
  }
}
