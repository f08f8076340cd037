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

/**
 * The file that records the location for all processes of a session. Contains no secret.
 *
 * Machines that share a home directory have one each, but the plain-text file is common to all of them. If one machine
 * chooses that file, it therefore records this in `sharedPath` as well, for the machines that have not chosen yet. An
 * earlier release recorded every choice there.
 */
export class LocationFile {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #sharedPath: string | undefined;

  constructor(fs: FileSystem, path: string, sharedPath?: string) {
    this.#fs = fs;
    this.#path = path;
    this.#sharedPath = sharedPath;
  }

  /** Returns `undefined` if no location is recorded. */
  async read(): Promise<Location | undefined> {
    return (await this.#readFrom(this.#path)) ?? (await this.#readShared());
  }

  /** Whether another machine keeps its session in the file, although this one has chosen its keychain. */
  async isFileOfOthers(): Promise<boolean> {
    return (await this.read())?.store === "keychain" && (await this.#readShared())?.store === "file";
  }

  async #readShared(): Promise<Location | undefined> {
    return this.#sharedPath === undefined ? undefined : this.#readFrom(this.#sharedPath);
  }

  async #readFrom(path: string): Promise<Location | undefined> {
    const file = await withStoreErrors(path, "read", () => ignoreNotFound(this.#fs.read(path)));
    if (file === undefined) return undefined;
    const location = parseLocation(file.text);
    if (location) return location;
    throw new StoreError("STORE_UNREADABLE", {
      location: path,
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
        if (await this.#tryRecord(location)) return location;
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
      await this.#fs.rename(await this.#writeDraft(this.#path, location), this.#path);
      await this.#fs.syncDirectory(dirname(this.#path));
    });
  }

  /** Resets the choice, except that of other machines. Removes also the drafts of processes that died while writing. */
  async remove(): Promise<void> {
    const isFileOfOthers = await this.isFileOfOthers().catch(() => false);
    await this.#removeFrom(this.#path);
    if (this.#sharedPath !== undefined && !isFileOfOthers) await this.#removeFrom(this.#sharedPath);
  }

  #removeFrom(path: string): Promise<void> {
    const directory = dirname(path);
    return withStoreErrors(path, "removed", async () => {
      const names = (await ignoreNotFound(this.#fs.list(directory))) ?? [];
      const drafts = names.filter((name) => name.startsWith(`${basename(path)}-`));
      for (const name of [basename(path), ...drafts]) await this.#fs.unlink(join(directory, name));
    });
  }

  async #tryRecord(location: Location): Promise<boolean> {
    // The shared one first: another machine that finds a session in the file must not move it.
    const isShared = location.store === "file" && this.#sharedPath !== undefined;
    if (isShared) await this.#tryCreate(this.#sharedPath, location);
    return this.#tryCreate(this.#path, location);
  }

  /** Returns `false` if the file exists. Links a complete draft, so that no process reads a partial file. */
  async #tryCreate(path: string, location: Location): Promise<boolean> {
    const draft = await this.#writeDraft(path, location);
    try {
      await this.#fs.link(draft, path);
      await this.#fs.syncDirectory(dirname(path));
      return true;
    } catch (error) {
      if (codeOf(error) === "EEXIST") return false;
      throw error;
    } finally {
      await this.#fs.unlink(draft).catch(() => undefined);
    }
  }

  async #writeDraft(path: string, { store, migratedVersion }: Location): Promise<string> {
    await makeDurableDirectory(this.#fs, dirname(path));
    const draft = `${path}-${randomBytes(8).toString("hex")}`;
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
