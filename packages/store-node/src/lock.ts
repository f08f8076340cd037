import { mkdir, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { codeOf } from "./fs-errors.ts";

type Release = () => Promise<void>;

/**
 * Takes an advisory lock and returns what releases it; `undefined` while somebody else holds it. Where locking is not
 * possible at all the caller goes on without: the lock saves wasted work, and nothing depends on it.
 *
 * `wait` is called between two tries, and ends the waiting when it throws. Without it nobody waits.
 */
export type Lock = (
  directory: string,
  options: { readonly wait: (() => Promise<unknown>) | undefined },
) => Promise<Release | undefined>;

const STALE_AFTER = 2000; // ms by the clock that gives files their times; the shortest that proper-lockfile accepts
const FIRST_DELAY = 4; // ms
const MAX_DELAY = 32;

/** The lock of a chain directory, a directory named `lock` within it. */
export const directoryLock: Lock = async (directory, { wait }) => {
  const path = join(directory, "lock");
  for (let delay = FIRST_DELAY; ; delay *= 2) {
    const release = await tryAcquire(path);
    if (release || !wait || delay > MAX_DELAY) return release;
    await setTimeout(delay);
    await wait();
  }
};

async function tryAcquire(path: string): Promise<Release | undefined> {
  try {
    await mkdir(path);
    return () => rmdir(path).catch(() => undefined);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") return async () => undefined;
  }
  const held = await stat(path).catch(() => undefined);
  return held && Date.now() - held.mtimeMs > STALE_AFTER ? takeOverStale(path) : undefined;
}

/** Whoever held it has died, or stands still. Loaded only now: it takes longer than what the lock guards. */
async function takeOverStale(path: string): Promise<Release | undefined> {
  const { lock } = await import("proper-lockfile");
  const onCompromised = () => undefined; // the default throws from a timer
  try {
    const release = await lock(path, { lockfilePath: path, realpath: false, stale: STALE_AFTER, onCompromised });
    return () => release().catch(() => undefined);
  } catch (error) {
    return codeOf(error) === "ELOCKED" ? undefined : async () => undefined;
  }
}
