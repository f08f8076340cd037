import { createHash, randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { StoreError } from "@unexpired/core";
import { type FileSystem, MAX_BYTES, type Stamp } from "./filesystem.ts";
import { codeOf, errnoError, ignoreNotFound, withStoreErrors } from "./fs-errors.ts";
import type { SessionPaths } from "./paths.ts";

/** One published value. Its file is never modified. */
export interface Generation {
  readonly number: number;
  readonly id: string;
  readonly value: string;
  /**
   * Earlier values, oldest first: `<id>.<digest of the value>`, without the id if another program wrote the value. The
   * last one, as `@<mark>`, may be the session file of another program that this generation or an earlier one replaced.
   */
  readonly ancestors: readonly string[];
  readonly stamp: Stamp;
}

/** A generation that is written but not published: no reader opens files of this name. */
export interface Draft extends Generation {
  readonly temporaryPath: string;
}

/** The state that a draft is based on. */
export interface ParentRef {
  readonly head: Generation | undefined;
  /** Digest of the session file's text if another program wrote it and this draft replaces it. */
  readonly foreignDigest: string | undefined;
  /**
   * The mark of the session file if another program wrote it, even if it holds no session or was replaced before. Once it
   * is gone, that program may put the same file back.
   */
  readonly foreignMark?: string | undefined;
}

const GENERATION_NAME = /^[1-9]\d*$/;
const MAX_NUMBER = 1e12; // one save per millisecond for 30 years
/** `dead` is a draft that was revoked from its writer but not removed yet. */
const TEMPORARY_NAME = /^(draft|dead|projection)-[0-9a-f]+$/;
const KEPT_GENERATIONS = 3;
const MAX_ANCESTORS = 32;
const ABANDONED_AFTER = 60_000_000_000n; // ns
const MAX_READS = 50;
const MAX_PADDING = 256;
const MAX_RENAMES = 4;
const ADOPTED_PREFIX = "0-";

/** Returns the SHA-256 hash of a text, in base64url: recognizes the text without storing it. */
export const digestOf = (text: string): string => createHash("sha256").update(text).digest("base64url");

/** Returns a unique name for a temporary file. */
export const temporaryName = (kind: "draft" | "projection"): string => `${kind}-${randomBytes(8).toString("hex")}`;

/** Whether `text` was the stored value at some time before `generation`. */
export const isAncestor = (generation: Generation, text: string): boolean => {
  const digest = digestOf(text);
  return generation.ancestors.some((entry) => entry.endsWith(`.${digest}`));
};

/** Whether the session file with this mark was replaced by `generation` or an earlier one. */
export const hasReplaced = (generation: Generation, mark: string): boolean => generation.ancestors.includes(`@${mark}`);

/** Returns the version of a generation, as callers of the store see it. */
export const versionOf = ({ number, id }: Generation): string => `${number}-${id}`;

/** Returns the version of a session that another program wrote and that is not in any generation yet. */
export const adoptedVersion = (digest: string): string => `${ADOPTED_PREFIX}${digest}`;

export const isAdoptedVersion = (version: string): boolean => version.startsWith(ADOPTED_PREFIX);

/** Removes an abandoned draft together with everything that belongs to it. */
type RevokeDraft = (id: string) => Promise<void>;

interface CollectOptions {
  readonly newest: Generation;
  readonly revokeDraft: RevokeDraft | undefined;
}

/** A directory of write-once files; the highest number is the current value. */
export class Chain {
  readonly #fs: FileSystem;
  readonly directory: string;
  readonly #remedy: string;

  /** `remedy` tells users how to start again if a generation is damaged. */
  constructor(fs: FileSystem, directory: string, remedy = "Call remove() on the store and sign in again.") {
    this.#fs = fs;
    this.directory = directory;
    this.#remedy = remedy;
  }

  /** Returns the chain beside a session file. */
  static besideFile(fs: FileSystem, { file, chain }: SessionPaths): Chain {
    return new Chain(fs, chain, `Move away ${file}, then ${chain}, and sign in again.`);
  }

  /** Returns the path of a generation's file. */
  generationPath(number: number): string {
    return join(this.directory, String(number));
  }

  /** Returns the latest generation, or `undefined` if none exists. */
  async head(): Promise<Generation | undefined> {
    for (let attempt = 0; attempt < MAX_READS; attempt++) {
      const numbers = numbersIn(await this.#names(), this.directory);
      if (numbers.length === 0) return undefined;
      const number = Math.max(...numbers);
      const generation = await this.#read(number);
      // Missing: newer generations were published in the meantime, and this one was collected.
      if (generation) return generation;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.directory,
      problem: "changes faster than it can be read",
      hint: "Try again.",
    });
  }

  /** Returns the values before `head` that are kept and readable, newest first. */
  async previousValues(head: Generation): Promise<readonly string[]> {
    const numbers = Array.from({ length: KEPT_GENERATIONS - 1 }, (_, index) => head.number - 1 - index);
    const found = await Promise.all(numbers.map((number) => this.#read(number).catch(() => undefined)));
    return found.flatMap((generation) => (generation ? [generation.value] : []));
  }

  /** Writes `value` durably under a temporary name. Returns `undefined` if the chain was removed concurrently. */
  async draft(value: string, { head, foreignDigest, foreignMark }: ParentRef): Promise<Draft | undefined> {
    const id = randomBytes(8).toString("hex");
    const earlier = head?.ancestors.filter((entry) => !entry.startsWith("@")) ?? [];
    const parents = head ? [...earlier, `${head.id}.${digestOf(head.value)}`] : [];
    const foreign = foreignDigest === undefined ? [] : [`.${foreignDigest}`];
    const file = foreignMark === undefined ? [] : [`@${foreignMark}`];
    const ancestors = [...parents, ...foreign, ...file].slice(-MAX_ANCESTORS);
    // A removed and re-created chain may reuse number, inode and clock tick: a random length tells the files apart.
    const padding = " ".repeat(randomInt(MAX_PADDING));
    const temporaryPath = join(this.directory, temporaryName("draft"));
    const text = JSON.stringify({ id, past: ancestors, value }) + padding;
    if (Buffer.byteLength(text) > MAX_BYTES) throw errnoError("ETOOLARGE");
    const stamp = await ignoreNotFound(this.#fs.create(temporaryPath, text, { durable: true }));
    return stamp && { number: (head?.number ?? 0) + 1, id, value, ancestors, stamp, temporaryPath };
  }

  /**
   * Publishes a draft under its number. Returns `false` if the number is taken, or if the chain that the draft was
   * written to has been removed. Returns `undefined` if the draft was published but the whole chain was removed since.
   */
  async publish(draft: Draft): Promise<boolean | undefined> {
    try {
      await this.#fs.link(draft.temporaryPath, this.generationPath(draft.number));
      await this.#fs.syncDirectory(this.directory);
    } catch (error) {
      if (["EEXIST", "ENOENT"].includes(codeOf(error) ?? "")) return false;
      throw error;
    }
    const isPublished = await this.#isInHistory(draft);
    // An unpublished draft still belongs to its writer, which removes it.
    if (isPublished !== false) await this.#fs.unlink(draft.temporaryPath).catch(() => undefined);
    return isPublished;
  }

  /**
   * Whether the latest generation descends from this one. The number may have been free only because its file was
   * collected: while this process was suspended, others published that number and later ones, and ours is not part of
   * their history.
   */
  async #isInHistory(draft: Generation): Promise<boolean | undefined> {
    const newest = await this.head();
    if (!newest || newest.number < draft.number) return undefined; // the chain was removed
    if (newest.number === draft.number) return newest.id === draft.id;
    if (newest.ancestors.some((entry) => entry.startsWith(`${draft.id}.`))) return true;
    if (newest.number - draft.number < MAX_ANCESTORS / 2) return false;
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.directory,
      problem: "changed too many times to tell whether this save took effect",
      hint: "Load it again to find out.",
    });
  }

  /**
   * Removes old generations, which contain old secrets, and temporary files that their writers have abandoned.
   * `revokeDraft` is called instead of removing a draft's file, if more than that file belongs to a draft. A file that
   * cannot be removed is left for the next call.
   */
  async collect(newest: Generation, revokeDraft?: RevokeDraft): Promise<void> {
    const names = await this.#names();
    const collecting = names.map((name) => this.#collectOne(name, { newest, revokeDraft }).catch(() => undefined));
    await Promise.all(collecting);
  }

  async #collectOne(name: string, { newest, revokeDraft }: CollectOptions): Promise<void> {
    if (!(await this.#isObsolete(name, newest))) return;
    const [kind, id] = name.split("-");
    const isDraft = id !== undefined && kind !== "projection";
    await (revokeDraft && isDraft ? revokeDraft(id) : this.#fs.unlink(join(this.directory, name)));
  }

  async #isObsolete(name: string, newest: Generation): Promise<boolean> {
    const isOld = GENERATION_NAME.test(name) && Number(name) <= newest.number - KEPT_GENERATIONS;
    if (!isOld && !TEMPORARY_NAME.test(name)) return false;
    const stamp = await this.#fs.stat(join(this.directory, name));
    const age = stamp ? newest.stamp.modified - stamp.modified : -1n;
    // An old number with a newer time belongs to a session that began after the one of `newest` was removed.
    // A draft's writer may be merely suspended. That is safe: its link or rename fails, and it reports a conflict.
    return age > (isOld ? -1n : ABANDONED_AFTER);
  }

  /**
   * Renames the chain to `target`, which ends the session atomically: the drafts of suspended writers go with it. If
   * there is no chain, an empty one is created and renamed. `clearTarget` deletes what is left at `target` by a removal
   * that was interrupted or that is running in another process.
   */
  async retire(target: string, clearTarget: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#create();
        return await this.#rename(target);
      } catch (error) {
        const isOccupied = ["ENOTEMPTY", "EEXIST", "EPERM", "ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "");
        if (!isOccupied || attempt === MAX_RENAMES) throw error;
        await clearTarget();
      }
    }
  }

  async #create(): Promise<void> {
    await this.#fs.makeDirectory(this.directory).catch(async (error: unknown) => {
      await this.#fs.assertTrusted(this.directory); // tells a file from a directory
      throw error;
    });
  }

  async #rename(target: string): Promise<void> {
    try {
      await this.#fs.rename(this.directory, target);
    } catch (error) {
      if (codeOf(error) === "EXDEV") await this.#removeInPlace(target);
      else if (codeOf(error) === "ENAMETOOLONG") await this.#removeInPlace(undefined);
      else throw error;
    }
  }

  /**
   * Ends the session if its directory cannot be renamed, because it is in a lower layer of overlayfs, or because the new
   * name is too long; then there is no marker. Files are moved if possible: the caller may need those that name the items
   * of a keychain. Drafts are moved first, so that they cannot be published any more, and the latest generation after all
   * others, so that no earlier one becomes current. If another one is published in between, the directory is not empty,
   * and `retire` tries again.
   */
  async #removeInPlace(marker: string | undefined): Promise<void> {
    if (marker !== undefined) await this.#fs.makeDirectory(marker); // while it exists, no process adopts the session file
    const names = await this.#names();
    const drafts = names.filter((name) => TEMPORARY_NAME.test(name));
    const numbers = names.filter((name) => GENERATION_NAME.test(name)).sort((a, b) => Number(a) - Number(b));
    for (const name of new Set([...drafts, ...numbers, ...names])) await this.#moveTo(marker, name);
    await this.#fs.removeEmptyDirectory(this.directory);
  }

  async #moveTo(marker: string | undefined, name: string): Promise<void> {
    const path = join(this.directory, name);
    if (marker === undefined) return this.#fs.removeDirectory(path); // or a file
    await ignoreNotFound(this.#fs.rename(path, join(marker, name))).catch(async (error: unknown) => {
      if (codeOf(error) !== "EXDEV") throw error;
      await this.#fs.removeDirectory(path); // a lock in the same layer
    });
  }

  async #names(): Promise<readonly string[]> {
    const list = async () => {
      await this.#fs.assertTrusted(this.directory);
      return ignoreNotFound(this.#fs.list(this.directory));
    };
    return (await withStoreErrors(this.directory, "read", list)) ?? [];
  }

  async #read(number: number): Promise<Generation | undefined> {
    const path = this.generationPath(number);
    const file = await withStoreErrors(path, "read", () => ignoreNotFound(this.#fs.read(path))).catch(
      (error: unknown) => {
        throw codeOf(Object(error).cause) === "ETOOLARGE" ? this.#damagedError(path, "it is larger than 1 MiB") : error;
      },
    );
    if (!file) return undefined;
    const envelope = parseJsonOrUndefined(file.text);
    if (!isEnvelope(envelope)) throw this.#damagedError(path, "it does not contain a complete generation");
    return { number, stamp: file.stamp, id: envelope.id, ancestors: envelope.past, value: envelope.value };
  }

  #damagedError(location: string, problem: string): StoreError {
    // Falling back to an older generation, or to the session file, could lose a claim or reuse a spent refresh token.
    return new StoreError("STORE_UNREADABLE", { location, problem: `is damaged: ${problem}`, hint: this.#remedy });
  }
}

/** Returns the numbers of the generations. A number that is out of reach would make every later save invisible. */
function numbersIn(names: readonly string[], directory: string): number[] {
  const generations = names.filter((name) => GENERATION_NAME.test(name));
  const impossible = generations.find((name) => Number(name) > MAX_NUMBER);
  if (impossible === undefined) return generations.map(Number);
  throw new StoreError("STORE_UNREADABLE", {
    location: join(directory, impossible),
    problem: "has a number that no generation can have",
    hint: "It was not written by this library: move it away.",
  });
}

const isEnvelope = (value: unknown): value is { id: string; past: string[]; value: string } => {
  const { id, past, value: text } = Object(value) as { id?: unknown; past?: unknown; value?: unknown };
  const isText = (candidate: unknown) => typeof candidate === "string";
  return isText(id) && isText(text) && Array.isArray(past) && past.every(isText);
};

const parseJsonOrUndefined = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
