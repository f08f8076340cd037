import { type StoredValue, StoreError } from "@unexpired/core";
import { type FileSystem, type Stamp, sameContent } from "./filesystem.ts";
import { ignoreNotFound, isNoSession, withStoreErrors } from "./fs-errors.ts";
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
import {
  classifySessionFile,
  isTornCopy,
  type RecordRules,
  type SessionFileStatus,
  sessionText,
} from "./session-file.ts";

/** The state of the disk at one moment, with the stamps that tell whether it is still current. */
export interface Snapshot extends ParentRef {
  readonly paths: SessionPaths;
  readonly stored: StoredValue | undefined;
  /** Stamp of the session file. */
  readonly fileStamp: Stamp | undefined;
  /** How the session file relates to what is stored. If it is `unreadable`, another program may have replaced that. */
  readonly status: SessionFileStatus["kind"];
  /** The error if the session file cannot even be read, for example because it is a directory. */
  readonly failure?: StoreError | undefined;
}

/** Whether the session file has to be rewritten. */
export const isOutdated = ({ status }: Snapshot): boolean => status === "stale" || status === "torn";

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
  status: "current",
});

const storedIn = (head: Generation): StoredValue => ({ value: head.value, version: versionOf(head) });

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
      const snapshot = await this.#readFile(paths, head);
      // The two were read one after the other: they may differ only because a process saved in between.
      if (snapshot.status === "current" || (await this.isCurrent(snapshot))) return snapshot;
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: paths.file,
      problem: "changes faster than it can be read",
      hint: "Try again.",
    });
  }

  async #readFile(paths: SessionPaths, head: Generation | undefined): Promise<Snapshot> {
    const { content, failure } = await this.#read(paths);
    if (failure && !head) throw failure;
    if (!head) return this.#adoptFile(paths, content);
    if (!failure) return this.#compareWithFile(paths, head, content);
    const empty = emptySnapshot(paths, await this.#fs.stat(paths.file));
    return { ...empty, head, stored: storedIn(head), status: "unreadable", failure };
  }

  /** Reads the session file. Returns the error if it is unreadable because of what it is, or to whom it belongs. */
  async #read({ file, unresolved }: SessionPaths): Promise<{ content?: FileContent; failure?: StoreError }> {
    try {
      const found = await withStoreErrors(unresolved.file, "read", () => ignoreNotFound(this.#fs.read(file)));
      return found ? { content: { ...found, text: sessionText(found.text) } } : {};
    } catch (failure) {
      if (StoreError.is(failure) && failure.code === "STORE_UNREADABLE") return { failure };
      throw failure;
    }
  }

  /** Returns the mark of the session file; `undefined` if it is missing, or certainly not a session file. */
  async markOfFile(paths: SessionPaths): Promise<FileMark | undefined> {
    const { content, failure } = await this.#read(paths);
    if (failure && !isNoSession(failure)) throw failure;
    return content && markOf(content.stamp, content.text);
  }

  /** Whether nothing has changed since the snapshot, not even a symbolic link. Costs three `stat` calls. */
  async isCurrent({ paths: { unresolved }, head, fileStamp }: Snapshot): Promise<boolean> {
    const chain = new Chain(this.#fs, unresolved.chain);
    const [next, currentHead, currentFile] = await Promise.all([
      this.#fs.stat(chain.generationPath((head?.number ?? 0) + 1)),
      head && this.#fs.stat(chain.generationPath(head.number)),
      this.#fs.stat(unresolved.file),
    ]);
    return !next && sameContent(currentHead, head?.stamp) && sameContent(currentFile, fileStamp);
  }

  async #compareWithFile(paths: SessionPaths, head: Generation, content: FileContent | undefined): Promise<Snapshot> {
    const status = classifySessionFile(head, content?.text, this.#rules);
    const stored = storedIn(head);
    const snapshot = { ...emptySnapshot(paths, content?.stamp), head, stored, status: status.kind };
    if (!content) return snapshot;
    const foreignMark = markOf(content.stamp, content.text);
    const isSession = "value" in status;
    const isForeign = isSession || status.kind === "unreadable";
    if (hasReplaced(head, foreignMark)) return { ...snapshot, foreignMark, status: isForeign ? "stale" : status.kind };
    if (!isForeign) return snapshot;
    if (await new KnownFiles(this.#fs, paths.chain).has(foreignMark)) return { ...snapshot, status: "stale" };
    if (!isSession) {
      const previous = await new Chain(this.#fs, paths.chain).previousValues(head);
      const isTorn = previous.some((value) => isTornCopy(value, content.text));
      return { ...snapshot, foreignMark, status: isTorn ? "torn" : "unreadable" };
    }
    const foreignDigest = digestOf(content.text);
    const adopted = { value: status.value, version: `${stored.version}-${foreignDigest}` };
    return { ...snapshot, foreignMark, foreignDigest, stored: adopted };
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
      status: "foreign",
    };
  }
}
