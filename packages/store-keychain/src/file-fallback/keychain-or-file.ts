import { StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import type { FileStoreOptions } from "@unexpired/store-node";
import { Chain, codeOf, nodeFileSystem, type ProcessIdentity } from "@unexpired/store-node/chain";
import { keychainReasonOf } from "../errors.ts";
import { createKeychainStore, type keychainStore } from "../keychain-store.ts";
import {
  type DefaultsSystem,
  type KeychainSettings,
  type KeychainStoreOptions,
  resolveSettings,
  settingsIn,
} from "../options.ts";
import { type Location, LocationFile, type StoreKind } from "./location-file.ts";
import { PlainFile, type PlainFileDeps } from "./plain-file.ts";
import { restrictToOwner } from "./windows-acl.ts";

/** The session to store, the keychain that stores it, and the file to use if there is no keychain. */
export interface KeychainOrFileOptions extends Omit<KeychainStoreOptions, "format"> {
  /**
   * The file in which the session may be stored in plain text: `path` or `appName` and, if needed, `stateDirectory`, as
   * in `fileStore`. Setting this option permits plain text; to rule it out, use `keychainStore`.
   */
  readonly plainTextFile: FileStoreOptions & { readonly format?: undefined };
}

/** The session and the store that holds it; without a session, the store that the next save would use. */
interface LocatedSession {
  readonly store: StoreKind;
  readonly stored: StoredValue | undefined;
}

const MAX_ATTEMPTS = 50;

const locationPath = ({ statusFile }: KeychainSettings): string => `${statusFile}.place`;

/**
 * Creates a store that keeps one session in the system's keychain or, on a machine without a keychain, in a plain-text
 * file that only its owner can read: {@link keychainStore} or `fileStore`.
 *
 * The first save chooses the location, and `directory` records the choice for all processes. If there is a keychain, it
 * is chosen; a keychain that is locked or does not respond is an error, not a reason to use the file. From then on, a
 * process that has no keychain (over SSH, in cron) gets the keychain's error, and a process that has one continues to
 * use the file if the file was chosen. Anything else would create a second session. `remove` resets the choice.
 *
 * A session that is in the file when nothing is chosen, or when the keychain is chosen and empty, moves to the keychain
 * once and gets a new version. A session that is in the keychain when the file is chosen and empty stays there, and the
 * keychain becomes the choice. A process without a keychain cannot see what another program stores in one: if nothing
 * is chosen, a sign-in goes to the file, which is the location from then on.
 *
 * `load`, `save` and `remove` throw `KeychainError` and `StoreError`, like the two stores. On Windows, nothing is saved
 * in the file until access is restricted to this user, SYSTEM and administrators.
 *
 * @throws TypeError if an option is invalid or `plainTextFile` is missing
 */
export function keychainOrFile(options: KeychainOrFileOptions): TokenStore {
  const isWindows = process.platform === "win32";
  return openKeychainOrFile(options, { fs: nodeFileSystem, restrictToOwner: isWindows ? restrictToOwner : undefined });
}

/** The external dependencies of a {@link keychainOrFile}. */
export interface KeychainOrFileDeps extends PlainFileDeps {
  /** Default: this system. */
  readonly system?: DefaultsSystem | undefined;
}

/** Creates a {@link keychainOrFile} with the given dependencies. */
export const openKeychainOrFile = (options: KeychainOrFileOptions, deps: KeychainOrFileDeps): TokenStore =>
  new KeychainOrFile(options, deps);

/** Which of two places another program reads is its choice: a session that moved between them would be lost to it. */
function assertNoFormat(options: unknown): void {
  const { format, plainTextFile } = Object(options) as { readonly format?: unknown; readonly plainTextFile?: unknown };
  if (format === undefined && Object(plainTextFile).format === undefined) return;
  throw new TypeError(
    'keychainOrFile: "format" is not supported, because another program does not follow a session that moves between its item and a file. Use keychainStore or fileStore with "format", for the place that it reads on this system.',
  );
}

class KeychainOrFile implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: false } as const;
  readonly holder?: ProcessIdentity;
  readonly #keychain: TokenStore;
  readonly #file: PlainFile;
  readonly #locationFile: LocationFile;
  /** The version files of the keychain store, in each directory; readable even if the keychain is not. */
  readonly #keychainChains: readonly Chain[];
  /** The store that the last operation used; only for `describe()`. */
  #lastStore: StoreKind | undefined;
  #isCopyLeft = false;

  constructor(options: KeychainOrFileOptions, deps: KeychainOrFileDeps) {
    assertNoFormat(options);
    const settings = resolveSettings(options, deps.system, "keychainOrFile");
    const { sharedDirectory } = settings;
    const shared = sharedDirectory === undefined ? undefined : settingsIn(sharedDirectory, settings);
    this.#keychain = createKeychainStore(settings);
    this.#file = new PlainFile(options.plainTextFile, deps);
    this.#locationFile = new LocationFile(deps.fs, locationPath(settings), shared && locationPath(shared));
    this.#keychainChains = [settings, ...(shared ? [shared] : [])].map(({ paths }) => new Chain(deps.fs, paths.chain));
    if (this.#keychain.holder) this.holder = this.#keychain.holder;
  }

  describe(): string {
    const file = `the file ${this.#file.path}, in plain text`;
    if (this.#lastStore === "file") return `T${file.slice(1)}`;
    const keychain = this.#keychain.describe();
    if (this.#lastStore === undefined) return `${keychain}; or, if there is no keychain, ${file}`;
    return this.#isCopyLeft ? `${keychain}; a copy could not be removed from ${file}` : keychain;
  }

  watch(onChange: () => void): () => void {
    const stops = [this.#keychain, this.#file.store].map((store) => store.watch?.(onChange));
    return () => {
      for (const stop of stops) stop?.();
    };
  }

  async load(): Promise<StoredValue | undefined> {
    return (await this.#locate()).stored;
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    const location = await this.#locationFile.read();
    // The chosen store compares the version itself.
    if (location && expected !== undefined) return this.#saveIn(location.store, value, expected);
    const { store: kind, stored } = await this.#locate();
    if (stored?.version !== expected) throw new StoreConflictError(this.describe());
    if (kind === "file") await this.#file.protect({ isFirst: true });
    const chosen = await this.#locationFile.createOrRead({ store: kind });
    if (chosen.store !== kind) return this.save(value, expected); // another process chose at the same moment
    return expected === undefined ? this.#saveFirst(kind, value) : this.#saveIn(kind, value, expected);
  }

  async remove(): Promise<void> {
    // If the location cannot be read, it may have been the keychain.
    const location = await this.#locationFile.read().catch((): Location => ({ store: "keychain" }));
    const isFileOfOthers = await this.#locationFile.isFileOfOthers().catch(() => false);
    const left = isFileOfOthers ? undefined : await this.#file.store.load().catch(() => undefined);
    await this.#removeFromKeychain(location);
    if (!isFileOfOthers) await this.#file.store.remove();
    await this.#locationFile.remove();
    // A concurrent migration may have saved the file's session to the keychain. From here on it sees that nothing is
    // chosen.
    if (left && location?.store === "keychain") await this.#removeFromKeychain(location);
    this.#lastStore = undefined;
    this.#isCopyLeft = false;
  }

  async #removeFromKeychain(location: Location | undefined): Promise<void> {
    await this.#keychain.remove().catch(async (error: unknown) => {
      const isNeeded = location ? location.store === "keychain" : !(await this.#isKeychainAbsent(error));
      if (isNeeded || keychainReasonOf(error) === undefined) throw error;
    });
  }

  #storeFor(kind: StoreKind): TokenStore {
    return kind === "keychain" ? this.#keychain : this.#file.store;
  }

  /** Finds the session, and finishes a migration that another process has left incomplete. */
  async #locate(): Promise<LocatedSession> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const location = await this.#locationFile.read();
      const found = await this.#tryLocate(location);
      if (!found) continue;
      this.#lastStore = location || found.stored ? found.store : undefined;
      return found;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.describe(),
      problem: "kept changing while it was being read",
      hint: "Try again.",
    });
  }

  /** Returns `undefined` if the location has changed and has to be determined again. */
  #tryLocate(location: Location | undefined): Promise<LocatedSession | undefined> {
    if (!location) return this.#locateAnywhere();
    return location.store === "keychain" ? this.#locateInKeychain(location) : this.#locateInFile();
  }

  async #locateAnywhere(): Promise<LocatedSession | undefined> {
    const keychain = await this.#loadFromKeychain();
    if (keychain?.stored) return keychain;
    const left = await this.#file.store.load();
    if (!keychain || !left) return { store: keychain ? "keychain" : "file", stored: left };
    // Chosen before anything is copied, so that no process saves to the file any more.
    await this.#locationFile.createOrRead({ store: "keychain", migratedVersion: left.version });
    return undefined;
  }

  /** Returns `undefined` if there is no keychain and there never was one. */
  async #loadFromKeychain(): Promise<LocatedSession | undefined> {
    try {
      return { store: "keychain", stored: await this.#keychain.load() };
    } catch (error) {
      if (await this.#isKeychainAbsent(error)) return undefined;
      throw error;
    }
  }

  /** If the directory has version files, the keychain is only temporarily unavailable. */
  async #isKeychainAbsent(error: unknown): Promise<boolean> {
    const isAbsent = ["no_service", "no_backend"].includes(keychainReasonOf(error) ?? "");
    if (!isAbsent) return false;
    const heads = await Promise.all(this.#keychainChains.map((chain) => chain.head()));
    return heads.every((head) => head === undefined);
  }

  async #locateInKeychain({ migratedVersion }: Location): Promise<LocatedSession | undefined> {
    const stored = await this.#keychain.load();
    if (!stored) return this.#migrateFromFile(migratedVersion);
    if (migratedVersion !== undefined) this.#isCopyLeft = await this.#file.removeMigrated(migratedVersion);
    return { store: "keychain", stored };
  }

  /** Copies the file's session to the keychain. Records the version first; the next lookup removes the original. */
  async #migrateFromFile(migratedVersion: string | undefined): Promise<LocatedSession | undefined> {
    const left = await this.#file.store.load();
    if (!left?.value || (await this.#locationFile.isFileOfOthers())) return { store: "keychain", stored: undefined };
    if (left.version !== migratedVersion) {
      const now = await this.#locationFile.read();
      if (now?.store !== "keychain") return undefined; // removed concurrently
      await this.#locationFile.replace({ store: "keychain", migratedVersion: left.version });
    }
    await this.#saveFirst("keychain", left.value).catch((error: unknown) => {
      if (codeOf(error) !== "STORE_CONFLICT") throw error;
    });
    return undefined;
  }

  async #locateInFile(): Promise<LocatedSession | undefined> {
    const stored = await this.#file.store.load();
    if (stored) return { store: "file", stored };
    const other = await this.#keychain.load().catch((error: unknown) => {
      if (keychainReasonOf(error) === undefined) throw error; // an unusable keychain does not matter: the file is chosen
    });
    if (!other) return { store: "file", stored: undefined };
    // A session is never copied from a keychain into plain text: the choice changes instead.
    await this.#locationFile.replace({ store: "keychain" });
    // A process that saved to the file before this change did not see it; a later one will.
    if (await this.#file.store.load()) await this.#locationFile.replace({ store: "file" });
    return undefined;
  }

  async #saveIn(kind: StoreKind, value: string, expected: string): Promise<string> {
    if (kind === "file") await this.#file.protect({ isFirst: false });
    const version = await this.#storeFor(kind).save(value, expected);
    this.#lastStore = kind;
    return version;
  }

  /** The first save in a location. Takes effect only if the location is still the chosen one afterwards. */
  async #saveFirst(kind: StoreKind, value: string): Promise<string> {
    const store = this.#storeFor(kind);
    const version = await store.save(value, undefined);
    this.#lastStore = kind;
    if ((await this.#locationFile.read())?.store === kind) return version;
    // Removed or changed concurrently. The session must not exist in two locations.
    if ((await store.load())?.version === version) await store.remove();
    throw new StoreConflictError(this.describe());
  }
}
