import type { KeychainClient } from "../backends/keychain-client.ts";
import type { BackendRegistry } from "../backends/registry.ts";
import { KeychainError } from "../errors.ts";

/** What an item held when it was read, and the client that found it. */
export interface FoundItem {
  readonly text: string | undefined;
  readonly client: KeychainClient | undefined;
}

/** The item of another program. It is changed in place, in the shape in which it was written. */
export class ForeignItem {
  readonly #backends: BackendRegistry;
  readonly #account: string;
  readonly #label: string;

  constructor(backends: BackendRegistry, { account, label }: { readonly account: string; readonly label: string }) {
    this.#backends = backends;
    this.#account = account;
    this.#label = label;
  }

  /** @throws KeychainError */
  async read(): Promise<FoundItem> {
    for (const client of await this.#backends.forItem()) {
      const text = await client.get(this.#account);
      if (text !== undefined) return { text, client };
    }
    return { text: undefined, client: undefined };
  }

  /**
   * Replaces the text of the item; `undefined` deletes it. Does nothing if the item has changed since it was read.
   *
   * @throws KeychainError `too_long` if the keychain does not permit the text; it cannot be split, as its owner reads it
   */
  async replace(found: FoundItem, text: string | undefined): Promise<void> {
    const client = found.client ?? (await this.#backends.forWriting(undefined));
    if (text !== undefined) this.#assertFits(client, text);
    // No keychain can compare and write at once. This read keeps the time in between as short as possible.
    if ((await this.read()).text !== found.text) return;
    await (text === undefined ? client.delete(this.#account) : client.set(this.#account, text));
  }

  #assertFits({ name, limit = Number.POSITIVE_INFINITY }: KeychainClient, text: string): void {
    const [size, unit] = name === "keytar" ? [Buffer.byteLength(text), "bytes"] : [text.length, "characters"];
    if (size <= limit) return;
    throw new KeychainError("too_long", {
      location: this.#label,
      problem: `cannot hold the session: it would have ${size} ${unit}, and the keychain permits ${limit}`,
      hint: "The session itself is saved, but the other program keeps an old copy. Sign in again there, or store less in the item.",
    });
  }
}
