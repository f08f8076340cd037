import { directoryLock } from "@unexpired/store-node/chain";
import type { KeychainBackend } from "../backend.ts";
import { pause } from "../deadline.ts";

const TRIES = 100;
const PAUSE = 2; // ms; a call takes some 5

/**
 * The backend with one call at a time, of all programs that meet in `directory`: gnome-keyring dies of many at once, as
 * when an item is deleted that somebody reads. Advisory, as the lock of a chain: nobody waits for long.
 */
export function oneByOne(backend: KeychainBackend, directory: string): KeychainBackend {
  let last: Promise<unknown> = Promise.resolve();
  const alone = async <T>(call: () => Promise<T>): Promise<T> => {
    const release = await take(directory);
    try {
      return await call();
    } finally {
      await release?.();
    }
  };
  const next = <T>(call: () => Promise<T>): Promise<T> => {
    const result = last.then(() => alone(call));
    last = result.catch(() => undefined);
    return result;
  };
  return {
    name: backend.name,
    limit: backend.limit,
    get: (service, account) => next(() => backend.get(service, account)),
    set: (service, account, secret) => next(() => backend.set(service, account, secret)),
    delete: (service, account) => next(() => backend.delete(service, account)),
  };
}

async function take(directory: string): Promise<(() => Promise<void>) | undefined> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const release = await directoryLock(directory, { wait: undefined });
    if (release) return release;
    await pause(PAUSE);
  }
  return undefined;
}
