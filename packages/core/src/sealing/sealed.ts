import * as z from "zod/mini";
import { StoreError, UnexpiredError } from "../errors.ts";
import type { StoredValue, TokenStore } from "../types.ts";
import { checkOption, checkOptions, type OptionTable } from "../util/check-options.ts";
import { storeOption } from "../util/store-option.ts";
import { type KeyRing, type SealingKey, toKeyRing } from "./key-ring.ts";
import { open, parseSealed, type SealedText, seal } from "./sealed-text.ts";

/** Options of {@link sealed}. */
export interface SealedOptions {
  /** The keys: the first one encrypts, all of them decrypt. Pass one `keyRing` or `envelopeKeys` to all stores of a server. */
  readonly keys: readonly SealingKey[] | KeyRing;
  /**
   * Names the session, such as the user's ID. Someone who can write to the database cannot make one user's session another's,
   * because what was sealed under one name does not open under another. Must stay the same. Not stored.
   */
  readonly name: string;
  /**
   * Whether to read a session that is not sealed, and to seal it with the next save: for a store that already holds sessions.
   * Remove the option once all are sealed: until then, someone who can write to the database can put any session there.
   * Default `false`.
   */
  readonly allowPlain?: boolean | undefined;
}

/**
 * Wraps a store so that it keeps the session encrypted, with AES-GCM by WebCrypto. Everything else about the store stays as it is.
 * A session is encrypted with the first key of the ring whenever it is saved, so at its next refresh.
 *
 * People who can read the database, its backups or its logs cannot read the tokens. Those who can write to it can still delete a
 * session or put back an older one.
 *
 * The store reports `STORE_UNREADABLE` if the session is sealed with a key that the ring does not have, was changed, or was
 * sealed under another name; and `STORE_UNAVAILABLE` if a key cannot be obtained.
 *
 * @throws TypeError if an option is invalid, or the store shows the session to other programs, which could not read it
 */
export function sealed(store: TokenStore, options: SealedOptions): TokenStore {
  checkOption("store", [...storeOption, "required"], store);
  const { keys, name, allowPlain = false } = checkOptions("sealed", optionTable, options);
  if (store.supports.foreignDocuments)
    throw new TypeError("store: other programs read the session of this store, so it cannot be sealed.");
  return new SealedStore(store, { keys: toKeyRing(keys), name, allowPlain });
}

const optionTable = {
  keys: [z.any(), "an array of { id, key }, or a KeyRing", "required"],
  name: [z.string().check(z.minLength(1)), "a non-empty string", "required"],
  allowPlain: [z.boolean(), "true or false"],
} as const satisfies OptionTable & Record<keyof SealedOptions, unknown>;

interface Settings {
  readonly keys: KeyRing;
  readonly name: string;
  readonly allowPlain: boolean;
}

class SealedStore implements TokenStore {
  readonly #store: TokenStore;
  readonly #settings: Settings;
  readonly supports: TokenStore["supports"];
  readonly holder?: NonNullable<TokenStore["holder"]>;
  readonly watch?: NonNullable<TokenStore["watch"]>;
  readonly subscribe?: NonNullable<TokenStore["subscribe"]>;
  readonly settled?: NonNullable<TokenStore["settled"]>;

  constructor(store: TokenStore, settings: Settings) {
    this.#store = store;
    this.#settings = settings;
    this.supports = store.supports;
    if (store.holder) this.holder = store.holder;
    if (store.watch) this.watch = store.watch.bind(store);
    if (store.settled) this.settled = store.settled.bind(store);
    if (store.subscribe) this.subscribe = store.subscribe.bind(store);
  }

  /** Whether writes that bypassed the store were detected: see `fromKeyValue`. */
  get isShared(): boolean {
    return Reflect.get(this.#store, "isShared") === true;
  }

  describe(): string {
    return this.#store.describe();
  }

  async load(): Promise<StoredValue | undefined> {
    const stored = await this.#store.load().catch((error: unknown) => this.#withOpened(error));
    return stored && { version: stored.version, value: await this.#open(stored) };
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    const { keys, name } = this.#settings;
    const current = await keys.current().catch((cause: unknown) => this.#failKey(cause));
    return this.#store.save(await seal(value, { ...current, name }), expected);
  }

  remove(): Promise<void> {
    return this.#store.remove();
  }

  /** An intact session that unreadable data hides is sealed, too. */
  async #withOpened(error: unknown): Promise<never> {
    if (!UnexpiredError.is(error) || error.code !== "STORE_UNREADABLE" || !error.stored) throw error;
    const { code, location, problem, hint, version = "", overwriteVersion, cause } = error;
    const value = await this.#open({ value: error.stored(), version });
    throw new StoreError(code, { location, problem, hint, version, overwriteVersion, cause, stored: () => value });
  }

  async #open({ value, version }: StoredValue): Promise<string> {
    const text = parseSealed(value);
    if (text) return this.#openText(text, version);
    if (this.#settings.allowPlain) return value;
    return this.#fail(version, {
      problem: "holds a session that is not sealed",
      hint: 'If it was stored before your program sealed its sessions, pass allowPlain: true to sealed(). Otherwise, have the user sign in and call signIn(tokens, { over: "unreadable" }).',
    });
  }

  async #openText(text: SealedText, version: string): Promise<string> {
    const { keys, name } = this.#settings;
    const { id } = text;
    const key = await keys.find(id).catch((cause: unknown) => this.#failKey(cause));
    if (!key)
      return this.#fail(version, {
        problem: `is sealed with the key ${JSON.stringify(id)}, which is not among the keys of this process`,
        hint: "Add that key to the option keys of sealed(). The session was left unchanged.",
      });
    return open(text, { id, key, name }).catch((cause: unknown) =>
      this.#fail(version, {
        problem: `does not open with the key ${JSON.stringify(id)}: it was changed, or sealed under another name, or that ID now belongs to another key`,
        hint: 'It was left unchanged. Check the options name and keys of sealed(), or have the user sign in and call signIn(tokens, { over: "unreadable" }).',
        cause,
      }),
    );
  }

  #fail(version: string, details: { problem: string; hint: string; cause?: unknown }): never {
    throw new StoreError("STORE_UNREADABLE", { location: this.describe(), version, ...details });
  }

  #failKey(cause: unknown): never {
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.describe(),
      problem: "cannot be used, because the key for sealing could not be obtained",
      hint: "Check the key management service, and try again. The session was left unchanged.",
      cause,
    });
  }
}
