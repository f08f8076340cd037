import { dirname, join } from "node:path";
import { type SessionFormat, StoreError, type StoreEvent } from "@unexpired/core";
import { chainNameOf } from "../documents/entry.ts";
import { replaceDocument } from "../documents/replace-document.ts";
import { ReplacedDocuments } from "../documents/replaced-documents.ts";
import { type FileSystem, makeDurableDirectory, nodeFileSystem, type Stamp, sameContent } from "../filesystem.ts";
import { assertFormat } from "../formats/assert-format.ts";
import { unreadable } from "../formats/unreadable.ts";
import { errnoError, ignoreNotFound, withStoreErrors } from "../fs-errors.ts";
import { assertKnownOptions } from "../known-options.ts";
import { directoryLock, type Lock, withAdvisoryLock } from "../lock.ts";
import { absolutePath, resolvePaths, type SessionPaths } from "../paths.ts";
import { later } from "../timers.ts";
import { watchPath } from "../watch.ts";
import { FileNotes } from "./file-notes.ts";
import type { DocumentText, MirroredDocument } from "./mirrored-document.ts";

/** The location of a file document, and how the session is written in it. */
export interface FileDocumentOptions {
  /** The file, relative to the current working directory. `~` and variables are not expanded. */
  readonly path: string;
  /** The format of the session in it. */
  readonly format: SessionFormat;
}

interface FileDocumentDeps {
  readonly fs: FileSystem;
  readonly lock: Lock;
}

const ABANDONED_AFTER = 60_000; // ms

const READ_ONLY = ["is read-only", "Allow its owner to write to it."] as const;
const MOUNTED = ["is mounted as a single file, which cannot be replaced", "Mount its directory instead."] as const;

/**
 * Describes a file of another program for `mirroredStore`. Notes about it are kept in `.<name>.unexpired/` beside it. The
 * file is not written if its mode has no write permission, or if it is mounted by itself.
 *
 * @throws TypeError if an option is invalid
 */
export function fileDocument(options: FileDocumentOptions): MirroredDocument {
  assertKnownOptions("fileDocument", options, ["path", "format"]);
  const { path, format } = options;
  assertFormat(format, 'fileDocument: "format"');
  const file = absolutePath(path, { caller: "fileDocument", option: "path", kind: "a file" });
  return new FileDocument(file, format, { fs: nodeFileSystem, lock: directoryLock });
}

/** The stamp of a text, and where it was found. */
interface Found {
  readonly paths: SessionPaths;
  readonly stamp: Stamp | undefined;
}

class FileDocument implements Required<MirroredDocument> {
  readonly format: SessionFormat;
  readonly notes: FileNotes;
  readonly #path: string;
  readonly #deps: FileDocumentDeps;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  /** Puts back what a program writes into a file that was replaced while it had it open. */
  readonly #observer: ReplacedDocuments;
  /** Where the document was found last. */
  #paths: SessionPaths | undefined;
  #collectedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, format: SessionFormat, deps: FileDocumentDeps) {
    this.#path = path;
    this.format = format;
    this.#deps = deps;
    this.notes = new FileNotes(deps.fs, path, () => this.#found());
    const onLost = () => {
      for (const listener of [...this.#listeners]) listener({ type: "document-write-lost", location: path });
    };
    const onRestored = async () => undefined; // the next load finds it
    this.#observer = new ReplacedDocuments({ ...deps, format, later, onLost, onRestored });
  }

  describe(): string {
    return this.#path;
  }

  read(): Promise<DocumentText> {
    return withStoreErrors(this.#path, "read", async () => {
      const paths = await this.#resolve();
      this.#paths = paths;
      const { text, stamp, isLossy } = (await ignoreNotFound(this.#deps.fs.read(paths.file))) ?? {};
      if (isLossy) throw unreadable(this.#path, "is not UTF-8");
      return { text, stamp: { paths, stamp } satisfies Found };
    });
  }

  async isCurrent({ stamp: found }: DocumentText): Promise<boolean> {
    const { paths, stamp } = found as Found;
    return sameContent(await this.#deps.fs.stat(paths.unresolved.file), stamp);
  }

  replace({ stamp: found }: DocumentText, next: string | undefined): Promise<boolean> {
    return withStoreErrors(this.#path, "saved", async () => {
      const { fs } = this.#deps;
      const { paths, stamp } = found as Found;
      if (stamp?.isReadOnly) throw readOnlyError(this.#path, READ_ONLY);
      if (await fs.isMountPoint(paths.file)) throw readOnlyError(this.#path, MOUNTED);
      if (!(await fs.stat(paths.chain))) await makeDurableDirectory(fs, paths.chain);
      return replaceDocument(fs, { paths, stamp, observer: this.#observer }, next);
    });
  }

  async exclusively(update: () => Promise<void>): Promise<void> {
    const { chain } = await this.#found();
    await withAdvisoryLock(this.#deps.lock, dirname(chain), async () => {
      await this.#collect(chain);
      await update();
    });
  }

  /** Removes temporary files of processes that died: they hold secrets. */
  async #collect(chain: string): Promise<void> {
    const { fs } = this.#deps;
    if (fs.now() - this.#collectedAt < ABANDONED_AFTER) return;
    this.#collectedAt = fs.now();
    await this.#observer.collect(chain).catch(() => undefined);
    for (const directory of [chain, dirname(chain)]) {
      const names = await fs.list(directory).catch(() => []);
      for (const name of names.filter((each) => /^(draft|projection)-[0-9a-f]+$/.test(each))) {
        const path = join(directory, name);
        const { modified = 0n } = (await fs.stat(path)) ?? {};
        if (fs.now() - Number(modified / 1_000_000n) > ABANDONED_AFTER) await fs.unlink(path).catch(() => undefined);
      }
    }
  }

  watch(onChange: () => void): () => void {
    return watchPath(this.#path, onChange, { entry: chainNameOf(this.format) });
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    const added = (event: StoreEvent) => listener(event);
    this.#listeners.add(added);
    return () => void this.#listeners.delete(added);
  }

  async #found(): Promise<SessionPaths> {
    return this.#paths ?? this.#resolve();
  }

  #resolve(): Promise<SessionPaths> {
    return resolvePaths(this.#deps.fs, this.#path, { entry: chainNameOf(this.format) });
  }
}

const readOnlyError = (location: string, [problem, hint]: readonly [problem: string, hint: string]): StoreError =>
  new StoreError("STORE_UNAVAILABLE", { location, problem, hint, cause: errnoError("EROFS") });
