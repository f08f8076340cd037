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
import { KeychainError } from "./errors.ts";
import { accountsOf, join, parseManifest } from "./items.ts";
import type { Settings } from "./options.ts";
import type { Vaults } from "./vaults.ts";

/** What a look at the chain and at the keychain found. */
export interface Sight {
  readonly head: Generation | undefined;
  readonly stored: StoredValue | undefined;
  /** The backend that the session is in. */
  readonly backend: string | undefined;
  /** The slot that it is in, where we have written it. */
  readonly slot: string | undefined;
}

const MAX_LOOKS = 50;

/** Looks at the chain for the truth, and in the keychain for what it says. */
export class Observer {
  readonly #fs: FileSystem;
  readonly #vaults: Vaults;
  readonly #settings: Settings;

  constructor(fs: FileSystem, { vaults, settings }: { readonly vaults: Vaults; readonly settings: Settings }) {
    this.#fs = fs;
    this.#vaults = vaults;
    this.#settings = settings;
  }

  get #place(): SessionPaths {
    return this.#settings.place;
  }

  async look(): Promise<Sight> {
    const chain = new Chain(this.#fs, this.#place.chain);
    for (let attempt = 0; attempt < MAX_LOOKS; attempt++) {
      const head = await chain.head();
      const [found] = await Promise.allSettled([head ? this.#read(head) : this.#adopt()]);
      // Items are overwritten only after a newer generation has come, and deleted only after all of the chain has gone:
      // who reads them meanwhile finds others, or none, or an error.
      const isSettled = found.status === "fulfilled" && found.value?.stored;
      if (isSettled || (await chain.head())?.id === head?.id) return this.#judge(found);
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      place: this.#settings.name,
      problem: "changes faster than it can be read",
      advice: "Try again.",
    });
  }

  #judge(found: PromiseSettledResult<Sight | undefined>): Sight {
    if (found.status === "rejected") throw found.reason;
    if (!found.value) throw this.#damaged();
    return found.value;
  }

  /** `undefined` where the items are not those that were saved. */
  async #read(head: Generation): Promise<Sight | undefined> {
    const manifest = parseManifest(head.value, this.#place.chain);
    const { backend, slot } = manifest;
    const vault = await this.#vaults.named(backend);
    const accounts = accountsOf(this.#settings.account, manifest);
    const parts = await Promise.all(accounts.map((account) => vault.get(account)));
    // Somebody deleted it with the system's own program: that is no session.
    if (parts.every((part) => part === undefined)) return { head, stored: undefined, backend, slot };
    const value = join(parts, manifest);
    return value === undefined ? undefined : { head, stored: { value, version: versionOf(head) }, backend, slot };
  }

  /** Without a chain, an item under the plain account is another program's, or an earlier version's, session. */
  async #adopt(): Promise<Sight> {
    const nothing = { head: undefined, stored: undefined, backend: undefined, slot: undefined };
    const vaults = await this.#vaults.present();
    for (const vault of vaults) {
      const value = await vault.get(this.#settings.account);
      // While a removal is under way it is only what is left to remove.
      if (value === undefined || (await this.#fs.stat(this.#place.removed))) continue;
      return { ...nothing, stored: { value, version: adoptedVersion(digestOf(value)) }, backend: vault.name };
    }
    return nothing;
  }

  #damaged(): KeychainError {
    return new KeychainError("damaged", {
      place: this.#settings.name,
      problem: "does not hold what was saved: a part is missing, or another",
      advice: "It was left as it is. Restore it, or call remove() and sign in again.",
    });
  }
}
