import { type SessionFormat, type StoredValue, StoreError } from "@unexpired/core";
import { type FileSystem, type Stamp, sameContent } from "../filesystem.ts";
import { unreadable } from "../formats/unreadable.ts";
import { ignoreNotFound, withStoreErrors } from "../fs-errors.ts";
import { adoptedVersion, Chain, digestOf, type ParentRef, versionOf } from "../generations.ts";
import type { SessionPaths } from "../paths.ts";
import { type Entry, type EntryStatus, type Known, printEntry, printOver, readEntry } from "./entry.ts";
import { type ReplaceObserver, replaceDocument } from "./replace-document.ts";
import { ShownMark } from "./shown-mark.ts";

/** The chain and the document at one moment, with the stamps that tell whether they are still current. */
export interface DocumentSnapshot extends ParentRef {
  readonly paths: SessionPaths;
  readonly stored: StoredValue | undefined;
  readonly status: EntryStatus;
  /** `undefined` if there is no document, or if it is not UTF-8, so that a text could not be written back. */
  readonly text: string | undefined;
  /** The version over which a save replaces a document that is unreadable. */
  readonly overwriteVersion: string | undefined;
  readonly stamp: Stamp | undefined;
  readonly shownMarks: readonly string[];
}

const MAX_READS = 50;
const MAX_PRINTS = 4;

const idOf = ({ fileId, modified, size }: Stamp): string => `${fileId} ${modified} ${size}`;

/** Another program's document with a session in it, and the chain that holds the truth about the session. */
export class SessionDocument {
  readonly #fs: FileSystem;
  readonly #format: SessionFormat;

  readonly #observer: ReplaceObserver | undefined;

  constructor(fs: FileSystem, format: SessionFormat, observer?: ReplaceObserver) {
    this.#fs = fs;
    this.#observer = observer;
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
    const { text, stamp, isLossy } = await this.#readText(paths);
    const shownMarks = head ? await new ShownMark(this.#fs, paths.chain).read() : [];
    const known: Known = { head, shownMarks, now: this.#fs.now() };
    const { status, mark }: Entry = isLossy ? { status: { kind: "torn" } } : readEntry(this.#format, text, known);
    const versionFor = (mark: string) => (head ? `${versionOf(head)}-${mark}` : adoptedVersion(mark));
    const isTorn = stamp && status.kind === "torn";
    const overwriteVersion = isTorn ? versionFor(digestOf(`${idOf(stamp)} ${text}`)) : undefined;
    const base = {
      ...{ paths, head, text: isLossy ? undefined : text, stamp, shownMarks, status },
      ...{ foreignDigest: undefined, foreignMark: mark, overwriteVersion },
    };
    if (status.kind !== "foreign") return { ...base, stored: head && { value: head.value, version: versionOf(head) } };
    return { ...base, stored: { value: status.value, version: versionFor(mark ?? "") } };
  }

  async #readText({ file, unresolved }: SessionPaths): Promise<{ text?: string; stamp?: Stamp; isLossy?: boolean }> {
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
   * Writes the latest generation into the document, unless another program has changed the entry. `over` is an unreadable
   * document that is to be replaced. The caller holds the document's lock, if it got it in time.
   *
   * @throws an error of a file function, or of the format
   */
  async update(paths: SessionPaths, over?: DocumentSnapshot): Promise<DocumentSnapshot> {
    for (let attempt = 1; ; attempt++) {
      const snapshot = await this.read(paths);
      const { status, head, shownMarks } = snapshot;
      if (status.kind === "current" && head)
        await new ShownMark(this.#fs, paths.chain).remember(head.value, shownMarks);
      if (attempt === MAX_PRINTS || !(await this.#rewrite(snapshot, over))) return snapshot;
    }
  }

  /** Returns `false` if the document does not have to be written, or must not be. */
  async #rewrite(snapshot: DocumentSnapshot, over: DocumentSnapshot | undefined): Promise<boolean> {
    const { status, head, paths, stamp, text } = snapshot;
    if (!head) return false;
    if (status.kind === "stale") await this.#replace(snapshot, printEntry(this.#format, head.value, text));
    else if (status.kind === "torn" && over && sameContent(stamp, over.stamp)) {
      await new ShownMark(this.#fs, paths.chain).forget(); // a document without an entry is no sign-out now
      await this.#replace(snapshot, this.printOver(head.value, snapshot));
    } else return false;
    return true;
  }

  #replace({ paths, stamp }: Pick<DocumentSnapshot, "paths" | "stamp">, next: string | undefined): Promise<boolean> {
    return replaceDocument(this.#fs, { paths, stamp, observer: this.#observer }, next);
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
  async clear(paths: SessionPaths): Promise<void> {
    const { text, stamp, isLossy } = await this.#readText(paths);
    if (isLossy) throw unreadable(paths.unresolved.file, "is not UTF-8");
    if (text === undefined || this.#format.parse(text) === undefined) return;
    await this.#fs.makeDirectory(paths.chain); // for the temporary file
    await this.#replace({ paths, stamp }, this.#format.print(undefined, text));
  }
}
