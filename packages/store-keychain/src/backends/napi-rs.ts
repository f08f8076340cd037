import type { AsyncEntry } from "@napi-rs/keyring";
import type { Conditions } from "./conditions.ts";
import { importPackage } from "./import-package.ts";
import type { KeychainBackend } from "./keychain-client.ts";

const WINDOWS_LIMIT = 1_280; // UTF-16 units: 2,560 bytes
/** Prevents the fallback to the kernel's keyring, which a reboot empties. */
const ENTRY_OPTIONS = { linux: { store: "secret-service" } } as const;
const MAX_CACHED_ENTRIES = 8;

type CallEntry = <T>(service: string, account: string, call: (entry: AsyncEntry) => Promise<T>) => Promise<T>;

/** Loads `@napi-rs/keyring`. On Linux, its items have the attributes `service` and `username`. */
export async function loadNapiRs({ platform, secretService }: Conditions): Promise<KeychainBackend> {
  const { AsyncEntry } = await importPackage<typeof import("@napi-rs/keyring")>("@napi-rs/keyring");
  const createEntry = (service: string, account: string) => new AsyncEntry(service, account, ENTRY_OPTIONS);
  const callCached = createEntryCache(createEntry);
  const callEntry: CallEntry = async (service, account, call) => {
    if (!secretService) return call(createEntry(service, account));
    // Creating an entry blocks the whole program, so first make sure that the service responds.
    await secretService.assertReady();
    return callCached(service, account, call);
  };
  return {
    name: "@napi-rs/keyring",
    limit: platform === "win32" ? WINDOWS_LIMIT : undefined,
    get: (service, account) => callEntry(service, account, (entry) => entry.getPassword()),
    set: (service, account, secret) => callEntry(service, account, (entry) => entry.setPassword(secret)),
    delete: (service, account) => callEntry(service, account, (entry) => entry.deletePassword()),
  };
}

/**
 * Caches the most recently used entries. Each entry has its own connection to the Secret Service, which costs more to
 * create than to use, and gnome-keyring occasionally fails if connections come and go. Because the service may have
 * been restarted, a call that fails with a cached entry is repeated with a new one.
 */
function createEntryCache(createEntry: (service: string, account: string) => AsyncEntry): CallEntry {
  const entries = new Map<string, AsyncEntry>();
  const keep = (key: string, entry: AsyncEntry) => {
    entries.delete(key); // reinserted at the end: the most recently used entry is evicted last
    entries.set(key, entry);
    for (const oldest of entries.keys()) if (entries.size > MAX_CACHED_ENTRIES) entries.delete(oldest);
  };
  return async (service, account, call) => {
    const key = JSON.stringify([service, account]);
    const cached = entries.get(key);
    try {
      const entry = cached ?? createEntry(service, account);
      keep(key, entry);
      return await call(entry);
    } catch (error) {
      entries.delete(key);
      if (cached === undefined) throw error;
      return call(createEntry(service, account));
    }
  };
}
