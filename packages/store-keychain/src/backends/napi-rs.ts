import type { AsyncEntry } from "@napi-rs/keyring";
import type { Conditions } from "./conditions.ts";
import type { KeychainBackend } from "./keychain-client.ts";

const WINDOWS_LIMIT = 1_280; // UTF-16 units: 2,560 bytes
/** Otherwise it falls back to the kernel's keyring, which a reboot empties. */
const ENTRY_OPTIONS = { linux: { store: "secret-service" } } as const;
const MAX_CACHED_ENTRIES = 8;

type CallEntry = <T>(service: string, account: string, call: (entry: AsyncEntry) => Promise<T>) => Promise<T>;

/** @napi-rs/keyring: on Linux its items have the attributes `service` and `username`. */
export async function loadNapiRs({ platform, secretService }: Conditions): Promise<KeychainBackend> {
  const { AsyncEntry } = await import("@napi-rs/keyring");
  const createEntry = (service: string, account: string) => new AsyncEntry(service, account, ENTRY_OPTIONS);
  const callCached = createEntryCache(createEntry);
  const callEntry: CallEntry = async (service, account, call) => {
    if (!secretService) return call(createEntry(service, account));
    // To make an entry holds up the whole program: only where somebody answers.
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
 * An entry has a connection of its own to the Secret Service, which takes longer to make than to use, and gnome-keyring
 * trips now and then over connections that come and go. So the last ones are kept. The service may be restarted meanwhile:
 * what fails with an entry that was kept is tried with a new one.
 */
function createEntryCache(createEntry: (service: string, account: string) => AsyncEntry): CallEntry {
  const entries = new Map<string, AsyncEntry>();
  const keep = (key: string, entry: AsyncEntry) => {
    entries.delete(key); // the last one used is the last one to go
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
