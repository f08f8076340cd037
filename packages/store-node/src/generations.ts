import { createHash, randomBytes, randomInt } from "node:crypto";
import { dirname, join } from "node:path";
import { StoreError } from "@unexpired/core";
import type { FileSystem, Stamp } from "./filesystem.ts";
import { codeOf, ignoreNotFound, withStoreErrors } from "./fs-errors.ts";

/** One published value. Its file is never written again. */
export interface Generation {
  readonly number: number;
  readonly id: string;
  readonly value: string;
  /** What was the truth before, oldest first: `<id>.<digest of the value>`; no id where another program wrote it. */
  readonly ancestors: readonly string[];
  readonly stamp: Stamp;
}

/** A generation that is written, but under a name that nobody reads. */
export interface Draft extends Generation {
  readonly temporaryPath: string;
}

/** What of a draft decides where it may be published. */
export interface ParentRef {
  readonly head: Generation | undefined;
  /** Digest of a text in the session file that this draft replaces. */
  readonly foreignDigest: string | undefined;
}

const GENERATION_NAME = /^[1-9]\d{0,14}$/;
/** `dead`: a draft that was revoked from its writer, but not removed yet. */
const TEMPORARY_NAME = /^(draft|dead|projection)-[0-9a-f]+$/;
const KEPT_GENERATIONS = 3;
const MAX_ANCESTORS = 32;
const ABANDONED_AFTER = 60_000_000_000n; // ns
const MAX_READS = 50;
const MAX_PADDING = 256;
const MAX_RENAMES = 4;
const ADOPTED_PREFIX = "0-";

/** SHA-256, base64url: recognises a text without holding it. */
export const digestOf = (text: string): string => createHash("sha256").update(text).digest("base64url");

/** A name for a temporary file that nobody else chooses. */
export const temporaryName = (kind: "draft" | "projection"): string => `${kind}-${randomBytes(8).toString("hex")}`;

/** Whether `text` was the truth before `generation`. */
export const isAncestor = (generation: Generation, text: string): boolean => {
  const digest = digestOf(text);
  return generation.ancestors.some((entry) => entry.endsWith(`.${digest}`));
};

/** The version of a generation, as the store's callers see it. */
export const versionOf = ({ number, id }: Generation): string => `${number}-${id}`;

/** The version of a session that another program wrote, while no generation holds it. */
export const adoptedVersion = (digest: string): string => `${ADOPTED_PREFIX}${digest}`;

export const isAdoptedVersion = (version: string): boolean => version.startsWith(ADOPTED_PREFIX);

/** What removes an abandoned draft, together with all that belongs to it. */
type RevokeDraft = (id: string) => Promise<void>;

interface CollectOptions {
  readonly newest: Generation;
  readonly revokeDraft: RevokeDraft | undefined;
}

