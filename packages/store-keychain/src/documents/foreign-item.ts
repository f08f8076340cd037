import type { KeychainClient } from "../backends/keychain-client.ts";
import type { BackendRegistry } from "../backends/registry.ts";
import { KeychainError } from "../errors.ts";

/** The text of an item when it was read, and the client that found it; both are `undefined` if it does not exist. */
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
   * Replaces the text of the item; `undefined` deletes it. Returns `false`, with the item as it is, if it has changed since
   * it was read.
   *
   * @throws KeychainError `too_long` if the keychain does not permit the text; it cannot be split, as its owner reads it
   */
  async replace(found: FoundItem, text: string | undefined): Promise<boolean> {
    const client = await this.#clientOf(found);
    if (text !== undefined) this.#assertFits(client, text, SAVED_HINT);
    // No keychain can compare and write at once. This read keeps the time in between as short as possible.
    if ((await this.read()).text !== found.text) return false;
    await (text === undefined ? client.delete(this.#account) : client.set(this.#account, text));
    return true;
  }

  /**
   * Checks that the item can hold a text, before anything is saved.
   *
   * @throws KeychainError `too_long`
   */
  async assertHolds(found: FoundItem, text: string | undefined): Promise<void> {
    if (text !== undefined) this.#assertFits(await this.#clientOf(found), text, UNSAVED_HINT);
  }

  async #clientOf(found: FoundItem): Promise<KeychainClient> {
    return found.client ?? (await this.#backends.forWriting(undefined));
  }

  #assertFits(client: KeychainClient, text: string, hint: string): void {
    assertFits(client, text, { location: this.#label, problem: "cannot hold the session", hint });
  }
}

const SAVED_HINT =
  "The session itself is saved, but the other program keeps an old copy. Sign in again there, or store less in the item.";
const UNSAVED_HINT = "Nothing was saved. Store less in the item, and try again.";

/**
 * Checks that the keychain permits a text in one item.
 *
 * @throws KeychainError `too_long`
 */
export function assertFits(
  { name, limit = Number.POSITIVE_INFINITY }: KeychainClient,
  text: string,
  { location, problem, hint }: { readonly location: string; readonly problem: string; readonly hint: string },
): void {
  const [size, unit] = name === "keytar" ? [Buffer.byteLength(text), "bytes"] : [text.length, "characters"];
  if (size <= limit) return;
  throw new KeychainError("too_long", {
    location,
    problem: `${problem}: it would have ${size} ${unit}, and the keychain permits ${limit}`,
    hint,
  });
}
