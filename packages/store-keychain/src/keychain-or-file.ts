import { StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import type { FileStoreOptions } from "@unexpired/store-node";
import { Chain, nodeFileSystem, type ProcessIdentity } from "@unexpired/store-node/chain";
import { type Choice, ChoiceFile } from "./choice.ts";
import { KeychainError } from "./errors.ts";
import { keychainStore } from "./keychain-store.ts";
import { type KeychainStoreOptions, settingsOf } from "./options.ts";
import { type Environment, PlainFile } from "./plain-file.ts";
import { keepPrivate } from "./windows-acl.ts";

/** Which session, in which keychain, and in which file where there is none. */
export interface KeychainOrFileOptions extends KeychainStoreOptions {
  /**
   * Where the session may be kept in plain text, as in `fileStore`: `path` or `appName`. To name it is to allow it; to
   * never allow it use `keychainStore`.
   */
  readonly plainTextFile: FileStoreOptions;
}

/** The session, and where it is; without one, where it would go. */
interface Found {
  readonly place: Choice["place"];
  readonly stored: StoredValue | undefined;
}

const MAX_LOOKS = 50;

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
  return openKeychainOrFile(options, { fs: nodeFileSystem, keepPrivate: isWindows ? keepPrivate : undefined });
}

/** {@link keychainOrFile} in a world of the caller's. */
export const openKeychainOrFile = (options: KeychainOrFileOptions, world: Environment): TokenStore =>
  new KeychainOrFile(options, world);