/** The directory of write-once files of which the highest is the truth. */
export class Chain {
  readonly #fs: FileSystem;
  readonly directory: string;

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.directory = directory;
  }

  /** The path of a generation's file. */
  generationPath(number: number): string {
    return join(this.directory, String(number));
  }

  /** The truth; `undefined` where nothing was ever published. */
  async head(): Promise<Generation | undefined> {
    for (let attempt = 0; attempt < MAX_READS; attempt++) {
      const number = highestNumber(await this.#names());
      if (number === 0) return undefined;
      const generation = await this.#read(number);
      // Absent now: newer ones were published and this one was collected.
      if (generation) return generation;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      place: this.directory,
      problem: "changes faster than it can be read",
      advice: "Try again.",
    });
  }

  /** What was true before `head`, as far as it is kept and can be read. */
  async previousValues(head: Generation): Promise<readonly string[]> {
    const numbers = Array.from({ length: KEPT_GENERATIONS - 1 }, (_, index) => head.number - 1 - index);
    const found = await Promise.all(numbers.map((number) => this.#read(number).catch(() => undefined)));
    return found.flatMap((generation) => (generation ? [generation.value] : []));
  }

  /** Writes `value` durably under a temporary name; `undefined` where the chain was removed meanwhile. */
  async draft(value: string, { head, foreignDigest }: ParentRef): Promise<Draft | undefined> {
    const id = randomBytes(8).toString("hex");
    const parents = head ? [...head.ancestors, `${head.id}.${digestOf(head.value)}`] : [];
    const foreign = foreignDigest === undefined ? [] : [`.${foreignDigest}`];
    const ancestors = [...parents, ...foreign].slice(-MAX_ANCESTORS);
    // A removed and re-created chain may reuse number, inode and clock tick: the length tells the files apart.
    const padding = " ".repeat(randomInt(MAX_PADDING));
    const temporaryPath = join(this.directory, temporaryName("draft"));
    const text = JSON.stringify({ id, past: ancestors, value }) + padding;
    const stamp = await ignoreNotFound(this.#fs.create(temporaryPath, text, { durable: true }));
    return stamp && { number: (head?.number ?? 0) + 1, id, value, ancestors, stamp, temporaryPath };
  }

  /**
   * Gives a draft its number. `false`: the number is taken, or the chain is another one than the draft was written
   * into, because it was removed meanwhile. `undefined`: it was published, and is gone with all of the chain.
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
    // What was not is still its writer's: for whoever looks, that has not ended.
    if (isPublished !== false) await this.#fs.unlink(draft.temporaryPath).catch(() => undefined);
    return isPublished;
  }

  /**
   * A number can be free because it was collected: while we were suspended, others had published it and more. Then
   * ours is no part of what came after it.
   */
  async #isInHistory(draft: Generation): Promise<boolean | undefined> {
    const newest = await this.head();
    if (!newest || newest.number < draft.number) return undefined; // removed meanwhile
    if (newest.number === draft.number) return newest.id === draft.id;
    if (newest.ancestors.some((entry) => entry.startsWith(`${draft.id}.`))) return true;
    if (newest.number - draft.number < MAX_ANCESTORS / 2) return false;
    throw new StoreError("STORE_UNAVAILABLE", {
      place: this.directory,
      problem: "moved on so far meanwhile that nobody can tell whether our value was part of it",
      advice: "Load it again and look.",
    });
  }

  /**
   * Removes old generations, which hold old secrets, and temporary files that their writers have abandoned. `revokeDraft`
   * replaces the removal of a draft if more than its file belongs to it. A file that cannot be removed is left for the
   * next time.
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
    // An old number that is younger is of a session that began since, after the one of `newest` was removed.
    // A draft's writer may only be suspended. That is safe: its link or rename then fails, which it takes for a conflict.
    return age > (isOld ? -1n : ABANDONED_AFTER);
  }

  /**
   * Renames the chain to `target`, which ends the session at once: drafts of suspended writers go with it. If there is no
   * chain an empty one is renamed. `clearTarget` removes what a removal that was interrupted, or is under way in another
   * process, has left at `target`.
   */
  async retire(target: string, clearTarget: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#fs.makeDirectory(this.directory);
        return await this.#fs.rename(this.directory, target);
      } catch (error) {
        const isOccupied = ["ENOTEMPTY", "EEXIST", "EPERM", "ENOENT"].includes(codeOf(error) ?? "");
        if (!isOccupied || attempt === MAX_RENAMES) throw error;
        await clearTarget();
      }
    }
  }

  async #names(): Promise<readonly string[]> {
    const names = await withStoreErrors(this.directory, "read", () => ignoreNotFound(this.#fs.list(this.directory)));
    return names ?? [];
  }

  async #read(number: number): Promise<Generation | undefined> {
    const path = this.generationPath(number);
    const file = await withStoreErrors(path, "read", () => ignoreNotFound(this.#fs.read(path)));
    return file && { number, stamp: file.stamp, ...parseEnvelope(file.text, path) };
  }
}

const highestNumber = (names: readonly string[]): number =>
  names.reduce((top, name) => (GENERATION_NAME.test(name) ? Math.max(top, Number(name)) : top), 0);

function parseEnvelope(text: string, path: string): Pick<Generation, "id" | "ancestors" | "value"> {
  const envelope = tryJson(text);
  if (isEnvelope(envelope)) return { id: envelope.id, ancestors: envelope.past, value: envelope.value };
  const directory = dirname(path);
  throw new StoreError("STORE_UNREADABLE", {
    place: path,
    problem: "is damaged: it holds no complete generation of the session",
    // An older generation may lack a claim, or hold a spent refresh token; so may the session file.
    advice: `It was left as it is. Move the session file beside ${directory} and then that whole directory away, and sign in again.`,
  });
}

const isEnvelope = (value: unknown): value is { id: string; past: string[]; value: string } => {
  const { id, past, value: text } = Object(value) as { id?: unknown; past?: unknown; value?: unknown };
  const isText = (candidate: unknown) => typeof candidate === "string";
  return isText(id) && isText(text) && Array.isArray(past) && past.every(isText);
};

const tryJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
