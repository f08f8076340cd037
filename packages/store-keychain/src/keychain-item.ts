import { ConfigurationError, type SessionFormat } from "@unexpired/core";
import type { DocumentNotes, DocumentText, MirroredDocument } from "@unexpired/store-node";
import {
  assertFormat,
  Chain,
  chainNameOf,
  directoryLock,
  FileNotes,
  type FileSystem,
  type Lock,
  nodeFileSystem,
  pathsOf,
  withStoreErrors,
} from "@unexpired/store-node/chain";
import { createBackendLoader, type LoadBackend } from "./backends/load.ts";
import { BackendRegistry } from "./backends/registry.ts";
import { ForeignItem, type FoundItem } from "./documents/foreign-item.ts";
import { withItemLock } from "./documents/item-lock.ts";
import { type KeychainSettings, type KeychainStoreOptions, resolveSettings } from "./options.ts";

/** The item of another program, and how the session is written in it. */
export interface KeychainItemOptions extends KeychainStoreOptions {
  /** The format of the session in the item. */
  readonly format: SessionFormat;
}

/**
 * Describes an item of another program in the system's keychain, for `mirroredStore` of `@unexpired/store-node`. It is
 * updated in place, in the shape in which it was written. Notes about it, without secrets, are kept in `directory`. No
 * keychain reports changes: what the other program writes is found by the next load.
 *
 * @throws TypeError if an option is invalid
 */
export function keychainItem(options: KeychainItemOptions): MirroredDocument {
  const settings = resolveSettings(options, undefined, "keychainItem");
  const { format } = settings;
  assertFormat(format, 'keychainItem: "format"');
  const loadBackend = createBackendLoader({ timeout: settings.timeout });
  return new KeychainItem(settings, format, { fs: nodeFileSystem, lock: directoryLock, loadBackend });
}

interface KeychainItemDeps {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly loadBackend: LoadBackend;
}

class KeychainItem implements MirroredDocument {
  readonly format: SessionFormat;
  readonly notes: DocumentNotes;
  readonly #settings: KeychainSettings;
  readonly #deps: KeychainItemDeps;
  readonly #item: ForeignItem;

  constructor(settings: KeychainSettings, format: SessionFormat, deps: KeychainItemDeps) {
    const { service, timeout, backend: chosen } = settings;
    this.format = format;
    this.#settings = settings;
    this.#deps = deps;
    const { loadBackend } = deps;
    this.#item = new ForeignItem(new BackendRegistry({ service, timeout, chosen, loadBackend }), settings);
    this.notes = new ItemNotes(deps.fs, settings, format);
  }

  describe(): string {
    return this.#settings.label;
  }

  async read(): Promise<DocumentText> {
    const found = await this.#item.read();
    return { text: found.text, stamp: found };
  }

  replace({ stamp }: DocumentText, next: string | undefined): Promise<boolean> {
    return this.#item.replace(stamp as FoundItem, next);
  }

  exclusively(update: () => Promise<void>): Promise<void> {
    return withStoreErrors(this.#settings.statusFile, "saved", () => withItemLock(this.#deps, this.#settings, update));
  }
}

/** Keeps notes about an item in the directory that the version files of a keychain store for this item would have. */
class ItemNotes extends FileNotes {
  readonly #chain: Chain;
  readonly #label: string;

  constructor(fs: FileSystem, { statusFile, paths, label }: KeychainSettings, format: SessionFormat) {
    super(fs, statusFile, async () => pathsOf(statusFile, { entry: chainNameOf(format) }));
    this.#chain = new Chain(fs, paths.chain);
    this.#label = label;
  }

  override async primary(): Promise<string | undefined> {
    if (!(await this.#chain.head())) return super.primary();
    throw new ConfigurationError(
      `${this.#label} shows the session of a keychainStore with the same format, which is its own primary. Name the same primary in all programs: pass that store as the primary, without this item, or call remove() on it.`,
    );
  }
}
