import { type SessionFormat, StoreError } from "@unexpired/core";
import { type FileSystem, type Stamp, sameContent } from "../filesystem.ts";
import { unreadable } from "../formats/unreadable.ts";
import { ignoreNotFound, isNoSession, withStoreErrors } from "../fs-errors.ts";
import { adoptedVersion, Chain, digestOf, type Generation, type ParentRef, versionOf } from "../generations.ts";
import type { SessionPaths } from "../paths.ts";
import {
  type Entry,
  type Known,
  type Marks,
  markOfText,
  NO_MARKS,
  needsWrite,
  printEntry,
  printOver,
  readEntry,
  writtenMarkOf,
} from "./entry.ts";
import { type ReplaceObserver, replaceDocument } from "./replace-document.ts";
import type { EntrySnapshot } from "./settle.ts";
import { ShownMark } from "./shown-mark.ts";
import { discardCopies, finishInPlace, unfinishedText } from "./write-in-place.ts";

/** The chain and the document at one moment, with the stamps that tell whether they are still current. */
export interface DocumentSnapshot extends ParentRef, EntrySnapshot {
  readonly head: Generation | undefined;
  readonly paths: SessionPaths;
  /** `undefined` if there is no document, or if it is not UTF-8, so that a text could not be written back. */
  readonly text: string | undefined;
  readonly stamp: Stamp | undefined;
  /** Why what is in the place of the document can be no document. */
  readonly failure: StoreError | undefined;
  readonly marks: Marks;
}

/** How a document is written. */
export interface UpdateOptions {
  /** An unreadable document that is to be replaced. */
  readonly over?: DocumentSnapshot | undefined;
  /** Whether a document that is blank has been so for long enough. */
  readonly canFill?: boolean | undefined;
  /** Whether the caller holds the document's lock, without which nothing is written in place. Default: `false`. */
  readonly isLocked?: boolean | undefined;
}

/** A document as it was read. Without a text, it does not exist, or cannot be a document. */
interface FoundDocument {
  readonly text?: string;
  readonly stamp?: Stamp | undefined;
  /** Whether the text could not be written back. */
  readonly isLossy?: boolean;
  readonly failure?: StoreError;
}

const MAX_READS = 50;
const MAX_PRINTS = 4;

const idOf = ({ fileId, modified, size }: Stamp): string => `${fileId} ${modified} ${size}`;

/** Another program's document with a session in it, and the chain that holds the truth about the session. */
export class SessionDocument {
  readonly #fs: FileSystem;
  readonly #format: SessionFormat;
  readonly #observer: ReplaceObserver;
  /** By the directory of the chain, which changes only if a symbolic link does. */
  readonly #shownMarks = new Map<string, ShownMark>();

  constructor(fs: FileSystem, format: SessionFormat, observer: ReplaceObserver) {
    this.#fs = fs;
    this.#observer = observer;
    this.#format = format;
  }

