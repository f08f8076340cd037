import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { StoreError } from "@unexpired/core";
import {
  codeOf,
  type FileSystem,
  ignoreNotFound,
  makeDurableDirectory,
  withStoreErrors,
} from "@unexpired/store-node/chain";
import { tryJson } from "./items.ts";

/** Where a session is kept that may be in a keychain or in a file. */
export interface Choice {
  readonly place: "keychain" | "file";
  /** The version of the session in the file that goes to the keychain, or went there: what is left of it is removed. */
  readonly moved?: string | undefined;
}

const MAX_LOOKS = 50;

/** The file that remembers the choice, for all processes of a session. No secret in it. */
export class ChoiceFile {
  readonly #fs: FileSystem;
  readonly #path: string;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** `undefined` where nothing is remembered. */
  async read(): Promise<Choice | undefined> {
    const file = await withStoreErrors(this.#path, "read", () => ignoreNotFound(this.#fs.read(this.#path)));
    if (file === undefined) return undefined;
    const choice = parseChoice(file.text);
    if (choice) return choice;
    throw new StoreError("STORE_UNREADABLE", {
      place: this.#path,
      problem: "does not say whether the session is in the keychain or in the file",
      advice:
        "It was left as it is. Delete it to have both places looked at again, or call remove() and sign in again.",
    });
  }

  /** Remembers a choice where there is none, and resolves to the one that is there then: one of all who try at once. */
  make(choice: Choice): Promise<Choice> {
    return withStoreErrors(this.#path, "saved", async () => {
      for (let look = 0; look < MAX_LOOKS; look++) {
        const made = await this.read();
        if (made) return made;
        if (await this.#tryMake(choice)) return choice;
      }
      throw new StoreError("STORE_UNAVAILABLE", {
        place: this.#path,
        problem: "changes faster than it can be read",
        advice: "Try again.",
      });
    });
  }

  /** Remembers another choice. */
  replace(choice: Choice): Promise<void> {
    return withStoreErrors(this.#path, "saved", async () => {
      await this.#fs.rename(await this.#stage(choice), this.#path);
      await this.#fs.syncDirectory(dirname(this.#path));
    });
  }

  /** Forgets it, and what processes left that died while they wrote it. */
  forget(): Promise<void> {
    const directory = dirname(this.#path);
    return withStoreErrors(this.#path, "removed", async () => {
      const names = (await ignoreNotFound(this.#fs.list(directory))) ?? [];
      const drafts = names.filter((name) => name.startsWith(`${basename(this.#path)}-`));
      for (const name of [basename(this.#path), ...drafts]) await this.#fs.unlink(join(directory, name));
    });
  }

  /** `false` where there is one. Linked, so that nobody reads half of it. */
  async #tryMake(choice: Choice): Promise<boolean> {
    const draft = await this.#stage(choice);
    try {
      await this.#fs.link(draft, this.#path);
      await this.#fs.syncDirectory(dirname(this.#path));
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    } finally {
      await this.#fs.unlink(draft).catch(() => undefined);
    }
  }

  async #stage(choice: Choice): Promise<string> {
    await makeDurableDirectory(this.#fs, dirname(this.#path));
    const draft = `${this.#path}-${randomBytes(8).toString("hex")}`;
    await this.#fs.create(draft, `${JSON.stringify(choice)}\n`, { durable: true });
    return draft;
  }
}

function parseChoice(text: string): Choice | undefined {
  const { place, moved } = Object(tryJson(text)) as { place?: unknown; moved?: unknown };
  if (place !== "keychain" && place !== "file") return undefined;
  return moved === undefined || typeof moved === "string" ? { place, moved } : undefined;
}