class KeychainOrFile implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: false } as const;
  readonly holder?: ProcessIdentity;
  readonly #keychain: TokenStore;
  readonly #file: PlainFile;
  readonly #choice: ChoiceFile;
  /** What the keychain's own directory says of it. */
  readonly #versions: Chain;
  /** For people: what the last operation found. */
  #place: Choice["place"] | undefined;
  #hasCopy = false;

  constructor(options: KeychainOrFileOptions, world: Environment) {
    const { path, place } = settingsOf(options);
    this.#keychain = keychainStore(options);
    this.#file = new PlainFile(options.plainTextFile, world);
    this.#choice = new ChoiceFile(world.fs, `${path}.place`);
    this.#versions = new Chain(world.fs, place.chain);
    if (this.#keychain.holder) this.holder = this.#keychain.holder;
  }

  describe(): string {
    const file = `the file ${this.#file.path}, in plain text`;
    if (this.#place === "file") return `T${file.slice(1)}`;
    const keychain = this.#keychain.describe();
    if (this.#place === undefined) return `${keychain}; or, where there is no keychain, ${file}`;
    return this.#hasCopy ? `${keychain}; and a copy that could not be removed in ${file}` : keychain;
  }

  watch(onChange: () => void): () => void {
    const stops = [this.#keychain, this.#file.store].map((store) => store.watch?.(onChange));
    return () => {
      for (const stop of stops) stop?.();
    };
  }

  async load(): Promise<StoredValue | undefined> {
    return (await this.#find()).stored;
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    const choice = await this.#choice.read();
    // With a version of the chosen place, that is all to ask.
    if (choice && expected !== undefined) return this.#saveIn(choice.place, value, expected);
    const { place, stored } = await this.#find();
    if (stored?.version !== expected) throw new StoreConflictError(this.describe());
    if (place === "file") await this.#file.protect({ isFirst: true });
    const made = await this.#choice.make({ place });
    if (made.place !== place) return this.save(value, expected); // somebody else chose at the same moment
    return expected === undefined ? this.#begin(place, value) : this.#saveIn(place, value, expected);
  }

  async remove(): Promise<void> {
    // Where it cannot be read it may have been the keychain.
    const choice = await this.#choice.read().catch((): Choice => ({ place: "keychain" }));
    const left = await this.#file.store.load().catch(() => undefined);
    await this.#removeFromKeychain(choice);
    await this.#file.store.remove();
    await this.#choice.forget();
    // Who was moving what the file had may have saved it meanwhile; from here on it sees that nothing is chosen.
    if (left && choice?.place === "keychain") await this.#removeFromKeychain(choice);
    this.#place = undefined;
    this.#hasCopy = false;
  }

  async #removeFromKeychain(choice: Choice | undefined): Promise<void> {
    await this.#keychain.remove().catch(async (error: unknown) => {
      const isNeeded = choice ? choice.place === "keychain" : !(await this.#isWithoutKeychain(error));
      if (isNeeded || !(error instanceof KeychainError)) throw error;
    });
  }

  #at(place: Choice["place"]): TokenStore {
    return place === "keychain" ? this.#keychain : this.#file.store;
  }

  /** Finishes on the way what a dead process has left of a move. */
  async #find(): Promise<Found> {
    for (let look = 0; look < MAX_LOOKS; look++) {
      const choice = await this.#choice.read();
      const found = await this.#look(choice);
      if (!found) continue;
      this.#place = choice || found.stored ? found.place : undefined;
      return found;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      place: this.describe(),
      problem: "changes faster than it can be read",
      advice: "Try again.",
    });
  }

  /** `undefined`: something was changed, and it has to be looked at again. */
  #look(choice: Choice | undefined): Promise<Found | undefined> {
    if (!choice) return this.#lookAround();
    return choice.place === "keychain" ? this.#lookInKeychain(choice) : this.#lookInFile();
  }

  async #lookAround(): Promise<Found | undefined> {
    const keychain = await this.#loadFromKeychain();
    if (keychain?.stored) return keychain;
    const left = await this.#file.store.load();
    if (!keychain || !left) return { place: keychain ? "keychain" : "file", stored: left };
    // Chosen before anything is copied: nobody saves in the file any more.
    await this.#choice.make({ place: "keychain", moved: left.version });
    return undefined;
  }

  /** `undefined` where there is no keychain, and there was none before. */
  async #loadFromKeychain(): Promise<Found | undefined> {
    try {
      return { place: "keychain", stored: await this.#keychain.load() };
    } catch (error) {
      if (await this.#isWithoutKeychain(error)) return undefined;
      throw error;
    }
  }

  /** With versions of a session in its directory the keychain is only away. */
  async #isWithoutKeychain(error: unknown): Promise<boolean> {
    const isAbsent = error instanceof KeychainError && ["no_service", "no_backend"].includes(error.reason);
    return isAbsent && (await this.#versions.head()) === undefined;
  }

  async #lookInKeychain({ moved }: Choice): Promise<Found | undefined> {
    const stored = await this.#keychain.load();
    if (!stored) return this.#move(moved);
    if (moved !== undefined) this.#hasCopy = await this.#file.clean(moved);
    return { place: "keychain", stored };
  }

  /** Takes over what is in the file. Told first, then copied; it is removed when the copy is found. */
  async #move(moved: string | undefined): Promise<Found | undefined> {
    const left = await this.#file.store.load();
    if (!left?.value) return { place: "keychain", stored: undefined };
    if (left.version !== moved) {
      const now = await this.#choice.read();
      if (now?.place !== "keychain") return undefined; // removed meanwhile
      await this.#choice.replace({ place: "keychain", moved: left.version });
    }
    await this.#begin("keychain", left.value).catch((error: unknown) => {
      if (!(error instanceof StoreConflictError)) throw error;
    });
    return undefined;
  }

  async #lookInFile(): Promise<Found | undefined> {
    const stored = await this.#file.store.load();
    if (stored) return { place: "file", stored };
    const other = await this.#keychain.load().catch((error: unknown) => {
      if (!(error instanceof KeychainError)) throw error; // not the chosen place: whatever is wrong with it
    });
    if (!other) return { place: "file", stored: undefined };
    // What is safe in a keychain is not put into a file: the choice moves.
    await this.#choice.replace({ place: "keychain" });
    // Who saved in the file before that has not seen it; who saves after it will.
    if (await this.#file.store.load()) await this.#choice.replace({ place: "file" });
    return undefined;
  }

  async #saveIn(place: Choice["place"], value: string, expected: string): Promise<string> {
    if (place === "file") await this.#file.protect({ isFirst: false });
    const version = await this.#at(place).save(value, expected);
    this.#place = place;
    return version;
  }

  /** The first save in a place, which has to be the chosen one still when it is done. */
  async #begin(place: Choice["place"], value: string): Promise<string> {
    const store = this.#at(place);
    const version = await store.save(value, undefined);
    this.#place = place;
    if ((await this.#choice.read())?.place === place) return version;
    // Removed meanwhile, or chosen anew: two places must not have a session.
    if ((await store.load())?.version === version) await store.remove();
    throw new StoreConflictError(this.describe());
  }
}
