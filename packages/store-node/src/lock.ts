import { join } from "node:path";
import { codeOf } from "./problems.ts";

/**
 * Takes an advisory lock and returns what releases it; `undefined` while somebody else holds it. Where locking is not
 * possible at all the caller goes on without: the lock saves wasted work, and nothing depends on it.
 */
export type Lock = (
  directory: string,
  options: { readonly wait: boolean },
) => Promise<(() => Promise<void>) | undefined>;

const STALE = 2000; // ms; the shortest that proper-lockfile accepts
const WAIT = { retries: 15, factor: 1, minTimeout: 4, maxTimeout: 4, randomize: false }; // 60 ms at most

/** The lock of a chain directory, a directory named `lock` within it. */
export const directoryLock: Lock = async (directory, { wait }) => {
  const { lock } = await import("proper-lockfile");
  const options = {
    lockfilePath: join(directory, "lock"),
    realpath: false,
    stale: STALE,
    onCompromised: () => undefined, // the default throws from a timer
  };
  try {
    const release = await lock(directory, options).catch((error: unknown) => {
      if (!wait || codeOf(error) !== "ELOCKED") throw error;
      return lock(directory, { ...options, retries: WAIT });
    });
    return () => release().catch(() => undefined);
  } catch (error) {
    return codeOf(error) === "ELOCKED" ? undefined : async () => undefined;
  }
};
