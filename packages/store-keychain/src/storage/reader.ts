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
import { itemAccounts, joinSession, parseManifest } from "./items.ts";

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
}

/** Reads what is stored, and which version it is. */
export interface SnapshotReader {
  /** @throws StoreError */
  read(): Promise<KeychainSnapshot>;
}

const MAX_READS = 50;

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
      const isSettled = found.status === "fulfilled" && found.value?.stored;
      if (isSettled || (await chain.head())?.id === head?.id) return this.#unwrap(found);
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.#settings.label,
      problem: "kept changing while it was being read",
      hint: "Try again.",
    });
  }

  #unwrap(found: PromiseSettledResult<KeychainSnapshot | undefined>): KeychainSnapshot {
    if (found.status === "rejected") throw found.reason;
    if (!found.value) throw this.#damaged();
    return found.value;
  }

  /** Returns `undefined` if the items do not match what was saved. */
  async #readItems(head: Generation): Promise<KeychainSnapshot | undefined> {
    const manifest = parseManifest(head.value, this.#paths.chain);
    const { backend, slot } = manifest;
    const client = await this.#backends.forName(backend);
    const accounts = itemAccounts(this.#settings.account, manifest);
    const parts = await Promise.all(accounts.map((account) => client.get(account)));
    // All items are missing, as after a deletion in the system's keychain program: there is no session.
    if (parts.every((part) => part === undefined)) return { head, stored: undefined, backend, slot };
    const value = joinSession(parts, manifest);
    return value === undefined ? undefined : { head, stored: { value, version: versionOf(head) }, backend, slot };
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

  #damaged(): KeychainError {
    return new KeychainError("damaged", {
      location: this.#settings.label,
      problem: "does not match what was saved: a part is missing or was replaced",
      hint: "It was left unchanged. Restore it, or call remove() and sign in again.",
    });
  }
}
