import { basename, dirname, join } from "node:path";
import { type SessionFormat, type StoredValue, StoreError } from "@unexpired/core";
import { shownOf } from "@unexpired/core/session-record";
import { type FileSystem, type Stamp, sameContent } from "../filesystem.ts";
import { codeOf, ignoreNotFound, withStoreErrors } from "../fs-errors.ts";
import { adoptedVersion, Chain, type ParentRef, temporaryName, versionOf } from "../generations.ts";
import type { SessionPaths } from "../paths.ts";
import {
  type EntryStatus,
  foundMarkOf,
  type Known,
  printEntry,
  printedMarkOf,
  readEntry,
  shownMarkOf,
} from "./entry.ts";
import { ShownMark } from "./shown-mark.ts";

/** The chain and the document at one moment, with the stamps that tell whether they are still current. */
export interface DocumentSnapshot extends ParentRef {
  readonly paths: SessionPaths;
  readonly stored: StoredValue | undefined;
  readonly status: EntryStatus;
  readonly text: string | undefined;
  readonly stamp: Stamp | undefined;
  readonly shownMarks: readonly string[];
}

export interface UpdateOptions {
  /** Whether a document that is blank has been so for long enough. */
  readonly overBlank?: boolean;
}

/** The document that a new text replaces. */
type Replaced = Pick<DocumentSnapshot, "paths" | "stamp" | "text">;

const MAX_READS = 50;
const SETTLED = [() => true, () => false] as const;
const MAX_PRINTS = 4;

/** Another program's document with a session in it, and the chain that holds the truth about the session. */
export class SessionDocument {
  readonly #fs: FileSystem;
  readonly #format: SessionFormat;

  constructor(fs: FileSystem, format: SessionFormat) {
    this.#fs = fs;
    this.#format = format;
  }

