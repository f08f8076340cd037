import type { TokenStore } from "@unexpired/core";
import { DocumentEvents, directoryLock, nodeFileSystem } from "@unexpired/store-node/chain";
import { createBackendLoader } from "./backends/load.ts";
import { type ItemStoreDeps, openItemStore, slotSettingsOf } from "./documents/item-store.ts";
import { MachineStore } from "./machine-store.ts";
import { type KeychainSettings, type KeychainStoreOptions, resolveSettings } from "./options.ts";
import { SlotStore } from "./storage/slot-store.ts";

/**
 * Creates a store that keeps one session in the system's keychain, shared by all processes of one user on one machine.
 *
 * The session itself is only in the keychain, in as many items as it needs. Write-once files in `directory` record
 * which version is current; they contain digests but no secret. Saves alternate between two sets of items, so a reader
 * sees either the old session or the new one, never a mixture. A session that another program stored under the same
 * service and account is adopted.
 *
 * With `format`, the item of that service and account belongs to another program, and stays its own: the session is read
 * from it and written back, and everything else in it is kept. What that program stores is adopted, and its sign-out is
 * noticed, at the next load.
 *
 * `load`, `save` and `remove` throw `KeychainError`, a `StoreError` whose `reason` distinguishes a missing keychain
 * from one that is locked, does not respond or is damaged, and a plain `StoreError` if the directory cannot be used.
 * `load` returns `undefined` if the keychain has no session. On request (`over: "unreadable"`), a manager replaces damaged
 * items, and an item that `format` cannot read: its text is kept in an item of its own, and nothing removes that.
 *
 * @throws TypeError if an option is invalid
 */
export function keychainStore(options: KeychainStoreOptions): TokenStore {
  return createKeychainStore(resolveSettings(options));
}

/** Creates a {@link keychainStore} of this system with validated options. */
export function createKeychainStore(settings: KeychainSettings): TokenStore {
  const { timeout } = settings;
  return openKeychainStore(settings, {
    fs: nodeFileSystem,
    lock: directoryLock,
    loadBackend: createBackendLoader({ timeout }),
  });
}

/** Creates a {@link keychainStore} with the given dependencies. */
export function openKeychainStore(settings: KeychainSettings, deps: ItemStoreDeps): TokenStore {
  const { sharedDirectory } = settings;
  const events = new DocumentEvents();
  const open = (each: KeychainSettings) =>
    each.format ? openItemStore(each, { ...deps, events }) : new SlotStore(each, deps);
  const openSlots = (each: KeychainSettings) => new SlotStore(slotSettingsOf(each), deps);
  return sharedDirectory === undefined
    ? open(settings)
    : new MachineStore(deps.fs, { settings, sharedDirectory, open, openSlots, subscribe: events.subscribe });
}
