import { StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import {
  Chain,
  currentProcess,
  directoryLock,
  type FileSystem,
  type Generation,
  type Lock,
  makeDurableDirectory,
  nodeFileSystem,
  type ProcessIdentity,
  versionOf,
  watchPath,
  withStoreErrors,
} from "@unexpired/store-node/chain";
import { createBackendLoader, type LoadBackend } from "./backends/load.ts";
import { BackendRegistry } from "./backends/registry.ts";
import { MachineStore } from "./machine-store.ts";
import { type KeychainSettings, type KeychainStoreOptions, resolveSettings } from "./options.ts";
import { purgeRemovedChains } from "./storage/garbage-collector.ts";
import { KeychainReader } from "./storage/reader.ts";
import { Slots } from "./storage/slots.ts";
import { KeychainWriter } from "./storage/writer.ts";

/** The external dependencies of a keychain store. */
export interface KeychainStoreDeps {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly loadBackend: LoadBackend;
}

/**
 * Creates a store that keeps one session in the system's keychain, shared by all processes of one user on one machine.
 *
 * The session itself is only in the keychain, in as many items as it needs. Write-once files in `directory` record
 * which version is current; they contain digests but no secret. Saves alternate between two sets of items, so a reader
 * sees either the old session or the new one, never a mixture. A session that another program stored under the same
 * service and account is adopted.
 *
 * `load`, `save` and `remove` throw `KeychainError`, a `StoreError` whose `reason` distinguishes a missing keychain
 * from one that is locked, does not respond or is damaged, and a plain `StoreError` if the directory cannot be used.
 * `load` returns `undefined` if the keychain has no session.
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
export function openKeychainStore(settings: KeychainSettings, deps: KeychainStoreDeps): TokenStore {
  const { sharedDirectory } = settings;
  const open = (each: KeychainSettings) => new KeychainStore(each, deps);
  return sharedDirectory === undefined
    ? open(settings)
    : new MachineStore(deps.fs, { settings, sharedDirectory, open });
}

class KeychainStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: false } as const;
  readonly holder?: ProcessIdentity;
  readonly #settings: KeychainSettings;
  readonly #fs: FileSystem;
  readonly #lock: Lock;
  readonly #backends: BackendRegistry;
  readonly #reader: KeychainReader;
  readonly #slots: Slots;
  readonly #writer: KeychainWriter;

  constructor(settings: KeychainSettings, { fs, lock, loadBackend }: KeychainStoreDeps) {
    const { service, account, timeout, backend: chosen, paths } = settings;
    this.#settings = settings;
    this.#fs = fs;
    this.#lock = lock;
    this.#backends = new BackendRegistry({ service, timeout, chosen, loadBackend });
    const backends = this.#backends;
    this.#reader = new KeychainReader(fs, { backends, settings });
    this.#slots = new Slots(fs, { backends, account, directory: paths.chain });
    this.#writer = new KeychainWriter(fs, { settings, backends, reader: this.#reader, slots: this.#slots });
    const holder = currentProcess();
    if (holder) this.holder = holder;
  }

  describe(): string {
    const { label, paths } = this.#settings;
    return `${label}, with its version files in ${paths.chain}`;
  }

  watch(onChange: () => void): () => void {
    return watchPath(this.#settings.statusFile, onChange);
  }

  load(): Promise<StoredValue | undefined> {
    return withStoreErrors(this.#settings.statusFile, "read", async () => (await this.#reader.read()).stored);
  }

  save(value: string, expected: string | undefined): Promise<string> {
    const { chain } = this.#settings.paths;
    return withStoreErrors(this.#settings.statusFile, "saved", async () => {
      const assertCurrent = () => this.#assertNotSuperseded(expected); // a superseded save need not wait for the lock
      if (!(await assertCurrent())) await makeDurableDirectory(this.#fs, chain);
      const release = await this.#lock(chain, { wait: assertCurrent });
      try {
        return await this.#writer.save(value, expected);
      } finally {
        await release?.();
      }
    });
  }

  remove(): Promise<void> {
    const { statusFile } = this.#settings;
    return withStoreErrors(statusFile, "removed", async () => {
      // Checked first: if the keychain cannot be used, nothing must be removed.
      const { clients } = await this.#backends.available();
      for (const client of clients) await client.get(this.#settings.account);
      await this.#slots.assertReachable();
      const { chain, removed } = this.#settings.paths;
      // A chain whose items cannot be deleted is renamed before that fails, so it does not block this removal.
      const clearRemoved = () => this.#purgeRemovedChains().catch(() => undefined);
      await new Chain(this.#fs, chain).retire(removed, clearRemoved);
      for (const client of clients) await client.delete(this.#settings.account);
      await this.#purgeRemovedChains();
      await this.#fs.unlink(statusFile);
    });
  }

  /** Detects a conflict from the chain alone, without the keychain. */
  async #assertNotSuperseded(expected: string | undefined): Promise<Generation | undefined> {
    const head = await new Chain(this.#fs, this.#settings.paths.chain).head();
    const isSuperseded = head && expected !== undefined && versionOf(head) !== expected;
    if (isSuperseded) throw new StoreConflictError(this.#settings.label);
    return head;
  }

  #purgeRemovedChains(): Promise<void> {
    return purgeRemovedChains(this.#fs, this.#slots, this.#settings.paths);
  }
}
