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
import { tryJson } from "../storage/items.ts";

/** One of the two stores that a session may be in. */
export type StoreKind = "keychain" | "file";

/** Where a session is kept that may be in a keychain or in a file. */
export interface Location {
  readonly store: StoreKind;
  /** The version of the session in the file that goes to the keychain, or went there: what is left of it is removed. */
  readonly migratedVersion?: string | undefined;
}

const MAX_ATTEMPTS = 50;

/** The file that remembers the location, for all processes of a session. No secret in it. */
export class LocationFile {
  readonly #fs: FileSystem;
  readonly #path: string;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** `undefined` where nothing is remembered. */
  async read(): Promise<Location | undefined> {
    const file = await withStoreErrors(this.#path, "read", () => ignoreNotFound(this.#fs.read(this.#path)));
    if (file === undefined) return undefined;
    const location = parseLocation(file.text);
    if (location) return location;
    throw new StoreError("STORE_UNREADABLE", {
      location: this.#path,
      problem: "does not say whether the session is in the keychain or in the file",
      hint: "It was left as it is. Delete it to have both places looked at again, or call remove() and sign in again.",
    });
  }

  /** Remembers a location where there is none, and resolves to the one that is there then: one of all who try at once. */
  createOrRead(location: Location): Promise<Location> {
    return withStoreErrors(this.#path, "saved", async () => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const existing = await this.read();
        if (existing) return existing;
        if (await this.#tryCreate(location)) return location;
      }
      throw new StoreError("STORE_UNAVAILABLE", {
        location: this.#path,
        problem: "changes faster than it can be read",
        hint: "Try again.",
      });
    });
  }

  /** Remembers another location. */
  replace(location: Location): Promise<void> {
    return withStoreErrors(this.#path, "saved", async () => {
      await this.#fs.rename(await this.#writeDraft(location), this.#path);
      await this.#fs.syncDirectory(dirname(this.#path));
    });
  }

  /** Forgets it, and what processes left that died while they wrote it. */
  remove(): Promise<void> {
    const directory = dirname(this.#path);
    return withStoreErrors(this.#path, "removed", async () => {
      const names = (await ignoreNotFound(this.#fs.list(directory))) ?? [];
      const drafts = names.filter((name) => name.startsWith(`${basename(this.#path)}-`));
      for (const name of [basename(this.#path), ...drafts]) await this.#fs.unlink(join(directory, name));
    });
  }

  /** `false` where there is one. Linked, so that nobody reads half of it. */
  async #tryCreate(location: Location): Promise<boolean> {
    const draft = await this.#writeDraft(location);
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

  async #writeDraft({ store, migratedVersion }: Location): Promise<string> {
    await makeDurableDirectory(this.#fs, dirname(this.#path));
    const draft = `${this.#path}-${randomBytes(8).toString("hex")}`;
    await this.#fs.create(draft, `${JSON.stringify({ place: store, moved: migratedVersion })}\n`, { durable: true });
    return draft;
  }
}

function parseLocation(text: string): Location | undefined {
  const { place: store, moved: migratedVersion } = Object(tryJson(text)) as { place?: unknown; moved?: unknown };
  if (store !== "keychain" && store !== "file") return undefined;
  const isValid = migratedVersion === undefined || typeof migratedVersion === "string";
  return isValid ? { store, migratedVersion } : undefined;
}
