import { type StoredValue, StoreError } from "@unexpired/core";
import { type FileSystem, type Stamp, sameContent } from "./filesystem.ts";
import { ignoreNotFound } from "./fs-errors.ts";
import {
  adoptedVersion,
  Chain,
  digestOf,
  type Generation,
  hasReplaced,
  type ParentRef,
  versionOf,
} from "./generations.ts";
import { type FileMark, KnownFiles, markOf } from "./known-files.ts";
import type { SessionPaths } from "./paths.ts";
import { classifySessionFile, isTornCopy, type RecordRules, sessionText } from "./session-file.ts";

/** The state of the disk at one moment, with the stamps that tell whether it is still current. */
export interface Snapshot extends ParentRef {
  readonly paths: SessionPaths;
  readonly stored: StoredValue | undefined;
  /** Stamp of the session file. */
  readonly fileStamp: Stamp | undefined;
  /** Whether the session file has to be rewritten. */
  readonly stale: boolean;
  /** Whether it has to be rewritten because it is an incomplete copy of a stored value. */
  readonly torn: boolean;
  /** Whether the session file holds no session. What is `stored` is intact, but another program may have replaced it. */
  readonly unreadable: boolean;
}

interface FileContent {
  readonly text: string;
  readonly stamp: Stamp;
}

const MAX_READS = 50;

const emptySnapshot = (paths: SessionPaths, fileStamp: Stamp | undefined): Snapshot => ({
  paths,
  head: undefined,
  fileStamp,
  stored: undefined,
  foreignDigest: undefined,
  stale: false,
  torn: false,
  unreadable: false,
});

/** Determines what is stored from the chain and the session file. */
export class SnapshotReader {
  readonly #fs: FileSystem;
  readonly #rules: RecordRules;

  constructor(fs: FileSystem, rules: RecordRules) {
    this.#fs = fs;
    this.#rules = rules;
  }

  /** Reads the chain and the session file. */
  async read(paths: SessionPaths): Promise<Snapshot> {
    for (let attempt = 0; attempt < MAX_READS; attempt++) {
      const head = await Chain.besideFile(this.#fs, paths).head();
      const file = await ignoreNotFound(this.#fs.read(paths.file));
      const content = file && { ...file, text: sessionText(file.text) };
      const snapshot = head ? await this.#compareWithFile(paths, head, content) : await this.#adoptFile(paths, content);
      const isUnambiguous = !snapshot.stale && !snapshot.unreadable && snapshot.foreignDigest === undefined;
      // The two were read one after the other: they may differ only because a process saved in between.
      if (isUnambiguous || (await this.isCurrent(snapshot))) return snapshot;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: paths.file,
      problem: "changes faster than it can be read",
      hint: "Try again.",
    });
  }

  /** Returns the mark of the session file; `undefined` if it is missing. */
  async markOfFile({ file }: SessionPaths): Promise<FileMark | undefined> {
    const found = await ignoreNotFound(this.#fs.read(file));
    return found && markOf(found.stamp, sessionText(found.text));
  }

  /** Whether nothing has changed since the snapshot. Costs three `stat` calls. */
  async isCurrent({ paths, head, fileStamp }: Snapshot): Promise<boolean> {
    const chain = new Chain(this.#fs, paths.chain);
    const [next, currentHead, currentFile] = await Promise.all([
      this.#fs.stat(chain.generationPath((head?.number ?? 0) + 1)),
      head && this.#fs.stat(chain.generationPath(head.number)),
      this.#fs.stat(paths.file),
    ]);
    return !next && sameContent(currentHead, head?.stamp) && sameContent(currentFile, fileStamp);
  }

  async #compareWithFile(paths: SessionPaths, head: Generation, content: FileContent | undefined): Promise<Snapshot> {
    const status = classifySessionFile(head, content?.text, this.#rules);
    const version = versionOf(head);
    const unmarked = { ...emptySnapshot(paths, content?.stamp), head, stored: { value: head.value, version } };
    if (!content || !["foreign", "unreadable"].includes(status.kind))
      return { ...unmarked, stale: status.kind !== "current", torn: status.kind === "torn" };
    const mark = markOf(content.stamp, content.text);
    if (hasReplaced(head, mark) || (await new KnownFiles(this.#fs, paths.chain).has(mark)))
      return { ...unmarked, stale: true };
    const snapshot = { ...unmarked, foreignMark: mark };
    const isWhole = status.kind === "unreadable" || (status.kind === "foreign" && status.value === content?.text);
    // The whole text would be adopted, so it may not be a session at all but an incomplete copy of an earlier value.
    if (isWhole) {
      const previous = await new Chain(this.#fs, paths.chain).previousValues(head);
      if (previous.some((value) => isTornCopy(value, content.text))) return { ...snapshot, stale: true, torn: true };
    }
    if (status.kind === "foreign") {
      const foreignDigest = digestOf(content.text);
      return { ...snapshot, stored: { value: status.value, version: `${version}-${foreignDigest}` }, foreignDigest };
    }
    return { ...snapshot, unreadable: true };
  }

  /** Adopts the session file of an earlier version of this library, or of another program, if there is no chain. */
  async #adoptFile(paths: SessionPaths, content: FileContent | undefined): Promise<Snapshot> {
    const empty = emptySnapshot(paths, content?.stamp);
    // A mounted file is empty at first. During a removal, the session file is only a remnant that is yet to be removed.
    if (!content?.text || (await this.#fs.stat(paths.removed))) return empty;
    const foreignDigest = digestOf(content.text);
    const foreignMark = markOf(content.stamp, content.text);
    return {
      ...empty,
      foreignMark,
      stored: { value: content.text, version: adoptedVersion(foreignDigest) },
      foreignDigest,
    };
  }
}
