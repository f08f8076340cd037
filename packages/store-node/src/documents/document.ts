import { type SessionFormat, type StoredValue, StoreError } from "@unexpired/core";
import { type FileSystem, type Stamp, sameContent } from "../filesystem.ts";
import { ignoreNotFound, withStoreErrors } from "../fs-errors.ts";
import { adoptedVersion, Chain, type ParentRef, versionOf } from "../generations.ts";
import type { SessionPaths } from "../paths.ts";
import { type EntryStatus, type Known, printEntry, readEntry } from "./entry.ts";
import { replaceDocument } from "./replace-document.ts";
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

const MAX_READS = 50;
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
  async update(paths: SessionPaths): Promise<DocumentSnapshot> {
    for (let attempt = 1; ; attempt++) {
      const snapshot = await this.read(paths);
      const { status, head } = snapshot;
      if (status.kind === "current") {
        if (head) await new ShownMark(this.#fs, paths.chain).remember(head.value, snapshot.shownMarks);
        return snapshot;
      }
      if (status.kind !== "stale" || !head || attempt === MAX_PRINTS) return snapshot;
      await replaceDocument(this.#fs, snapshot, printEntry(this.#format, head.value, snapshot.text));
    }
  }

  /** Removes the session from the document. */
  async clear(paths: SessionPaths): Promise<void> {
    const { text, stamp } = await this.#readText(paths);
    if (text === undefined || this.#format.parse(text) === undefined) return;
    await replaceDocument(this.#fs, { paths, stamp, text }, this.#format.print(undefined, text));
  }
}
