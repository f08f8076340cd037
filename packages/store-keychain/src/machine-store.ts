import { basename, dirname, join } from "node:path";
import type { StoredValue, TokenStore } from "@unexpired/core";
import {
  Chain,
  codeOf,
  type FileSystem,
  type Generation,
  ignoreNotFound,
  type ProcessIdentity,
  withStoreErrors,
} from "@unexpired/store-node/chain";
import { type KeychainErrorReason, keychainReasonOf } from "./errors.ts";
import { type KeychainSettings, settingsIn } from "./options.ts";

/** The directories of one session, and how to open a store in one of them. */
export interface MachineStoreOptions {
  readonly settings: KeychainSettings;
  readonly sharedDirectory: string;
  readonly open: (settings: KeychainSettings) => TokenStore;
  /** Opens only the items that the version files name, without what another program stores. */
  readonly openSlots: (settings: KeychainSettings) => TokenStore;
  /** Subscribes to the events of all these stores. */
  readonly subscribe: NonNullable<TokenStore["subscribe"]>;
}

/** A directory with version files of this session, perhaps those of another machine. */
interface OtherDirectory {
  readonly store: TokenStore;
  /** The items that the version files name. */
  readonly slots: TokenStore;
  /** Whether the version files were written by an earlier release, on whichever machine. */
  readonly isShared: boolean;
  readonly modified: bigint;
}

/** Failures that do not tell whether the keychain has the session. */
const UNDECIDED: readonly (KeychainErrorReason | undefined)[] = ["locked", "timeout", "refused"];

/**
 * A keychain store whose directory is in a home directory that machines may share. Every machine has a directory of its
 * own. A session whose version files are elsewhere stays there if its items are in this machine's keychain: an earlier
 * release stored it, or the machine had another name. Nothing is moved, because other processes may be using the files.
 */
export class MachineStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: false } as const;
  readonly holder?: ProcessIdentity;
  readonly subscribe: NonNullable<TokenStore["subscribe"]>;
  readonly #fs: FileSystem;
  readonly #options: MachineStoreOptions;
  readonly #own: TokenStore;
  readonly #others = new Map<string, TokenStore>();
  /** The store that the last operation used; only for `describe()`. */
  #last: TokenStore;

  constructor(fs: FileSystem, options: MachineStoreOptions) {
    this.#fs = fs;
    this.#options = options;
    this.#own = options.open(options.settings);
    this.#last = this.#own;
    this.subscribe = options.subscribe;
    if (this.#own.holder) this.holder = this.#own.holder;
  }

  describe(): string {
    return this.#last.describe();
  }

  watch(onChange: () => void): () => void {
    const { sharedDirectory } = this.#options;
    const stops = [this.#own, this.#storeIn(sharedDirectory)].map((store) => store.watch?.(onChange));
    let isStopped = false;
    const watchOthers = async () => {
      const others = (await this.#listOthers()).filter(({ isShared }) => !isShared);
      if (!isStopped) stops.push(...others.map(({ store }) => store.watch?.(onChange)));
    };
    watchOthers().catch(() => undefined); // a directory that cannot be listed is an error of the next operation
    return () => {
      isStopped = true;
      for (const stop of stops) stop?.();
    };
  }

  async load(): Promise<StoredValue | undefined> {
    return (await this.#current("read")).load();
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    return (await this.#current("saved")).save(value, expected);
  }

  async remove(): Promise<void> {
    let store = await this.#current("removed");
    for (; store !== this.#own; store = await this.#current("removed")) await store.remove();
    await this.#own.remove();
  }

  async #current(action: "read" | "saved" | "removed"): Promise<TokenStore> {
    this.#last = await withStoreErrors(this.#options.settings.statusFile, action, () => this.#find());
    return this.#last;
  }

  async #find(): Promise<TokenStore> {
    // Version files that cannot be read belong to a session, too: the operation reports that, and `remove` ends it.
    if (await this.#headIn(this.#options.settings).catch(() => true)) return this.#own;
    for (const other of await this.#listOthers()) if (await holdsSession(other)) return other.store;
    return this.#own;
  }

  /** Lists the other directories that have version files of this session, the last one used first. */
  async #listOthers(): Promise<readonly OtherDirectory[]> {
    const { sharedDirectory, settings } = this.#options;
    const ownName = basename(dirname(settings.statusFile));
    const names = (await ignoreNotFound(this.#fs.list(sharedDirectory))) ?? [];
    const machines = names.filter((name) => /^[0-9a-f]{16}$/.test(name) && name !== ownName);
    const found = await Promise.all(["", ...machines].map((name) => this.#lookIn(name)));
    return found.filter((other) => other !== undefined).sort((a, b) => Number(b.modified - a.modified));
  }

  async #lookIn(name: string): Promise<OtherDirectory | undefined> {
    const { sharedDirectory, settings, openSlots } = this.#options;
    const directory = join(sharedDirectory, name);
    const isShared = name === "";
    // What another machine has damaged must not stop this one.
    const unreadable = isShared ? { stamp: { modified: 0n } } : undefined;
    const there = settingsIn(directory, settings);
    const head = await this.#headIn(there).catch(() => unreadable);
    const slots = openSlots(there);
    return head && { store: this.#storeIn(directory), slots, isShared, modified: head.stamp.modified };
  }

  #headIn({ paths }: KeychainSettings): Promise<Generation | undefined> {
    return new Chain(this.#fs, paths.chain).head();
  }

  #storeIn(directory: string): TokenStore {
    const { settings, open } = this.#options;
    const store = this.#others.get(directory) ?? open(settingsIn(directory, settings));
    this.#others.set(directory, store);
    return store;
  }
}

/** Whether the items that the version files name are in this machine's keychain. */
async function holdsSession({ slots, isShared }: OtherDirectory): Promise<boolean> {
  try {
    return (await slots.load()) !== undefined;
  } catch (error) {
    const reason = keychainReasonOf(error);
    const areFilesUnreadable = isShared && reason === undefined && codeOf(error) === "STORE_UNREADABLE";
    if (reason === "damaged" || areFilesUnreadable) return true; // some of the items are here, or may be
    // Without a keychain, a session of an earlier release may still be this machine's, but not one of another machine.
    if (isShared || UNDECIDED.includes(reason)) throw error;
    return false;
  }
}
