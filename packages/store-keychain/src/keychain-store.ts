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
import { type Load, load } from "./backends/load.ts";
import { emptyRemoved } from "./collector.ts";
import { Observer } from "./look.ts";
import { type KeychainStoreOptions, type Settings, settingsOf } from "./options.ts";
import { Slots } from "./slots.ts";
import { Vaults } from "./vaults.ts";
import { Writer } from "./writer.ts";

/** What a store needs of the world around it. */
export interface Environment {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly load: Load;
}

/**
 * A store that keeps one session in the system's keychain, for all processes of one user on one machine.
 *
 * Which version is the truth is kept in a directory beside (see `directory`), as write-once files that hold digests and
 * no secret; the session itself is in the keychain alone, in as many items as it needs. Saves overwrite two sets of items
 * by turns: who reads sees the old session or the new one, whole. A session that another program keeps under the same
 * service and account is taken over.
 *
 * `load`, `save` and `remove` throw `KeychainError`, a `StoreError` whose `reason` tells a keychain that is not there
 * from one that is locked, hangs or is damaged, and a plain `StoreError` where the directory cannot be used. An empty
 * keychain is `undefined`.
 *
 * @throws TypeError where an option is none of those accepted
 */
export function keychainStore(options: KeychainStoreOptions): TokenStore {
  const settings = settingsOf(options);
  const { deadline } = settings;
  return openKeychainStore(settings, { fs: nodeFileSystem, lock: directoryLock, load: load({ deadline }) });
}

/** {@link keychainStore} in a world of the caller's. */
export const openKeychainStore = (settings: Settings, world: Environment): TokenStore =>
  new KeychainStore(settings, world);

class KeychainStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: false } as const;
  readonly holder?: ProcessIdentity;
  readonly #settings: Settings;
  readonly #fs: FileSystem;
  readonly #lock: Lock;
  readonly #vaults: Vaults;
  readonly #observer: Observer;
  readonly #slots: Slots;
  readonly #writer: Writer;

  constructor(settings: Settings, { fs, lock, load }: Environment) {
    const { service, account, deadline, backend: chosen, place } = settings;
    this.#settings = settings;
    this.#fs = fs;
    this.#lock = lock;
    this.#vaults = new Vaults({ service, deadline, chosen, load });
    const vaults = this.#vaults;
    this.#observer = new Observer(fs, { vaults, settings });
    this.#slots = new Slots(fs, { vaults, account, directory: place.chain });
    this.#writer = new Writer(fs, { settings, vaults, observer: this.#observer, slots: this.#slots });
    const holder = currentProcess();
    if (holder) this.holder = holder;
  }

  describe(): string {
    const { name, place } = this.#settings;
    return `${name}, with its versions in ${place.chain}`;
  }

  watch(onChange: () => void): () => void {
    return watchPath(this.#settings.path, onChange);
  }

  load(): Promise<StoredValue | undefined> {
    return withStoreErrors(this.#settings.path, "read", async () => (await this.#observer.look()).stored);
  }

  save(value: string, expected: string | undefined): Promise<string> {
    const { chain } = this.#settings.place;
    return withStoreErrors(this.#settings.path, "saved", async () => {
      const check = () => this.#mustNotHaveMoved(expected); // a loser need not queue for the lock
      if (!(await check())) await makeDurableDirectory(this.#fs, chain);
      const release = await this.#lock(chain, { wait: check });
      try {
        return await this.#writer.replace(value, expected);
      } finally {
        await release?.();
      }
    });
  }

  remove(): Promise<void> {
    const { path } = this.#settings;
    return withStoreErrors(path, "removed", async () => {
      // Asked first: where the keychain cannot be used nothing is taken apart.
      const vaults = await this.#vaults.present();
      for (const vault of vaults) await vault.get(this.#settings.account);
      await this.#slots.mustBeReachable();
      const { chain, removed } = this.#settings.place;
      // What cannot be emptied has another name then, and does not stand in the way.
      const clearRemoved = () => this.#emptyRemoved().catch(() => undefined);
      await new Chain(this.#fs, chain).retire(removed, clearRemoved);
      for (const vault of vaults) await vault.delete(this.#settings.account);
      await this.#emptyRemoved();
      await this.#fs.unlink(path);
    });
  }

  /** What the chain alone can tell, without the keychain. */
  async #mustNotHaveMoved(expected: string | undefined): Promise<Generation | undefined> {
    const head = await new Chain(this.#fs, this.#settings.place.chain).head();
    const hasMoved = head && expected !== undefined && versionOf(head) !== expected;
    if (hasMoved) throw new StoreConflictError(this.#settings.name);
    return head;
  }

  #emptyRemoved(): Promise<void> {
    return emptyRemoved(this.#fs, this.#slots, this.#settings.place);
  }
}