  /** @throws StoreError */
  async read(paths: SessionPaths): Promise<DocumentSnapshot> {
    for (let attempt = 0; attempt < MAX_READS; attempt++) {
      const snapshot = await this.#readOnce(paths);
      // The two were read one after the other: they may differ only because a process saved in between.
      if (await this.isCurrent(snapshot)) return snapshot;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: paths.file,
      problem: "changes faster than it can be read",
      hint: "Try again.",
    });
  }

  async #readOnce(paths: SessionPaths): Promise<DocumentSnapshot> {
    const head = await Chain.besideFile(this.#fs, paths).head();
    const { text, stamp } = await this.#readText(paths);
    const shownMarks = head ? await new ShownMark(this.#fs, paths.chain).read() : [];
    const known: Known = { head, shownMarks, now: this.#fs.now() };
    const { status, mark } = readEntry(this.#format, text, known);
    const version = head && versionOf(head);
    const base = { paths, head, text, stamp, shownMarks, status, foreignDigest: undefined, foreignMark: mark };
    if (status.kind !== "foreign") return { ...base, stored: head && { value: head.value, version: versionOf(head) } };
    const adopted = version ? `${version}-${mark}` : adoptedVersion(mark ?? "");
    return { ...base, stored: { value: status.value, version: adopted } };
  }

  async #readText({ file, unresolved }: SessionPaths): Promise<{ text?: string; stamp?: Stamp }> {
    return (await withStoreErrors(unresolved.file, "read", () => ignoreNotFound(this.#fs.read(file)))) ?? {};
  }

  /** Whether nothing has changed since the snapshot, not even a symbolic link. Costs three `stat` calls. */
  async isCurrent({ paths: { unresolved }, head, stamp }: DocumentSnapshot): Promise<boolean> {
    const chain = new Chain(this.#fs, unresolved.chain);
    const [next, currentHead, currentFile] = await Promise.all([
      this.#fs.stat(chain.generationPath((head?.number ?? 0) + 1)),
      head && this.#fs.stat(chain.generationPath(head.number)),
      this.#fs.stat(unresolved.file),
    ]);
    return !next && sameContent(currentHead, head?.stamp) && sameContent(currentFile, stamp);
  }

  /**
   * Writes the latest generation into the document, unless another program has changed the entry. The caller holds the
   * document's lock.
   *
   * @throws an error of a file function, or of the format
   */
  async update(paths: SessionPaths, { overBlank = false }: UpdateOptions = {}): Promise<DocumentSnapshot> {
    let snapshot = await this.read(paths);
    let written: string | undefined;
    for (let attempt = 1; attempt < MAX_PRINTS; attempt++) {
      const { status, head, text } = snapshot;
      const isOurs = written !== undefined && written === text; // if it is empty, we have written over a sign-in
      const isOutdated = {
        stale: true,
        blank: overBlank,
        emptied: isOurs,
        current: false,
        foreign: false,
        torn: false,
      };
      if (!head || !isOutdated[status.kind]) break;
      written = printEntry(this.#format, head.value, text);
      await this.#note(paths, printedMarkOf(head.value)); // otherwise, a slow write could pass for another program's
      await this.#replace(snapshot, written);
      snapshot = await this.read(paths);
    }
    if (snapshot.status.kind === "current") await this.#remember(snapshot);
    return snapshot;
  }

  async #remember(snapshot: DocumentSnapshot): Promise<void> {
    const { head, paths } = snapshot;
    if (head && !isMarked(snapshot)) await new ShownMark(this.#fs, paths.chain).write(shownMarkOf(head.value));
  }

  /** Remembers that the document shows the session of a record that is about to be published. */
  noteFound(paths: SessionPaths, value: string): Promise<void> {
    return this.#note(paths, foundMarkOf(value));
  }

  async #note({ chain }: SessionPaths, mark: string | undefined): Promise<void> {
    if (mark !== undefined) await new ShownMark(this.#fs, chain).add(mark);
  }

  /** Removes the session from the document. */
  async clear(paths: SessionPaths): Promise<void> {
    const { text, stamp } = await this.#readText(paths);
    if (text === undefined || this.#format.parse(text) === undefined) return;
    await this.#replace({ paths, stamp, text }, this.#format.print(undefined, text));
  }

  async #replace({ paths, stamp: before, text }: Replaced, next: string | undefined): Promise<void> {
    const { file } = paths;
    if (next === undefined) {
      if (sameContent(await this.#fs.stat(file), before)) await this.#fs.unlink(file);
      return this.#fs.syncDirectory(dirname(file));
    }
    const temporaryPath = join(paths.chain, temporaryName("projection"));
    const keptPath = join(paths.chain, temporaryName("projection"));
    const stamp = await this.#fs.create(temporaryPath, next, { durable: true }); // the only copy of others' data
    try {
      // a second name for what is about to be replaced, which shows whether another program writes to it just now
      const isKept = await this.#fs.link(file, keptPath).then(...SETTLED);
      if (!sameContent(await this.#fs.stat(file), before)) return;
      const isReplaced = await this.#fs.rename(temporaryPath, file).then(() => true, isInUse);
      if (!isReplaced) return await this.#overwrite({ paths, stamp: before, text }, next);
      const isWritten = isKept && !sameContent(await this.#fs.stat(keptPath), before);
      if (isWritten && sameContent(await this.#fs.stat(file), stamp)) await this.#fs.rename(keptPath, file);
      await this.#fs.syncDirectory(dirname(file));
    } finally {
      for (const path of [temporaryPath, keptPath]) await this.#fs.unlink(path).catch(() => undefined);
    }
  }

  /** Writes the document in place, because it cannot be replaced. A synced copy of the old one outlives a crash. */
  async #overwrite({ paths, stamp, text }: Replaced, next: string): Promise<void> {
    const { file, chain } = paths;
    if (text === undefined) {
      await this.#fs.create(file, next, { durable: true });
      return;
    }
    const copies = copiesOf(paths);
    await this.#discard(copies);
    await this.#fs.create(copies.before, text, { durable: true });
    await this.#fs.create(copies.next, next, { durable: true });
    await this.#fs.syncDirectory(chain);
    if (sameContent(await this.#fs.stat(file), stamp)) await this.#fs.overwrite(file, next);
    await this.#discard(copies);
  }

  async #discard({ before, next }: Copies): Promise<void> {
    await this.#fs.unlink(next);
    await this.#fs.unlink(before);
  }

  /**
   * Finishes the writing of a document in place if a process has died over it. The caller holds the document's lock.
   * Returns whether it did: text that is not the beginning of what was to be written is another program's.
   */
  async finish(paths: SessionPaths): Promise<boolean> {
    const copies = copiesOf(paths);
    const next = (await ignoreNotFound(this.#fs.read(copies.next)))?.text;
    const { text } = await this.#readText(paths);
    if (next === undefined || text === undefined || text === next || !next.startsWith(text)) return false;
    await this.#fs.overwrite(paths.file, next);
    await this.#discard(copies);
    return true;
  }
}

/** Returns whether it is remembered that the document shows the latest generation. */
export function isMarked({ head, shownMarks }: DocumentSnapshot): boolean {
  if (!head || !shownOf(head.value)) return true;
  const mark = shownMarkOf(head.value);
  return shownMarks.length === (mark === undefined ? 0 : 1) && shownMarks[0] === mark;
}

/** The copies of a document that is written in place: as it was, and as it will be. */
interface Copies {
  readonly before: string;
  readonly next: string;
}

const copiesOf = ({ file, chain }: SessionPaths): Copies => ({
  before: join(chain, `${basename(file)}.before`),
  next: join(chain, `${basename(file)}.next`),
});

/** Returns `false` if a file cannot be replaced, because it is a mount point, or another program has it open. */
const isInUse = (error: unknown): false => {
  if (!["EBUSY", "EXDEV", "EPERM"].includes(codeOf(error) ?? "")) throw error;
  return false;
};
