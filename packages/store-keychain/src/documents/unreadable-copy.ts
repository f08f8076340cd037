import { digestOf } from "@unexpired/store-node/chain";
import type { BackendRegistry } from "../backends/registry.ts";
import { KeychainError } from "../errors.ts";
import type { KeychainSettings } from "../options.ts";
import { assertFits, type FoundItem } from "./foreign-item.ts";

const DIGEST_LENGTH = 16; // characters: two different texts have different names

/** Keeps the texts of items that are about to be replaced, in items of their own: they may hold secrets. */
export class UnreadableCopies {
  readonly #backends: BackendRegistry;
  readonly #settings: KeychainSettings;

  /** The settings are those of the session's own items: a program that looks for its service alone must find no copy. */
  constructor(backends: BackendRegistry, settings: KeychainSettings) {
    this.#backends = backends;
    this.#settings = settings;
  }

  /**
   * Stores a copy of the text under `<account> (unreadable <digest>)`, with the backend of the item. The same text is kept
   * once; nothing removes it.
   *
   * @throws KeychainError if it cannot be kept
   */
  async keep({ text, client: source }: FoundItem): Promise<void> {
    if (text === undefined) return;
    const client = await this.#backends.forCopy(source?.name);
    const account = `${this.#settings.account} (unreadable ${digestOf(text).slice(0, DIGEST_LENGTH)})`;
    const location = `The keychain item "${this.#settings.service}" for account "${account}"`;
    const hint = "Nothing was replaced. Repair the item of the session, or delete it, and sign in again.";
    assertFits(client, text, { location, problem: "cannot keep the text that a sign-in would replace", hint });
    if ((await client.get(account)) === text) return;
    await client.set(account, text);
    if ((await client.get(account)) === text) return;
    throw new KeychainError("refused", { location, problem: "does not hold the text that was stored in it", hint });
  }
}