  /** @throws StoreError */
  async read(paths: SessionPaths): Promise<DocumentSnapshot> {
    for (let attempt = 0; attempt < MAX_READS; attempt++) {
      const snapshot = await this.#readOnce(paths);
      // The two were read one after the other: they may differ only because a process saved in between.
      if (!(await this.isCurrent(snapshot))) continue;
      if (snapshot.status.kind === "current") await this.#shownMark(paths).withdraw();
      return snapshot;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: paths.file,
      problem: "changes faster than it can be read",
      hint: "Try again.",
    });
  }

  async #readOnce(paths: SessionPaths): Promise<DocumentSnapshot> {
    const head = await Chain.besideFile(this.#fs, paths).head();
    const { text, stamp, isLossy, failure } = await this.#readText(paths);
    const shownMark = this.#shownMark(paths);
    const marks = head ? await shownMark.read() : NO_MARKS;
    const known: Known = { head, marks, now: this.#fs.now() };
    const { status, mark }: Entry = isLossy ? { status: { kind: "torn" } } : readEntry(this.#format, text, known);
    const versionFor = (mark: string) => (head ? `${versionOf(head)}-${mark}` : adoptedVersion(mark));
    const textId = stamp && idOf(stamp);
    const overwriteVersion = ["torn", "emptied"].includes(status.kind)
      ? versionFor(digestOf(`${textId} ${text}`))
      : undefined;
    const base = {
      ...{ paths, head, text: isLossy ? undefined : text, textId, stamp, status, failure, overwriteVersion },
      ...{ marks, isRemembered: !head || shownMark.isRemembered(head, marks) },
      ...{ foreignDigest: undefined, foreignMark: mark },
    };
    if (status.kind !== "foreign") return { ...base, stored: head && { value: head.value, version: versionOf(head) } };
    return { ...base, stored: { value: status.value, version: versionFor(mark ?? "") } };
  }

  async #readText({ file, unresolved }: SessionPaths): Promise<FoundDocument> {
    try {
      return (await withStoreErrors(unresolved.file, "read", () => ignoreNotFound(this.#fs.read(file)))) ?? {};
    } catch (failure) {
      if (!(StoreError.is(failure) && failure.code === "STORE_UNREADABLE" && isNoSession(failure))) throw failure;
      return { stamp: await this.#fs.stat(file), isLossy: true, failure }; // a save stores the session without it
    }
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
   * Writes the latest generation into the document, unless another program has changed the entry.
   *
   * @throws an error of a file function, or of the format
   */
  async update(paths: SessionPaths, options: UpdateOptions = {}): Promise<DocumentSnapshot> {
    let written: string | undefined;
    for (let attempt = 1; ; attempt++) {
      const snapshot = await this.read(paths);
      const { status, head } = snapshot;
      if (status.kind === "current") await this.#onShown(snapshot, options);
      const { over, canFill = false } = options;
      const canReplace = over !== undefined && sameContent(snapshot.stamp, over.stamp);
      const isOurs = written !== undefined && written === snapshot.text;
      if (attempt === MAX_PRINTS || !head || !needsWrite(status, { canFill, canReplace, isOurs })) return snapshot;
      await this.#shownMark(paths).announce(writtenMarkOf(this.#format, head.value));
      written = await this.#write(snapshot, head, options);
    }
  }

  /** Remembers that the document shows the latest generation, and removes the copies that were needed until then. */
  async #onShown(snapshot: DocumentSnapshot, { isLocked }: UpdateOptions): Promise<void> {
    const { head, marks, paths } = snapshot;
    if (!head) return;
    if (isLocked) await this.#discardCopies(snapshot);
    const noting = this.#shownMark(paths).remember(head, marks);
    await noting.catch(() => undefined); // a later update does it
  }

  /** Writes a generation into the document. Returns what was written, even if the document has changed. */
  async #write(snapshot: DocumentSnapshot, head: Generation, { isLocked }: UpdateOptions): Promise<string | undefined> {
    const { status, paths, text } = snapshot;
    const isTorn = status.kind === "torn";
    const next = isTorn ? this.printOver(head.value, snapshot) : printEntry(this.#format, head.value, text);
    const shownMark = this.#shownMark(paths);
    if (isTorn) await shownMark.forget(head); // a document without an entry is no sign-out now
    await shownMark.whileWriting(writtenMarkOf(this.#format, head.value), () =>
      this.#replace({ ...snapshot, isLocked }, next),
    );
    return next;
  }

  /** Notes that the document shows the session of a record that is about to be published. */
  noteFound({ paths, head }: DocumentSnapshot, value: string): Promise<void> {
    return this.#shownMark(paths).noteFound(head, value);
  }

  #shownMark({ chain }: SessionPaths): ShownMark {
    const mark = this.#shownMarks.get(chain) ?? new ShownMark(this.#fs, chain, this.#format);
    this.#shownMarks.set(chain, mark);
    return mark;
  }

  /**
   * Finishes the writing of a document in place if a process has died over it, for whichever entry. The caller holds the
   * document's lock. Returns whether it did.
   */
  async finish(paths: SessionPaths): Promise<boolean> {
    const { text, stamp, isLossy } = await this.#readText(paths);
    const begun = isLossy ? text?.replace(/\uFFFD$/, "") : text; // it may end within a character
    const next = await unfinishedText(this.#fs, { paths, stamp }, begun);
    if (next === undefined) return false;
    await this.#shownMark(paths).announce(markOfText(this.#format, next));
    await finishInPlace(this.#fs, { paths, stamp }, next);
    await this.update(paths, { isLocked: true }); // there may be a later session
    return true;
  }

  /** Removes the copies of a write in place, unless it is yet to be finished, for whichever entry. */
  async #discardCopies({ paths, stamp, text }: DocumentSnapshot): Promise<void> {
    if ((await unfinishedText(this.#fs, { paths, stamp }, text)) === undefined) await discardCopies(this.#fs, paths);
  }

  #replace(
    { paths, stamp, text, isLocked }: Pick<DocumentSnapshot, "paths" | "stamp" | "text"> & UpdateOptions,
    next: string | undefined,
  ): Promise<boolean> {
    return replaceDocument(this.#fs, { paths, stamp, text, isLocked, observer: this.#observer }, next);
  }

  /**
   * Returns the text of the document after a save over it, if it is unreadable.
   *
   * @throws an error of the format
   */
  printOver(value: string, { text }: DocumentSnapshot): string | undefined {
    return printOver(this.#format, value, text);
  }

  /** Removes the session from the document. */
  async clear(paths: SessionPaths, isLocked: boolean): Promise<void> {
    const { text, stamp, isLossy } = await this.#readText(paths);
    if (isLossy) throw unreadable(paths.unresolved.file, "is not UTF-8");
    if (text === undefined || this.#format.parse(text) === undefined) return;
    await this.#fs.makeDirectory(paths.chain); // for the temporary file
    await this.#replace({ paths, stamp, text, isLocked }, this.#format.print(undefined, text));
  }
}
