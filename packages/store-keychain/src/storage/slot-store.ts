import { StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import {
  Chain,
  currentProcess,
  type FileSystem,
  type Generation,
  type Lock,
  makeDurableDirectory,
  type ProcessIdentity,
  versionOf,
  watchPath,
  withStoreErrors,
} from "@unexpired/store-node/chain";
import type { LoadBackend } from "../backends/load.ts";
import { BackendRegistry } from "../backends/registry.ts";
import type { KeychainSettings } from "../options.ts";
import { purgeRemovedChains } from "./garbage-collector.ts";
import { KeychainReader, type SnapshotReader } from "./reader.ts";
import { Slots } from "./slots.ts";
import { KeychainWriter } from "./writer.ts";

/** The external dependencies of a keychain store. */
export interface KeychainStoreDeps {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly loadBackend: LoadBackend;
}

/** Keeps one session in items of its own: two slots that are overwritten alternately. */
export class SlotStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: false } as const;
  readonly holder?: ProcessIdentity;
  readonly #settings: KeychainSettings;
  readonly #fs: FileSystem;
  readonly #lock: Lock;
  readonly #backends: BackendRegistry;
  readonly #reader: SnapshotReader;
  readonly #slots: Slots;
  readonly #writer: KeychainWriter;

  /** `reader` may find what is stored elsewhere, too. Default: it finds what is in the slots. */
  constructor(settings: KeychainSettings, { fs, lock, loadBackend }: KeychainStoreDeps, reader?: SnapshotReader) {
    const { service, account, timeout, backend: chosen, paths } = settings;
    this.#settings = settings;
    this.#fs = fs;
    this.#lock = lock;
    this.#backends = new BackendRegistry({ service, timeout, chosen, loadBackend });
    const backends = this.#backends;
    this.#reader = reader ?? new KeychainReader(fs, { backends, settings });
    this.#slots = new Slots(fs, { backends, account, directory: paths.chain });
    this.#writer = new KeychainWriter(fs, { settings, backends, reader: this.#reader, slots: this.#slots });
    const holder = currentProcess();
    if (holder) this.holder = holder;
  }

  describe(): string {
    const { label, paths } = this.#settings;
    return `${label} (version files: ${paths.chain})`;
  }

  watch(onChange: () => void): () => void {
    return watchPath(this.#settings.statusFile, onChange);
  }

  load(): Promise<StoredValue | undefined> {
    return withStoreErrors(this.#settings.statusFile, "read", async () => {
      const { stored, failure } = await this.#reader.read();
      if (failure) throw failure;
      return stored;
    });
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
    const version = head && versionOf(head);
    // What another program wrote over a generation has that generation's version, and more.
    const isCurrent = version === undefined || expected === undefined || `${expected}-`.startsWith(`${version}-`);
    if (!isCurrent) throw new StoreConflictError(this.#settings.label);
    return head;
  }

  #purgeRemovedChains(): Promise<void> {
    return purgeRemovedChains(this.#fs, this.#slots, this.#settings.paths);
  }
}
