import { type StoredValue, StoreError } from "@unexpired/core";
import {
  adoptedVersion,
  Chain,
  digestOf,
  type FileSystem,
  type Generation,
  type SessionPaths,
  versionOf,
} from "@unexpired/store-node/chain";
import type { BackendRegistry } from "../backends/registry.ts";
import { KeychainError, keychainReasonOf } from "../errors.ts";
import type { KeychainSettings } from "../options.ts";
import { itemAccounts, joinSession, tryManifest } from "./items.ts";

/** The state of the chain and the keychain at one moment. */
export interface KeychainSnapshot {
  readonly head: Generation | undefined;
  readonly stored: StoredValue | undefined;
  /** The backend that stores the session. */
  readonly backend: string | undefined;
  /** The slot that holds the session; `undefined` if another program wrote it. */
  readonly slot: string | undefined;
  /** The mark of the session in another program's item, if there is one. */
  readonly foreignMark?: string | undefined;
  /** The version over which a save replaces what cannot be read. */
  readonly overwriteVersion?: string | undefined;
  /** The reason why `stored` is unknown: the items of the session are damaged. */
  readonly failure?: KeychainError | undefined;
}

/** Reads what is stored, and which version it is. */
export interface SnapshotReader {
  /** @throws StoreError, except for damaged items: see `failure` */
  read(): Promise<KeychainSnapshot>;
  /** Whether another program may change at any time what is read. */
  readonly isForeign?: boolean;
}

/** A damaged session: its parts as they were found, or the error about an item that the backend cannot decode. */
interface Damage {
  readonly parts?: readonly (string | undefined)[];
  readonly cause?: unknown;
}

const MAX_READS = 50;
const OVERWRITE = "-over-";

/** Returns the version for a save over something unreadable: never that of a session, which may become readable again. */
export const overwriteVersionOf = (head: Generation | undefined, found: string): string =>
  head ? `${versionOf(head)}${OVERWRITE}${found}` : adoptedVersion(`${OVERWRITE}${found}`);

/** Whether a save with this version replaces something unreadable; may be `true` for the version of a session, too. */
export const isOverwriteVersion = (version: string): boolean => version.includes(OVERWRITE);

/** Reads the current version from the chain, and its session from the keychain. */
export class KeychainReader implements SnapshotReader {
  readonly #fs: FileSystem;
  readonly #backends: BackendRegistry;
  readonly #settings: KeychainSettings;

  constructor(
    fs: FileSystem,
    { backends, settings }: { readonly backends: BackendRegistry; readonly settings: KeychainSettings },
  ) {
    this.#fs = fs;
    this.#backends = backends;
    this.#settings = settings;
  }

  get #paths(): SessionPaths {
    return this.#settings.paths;
  }

  async read(): Promise<KeychainSnapshot> {
    const chain = new Chain(this.#fs, this.#paths.chain);
    for (let attempt = 0; attempt < MAX_READS; attempt++) {
      const head = await chain.head();
      const [found] = await Promise.allSettled([head ? this.#readItems(head) : this.#adoptItem()]);
      // Items are overwritten only after a newer generation is published, and deleted only after the chain is gone. If
      // that happens during the read, it may find other items, none, or an error; then the head has changed as well.
      const isSettled = found.status === "fulfilled" && found.value.stored;
      if (isSettled || (await chain.head())?.id === head?.id) return this.#unwrap(found, head);
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.#settings.label,
      problem: "kept changing while it was being read",
      hint: "Try again.",
    });
  }

  #unwrap(found: PromiseSettledResult<KeychainSnapshot>, head: Generation | undefined): KeychainSnapshot {
    if (found.status === "fulfilled") return found.value;
    const cause: unknown = found.reason;
    if (!head || keychainReasonOf(cause) !== "damaged") throw cause;
    return this.#damaged(head, { cause });
  }

  async #readItems(head: Generation): Promise<KeychainSnapshot> {
    const manifest = tryManifest(head.value);
    if (!manifest) return this.#damaged(head, {});
    const { backend, slot } = manifest;
    const client = await this.#backends.forName(backend);
    const accounts = itemAccounts(this.#settings.account, manifest);
    const parts = await Promise.all(accounts.map((account) => client.get(account)));
    // All items are missing, as after a deletion in the system's keychain program: there is no session.
    if (parts.every((part) => part === undefined)) return { head, stored: undefined, backend, slot };
    const value = joinSession(parts, manifest);
    if (value === undefined) return this.#damaged(head, { parts });
    return { head, stored: { value, version: versionOf(head) }, backend, slot };
  }

  /** Without a chain, an item under the plain account is the session of another program or an earlier version. */
  async #adoptItem(): Promise<KeychainSnapshot> {
    const nothing = { head: undefined, stored: undefined, backend: undefined, slot: undefined };
    const { clients, missing } = await this.#backends.available();
    for (const client of clients) {
      const value = await client.get(this.#settings.account).catch((error: unknown) => {
        throw missing !== undefined && keychainReasonOf(error) === "no_service" ? missing : error;
      });
      // During a removal, the item is only a remainder that is about to be deleted.
      if (value === undefined || (await this.#fs.stat(this.#paths.removed))) continue;
      return { ...nothing, stored: { value, version: adoptedVersion(digestOf(value)) }, backend: client.name };
    }
    if (missing !== undefined) throw missing;
    return nothing;
  }

  /** Describes items that do not match what was saved, or that a version file does not name. */
  #damaged(head: Generation, { parts, cause }: Damage): KeychainSnapshot {
    const { backend, slot } = tryManifest(head.value) ?? {};
    const overwriteVersion = overwriteVersionOf(head, digestOf(JSON.stringify(parts ?? head.value)));
    const failure = new KeychainError("damaged", {
      location: this.#settings.label,
      problem: backend
        ? "does not match what was saved: a part is missing or was replaced"
        : `has a damaged version file in ${this.#paths.chain}, which does not name the items that hold the session`,
      hint: 'It was left unchanged. Restore it, or have the user sign in and call signIn(tokens, { over: "unreadable" }).',
      overwriteVersion,
      cause,
    });
    return { head, stored: undefined, backend, slot, failure, overwriteVersion };
  }
}
