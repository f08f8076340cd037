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

/** One of the two stores that can hold the session. */
export type StoreKind = "keychain" | "file";

/** The store that was chosen for a session. */
export interface Location {
  readonly store: StoreKind;
  /** The version of the file's session that is being, or was, migrated to the keychain. Its remains are removed. */
  readonly migratedVersion?: string | undefined;
}

const MAX_ATTEMPTS = 50;

/** The file that records the location for all processes of a session. Contains no secret. */
export class LocationFile {
  readonly #fs: FileSystem;
  readonly #path: string;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** Returns `undefined` if no location is recorded. */
  async read(): Promise<Location | undefined> {
    const file = await withStoreErrors(this.#path, "read", () => ignoreNotFound(this.#fs.read(this.#path)));
    if (file === undefined) return undefined;
    const location = parseLocation(file.text);
    if (location) return location;
    throw new StoreError("STORE_UNREADABLE", {
      location: this.#path,
      problem: "is damaged: it does not say whether the session is in the keychain or in the file",
      hint: "It was left unchanged. Delete it to search both locations again, or call remove() and sign in again.",
    });
  }

  /** Records a location unless one exists. Returns the recorded one, which is the same for all concurrent callers. */
  createOrRead(location: Location): Promise<Location> {
    return withStoreErrors(this.#path, "saved", async () => {
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        const existing = await this.read();
        if (existing) return existing;
        if (await this.#tryCreate(location)) return location;
      }
      throw new StoreError("STORE_UNAVAILABLE", {
        location: this.#path,
        problem: "kept changing while it was being read",
        hint: "Try again.",
      });
    });
  }

  /** Records a different location. */
  replace(location: Location): Promise<void> {
    return withStoreErrors(this.#path, "saved", async () => {
      await this.#fs.rename(await this.#writeDraft(location), this.#path);
      await this.#fs.syncDirectory(dirname(this.#path));
    });
  }

  /** Removes the file, and the drafts of processes that died while writing it. */
  remove(): Promise<void> {
    const directory = dirname(this.#path);
    return withStoreErrors(this.#path, "removed", async () => {
      const names = (await ignoreNotFound(this.#fs.list(directory))) ?? [];
      const drafts = names.filter((name) => name.startsWith(`${basename(this.#path)}-`));
      for (const name of [basename(this.#path), ...drafts]) await this.#fs.unlink(join(directory, name));
    });
  }

  /** Returns `false` if the file exists. Links a complete draft, so that no process reads a partial file. */
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
