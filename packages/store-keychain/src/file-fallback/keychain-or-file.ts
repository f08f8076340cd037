import { StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import type { FileStoreOptions } from "@unexpired/store-node";
import { Chain, nodeFileSystem, type ProcessIdentity } from "@unexpired/store-node/chain";
import { KeychainError } from "../errors.ts";
import { keychainStore } from "../keychain-store.ts";
import { type KeychainStoreOptions, resolveSettings } from "../options.ts";
import { type Location, LocationFile, type StoreKind } from "./location-file.ts";
import { PlainFile, type PlainFileDeps } from "./plain-file.ts";
import { restrictToOwner } from "./windows-acl.ts";

/** Which session, in which keychain, and in which file where there is none. */
export interface KeychainOrFileOptions extends KeychainStoreOptions {
  /**
   * Where the session may be kept in plain text, as in `fileStore`: `path` or `appName`. To name it is to allow it; to
   * never allow it use `keychainStore`.
   */
  readonly plainTextFile: FileStoreOptions;
}

/** The session, and where it is; without one, where it would go. */
interface LocatedSession {
  readonly store: StoreKind;
  readonly stored: StoredValue | undefined;
}

const MAX_ATTEMPTS = 50;

/**
 * A store that keeps one session in the system's keychain, and on a machine without one in a file that only its owner
 * may read, in plain text: {@link keychainStore} or `fileStore`.
 *
 * The first save chooses, and the choice is remembered in `directory` for all processes. Where there is a keychain it is
 * the keychain, also one that is locked or hangs: that is an error, and no reason for the file. From then on a process
 * that has no keychain (over SSH, in cron) gets the keychain's error, and one that has leaves in the file what is in the
 * file: a second session would be born. `remove` forgets the choice.
 *
 * A session that is in the file when nothing is chosen, or when the keychain is chosen and empty, is moved to the
 * keychain once, under another version. One that is in the keychain when the file is chosen and empty stays there, and
 * the keychain is chosen from then on. What another program keeps in a keychain that this process has not cannot be
 * seen: where nothing is chosen a sign-in goes to the file, and that is the session from then on.
 *
 * `load`, `save` and `remove` throw `KeychainError` and `StoreError`, as those two stores do. On Windows nothing is
 * saved in the file before it is certain that only this user, SYSTEM and administrators may read it.
 *
 * @throws TypeError where an option is none of those accepted, or `plainTextFile` is missing
 */
export function keychainOrFile(options: KeychainOrFileOptions): TokenStore {
  const isWindows = process.platform === "win32";
  return openKeychainOrFile(options, { fs: nodeFileSystem, restrictToOwner: isWindows ? restrictToOwner : undefined });
}

/** {@link keychainOrFile} with the caller's dependencies. */
export const openKeychainOrFile = (options: KeychainOrFileOptions, deps: PlainFileDeps): TokenStore =>
  new KeychainOrFile(options, deps);

class KeychainOrFile implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: false } as const;
  readonly holder?: ProcessIdentity;
  readonly #keychain: TokenStore;
  readonly #file: PlainFile;
  readonly #locationFile: LocationFile;
  /** What the keychain's own directory says of it. */
  readonly #keychainChain: Chain;
  /** For people: what the last operation found. */
  #lastStore: StoreKind | undefined;
  #isCopyLeft = false;

  constructor(options: KeychainOrFileOptions, deps: PlainFileDeps) {
    const { statusFile, paths } = resolveSettings(options);
    this.#keychain = keychainStore(options);
    this.#file = new PlainFile(options.plainTextFile, deps);
    this.#locationFile = new LocationFile(deps.fs, `${statusFile}.place`);
    this.#keychainChain = new Chain(deps.fs, paths.chain);
    if (this.#keychain.holder) this.holder = this.#keychain.holder;
  }

  describe(): string {
    const file = `the file ${this.#file.path}, in plain text`;
    if (this.#lastStore === "file") return `T${file.slice(1)}`;
    const keychain = this.#keychain.describe();
    if (this.#lastStore === undefined) return `${keychain}; or, where there is no keychain, ${file}`;
    return this.#isCopyLeft ? `${keychain}; and a copy that could not be removed in ${file}` : keychain;
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
    // With a version of the chosen place, that is all to ask.
    if (location && expected !== undefined) return this.#saveIn(location.store, value, expected);
    const { store: kind, stored } = await this.#locate();
    if (stored?.version !== expected) throw new StoreConflictError(this.describe());
    if (kind === "file") await this.#file.protect({ isFirst: true });
    const chosen = await this.#locationFile.createOrRead({ store: kind });
    if (chosen.store !== kind) return this.save(value, expected); // somebody else chose at the same moment
    return expected === undefined ? this.#saveFirst(kind, value) : this.#saveIn(kind, value, expected);
  }

  async remove(): Promise<void> {
    // Where it cannot be read it may have been the keychain.
    const location = await this.#locationFile.read().catch((): Location => ({ store: "keychain" }));
    const left = await this.#file.store.load().catch(() => undefined);
    await this.#removeFromKeychain(location);
    await this.#file.store.remove();
    await this.#locationFile.remove();
    // Who was moving what the file had may have saved it meanwhile; from here on it sees that nothing is chosen.
    if (left && location?.store === "keychain") await this.#removeFromKeychain(location);
    this.#lastStore = undefined;
    this.#isCopyLeft = false;
  }

  async #removeFromKeychain(location: Location | undefined): Promise<void> {
    await this.#keychain.remove().catch(async (error: unknown) => {
      const isNeeded = location ? location.store === "keychain" : !(await this.#isKeychainAbsent(error));
      if (isNeeded || !(error instanceof KeychainError)) throw error;
    });
  }

  #storeFor(kind: StoreKind): TokenStore {
    return kind === "keychain" ? this.#keychain : this.#file.store;
  }

  /** Finishes on the way what a dead process has left of a move. */
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
      problem: "changes faster than it can be read",
      hint: "Try again.",
    });
  }

  /** `undefined`: something was changed, and it has to be looked at again. */
  #tryLocate(location: Location | undefined): Promise<LocatedSession | undefined> {
    if (!location) return this.#locateAnywhere();
    return location.store === "keychain" ? this.#locateInKeychain(location) : this.#locateInFile();
  }

  async #locateAnywhere(): Promise<LocatedSession | undefined> {
    const keychain = await this.#loadFromKeychain();
    if (keychain?.stored) return keychain;
    const left = await this.#file.store.load();
    if (!keychain || !left) return { store: keychain ? "keychain" : "file", stored: left };
    // Chosen before anything is copied: nobody saves in the file any more.
    await this.#locationFile.createOrRead({ store: "keychain", migratedVersion: left.version });
    return undefined;
  }

  /** `undefined` where there is no keychain, and there was none before. */
  async #loadFromKeychain(): Promise<LocatedSession | undefined> {
    try {
      return { store: "keychain", stored: await this.#keychain.load() };
    } catch (error) {
      if (await this.#isKeychainAbsent(error)) return undefined;
      throw error;
    }
  }

  /** With versions of a session in its directory the keychain is only away. */
  async #isKeychainAbsent(error: unknown): Promise<boolean> {
    const isAbsent = error instanceof KeychainError && ["no_service", "no_backend"].includes(error.reason);
    return isAbsent && (await this.#keychainChain.head()) === undefined;
  }

  async #locateInKeychain({ migratedVersion }: Location): Promise<LocatedSession | undefined> {
    const stored = await this.#keychain.load();
    if (!stored) return this.#migrateFromFile(migratedVersion);
    if (migratedVersion !== undefined) this.#isCopyLeft = await this.#file.removeMigrated(migratedVersion);
    return { store: "keychain", stored };
  }

  /** Takes over what is in the file. Told first, then copied; it is removed when the copy is found. */
  async #migrateFromFile(migratedVersion: string | undefined): Promise<LocatedSession | undefined> {
    const left = await this.#file.store.load();
    if (!left?.value) return { store: "keychain", stored: undefined };
    if (left.version !== migratedVersion) {
      const now = await this.#locationFile.read();
      if (now?.store !== "keychain") return undefined; // removed meanwhile
      await this.#locationFile.replace({ store: "keychain", migratedVersion: left.version });
    }
    await this.#saveFirst("keychain", left.value).catch((error: unknown) => {
      if (!(error instanceof StoreConflictError)) throw error;
    });
    return undefined;
  }

  async #locateInFile(): Promise<LocatedSession | undefined> {
    const stored = await this.#file.store.load();
    if (stored) return { store: "file", stored };
    const other = await this.#keychain.load().catch((error: unknown) => {
      if (!(error instanceof KeychainError)) throw error; // not the chosen place: whatever is wrong with it
    });
    if (!other) return { store: "file", stored: undefined };
    // What is safe in a keychain is not put into a file: the choice moves.
    await this.#locationFile.replace({ store: "keychain" });
    // Who saved in the file before that has not seen it; who saves after it will.
    if (await this.#file.store.load()) await this.#locationFile.replace({ store: "file" });
    return undefined;
  }

  async #saveIn(kind: StoreKind, value: string, expected: string): Promise<string> {
    if (kind === "file") await this.#file.protect({ isFirst: false });
    const version = await this.#storeFor(kind).save(value, expected);
    this.#lastStore = kind;
    return version;
  }

  /** The first save in a place, which has to be the chosen one still when it is done. */
  async #saveFirst(kind: StoreKind, value: string): Promise<string> {
    const store = this.#storeFor(kind);
    const version = await store.save(value, undefined);
    this.#lastStore = kind;
    if ((await this.#locationFile.read())?.store === kind) return version;
    // Removed meanwhile, or chosen anew: two places must not have a session.
    if ((await store.load())?.version === version) await store.remove();
    throw new StoreConflictError(this.describe());
  }
}
