import { dirname } from "node:path";
import { StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import * as sessionRecord from "@unexpired/core/session-record";
import { openDocumentStore } from "./documents/document-store.ts";
import { type FileSystem, makeDurableDirectory, nodeFileSystem, sameContent } from "./filesystem.ts";
import { formatOption } from "./formats/assert-format.ts";
import { codeOf, ignoreNotFound, isNoFile, mountedError, noSessionError, withStoreErrors } from "./fs-errors.ts";
import { Chain, type Draft, isAdoptedVersion, versionOf } from "./generations.ts";
import { ignoreInGit } from "./git-ignore.ts";
import { directoryLock, type Lock } from "./lock.ts";
import {
  canMarkRemoval,
  type FileStoreOptions,
  resolvePaths,
  type SessionPaths,
  sessionFilePath,
  stateDirectoryPath,
} from "./paths.ts";
import { currentProcess, type ProcessIdentity } from "./process-identity.ts";
import { SessionFileRepairer } from "./repair.ts";
import { SessionDirectory } from "./session-directory.ts";
import {
  discardStagedFile,
  installSessionFile,
  type RecordRules,
  type StagedFile,
  stageSessionFile,
} from "./session-file.ts";
import { isOutdated, type Snapshot, SnapshotReader } from "./snapshot.ts";
import { keepCopy } from "./unreadable-copy.ts";
import { watchPath } from "./watch.ts";

/** Dependencies of a file store. */
export interface FileStoreDeps {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly rules: RecordRules;
  readonly stateDirectory?: string | undefined;
}

const MAX_PUBLICATIONS = 4;

/**
 * Creates a store that keeps one session in a file, shared by all processes of one machine.
 *
 * The session is stored in a chain of write-once files in `.<name>.unexpired/`, next to the session file. The session
 * file is a copy: it is repaired from the chain, and a newer session that another program writes to it is adopted. A
 * resolved `save` survives a power failure. While nothing changes, `load` costs three `stat` calls.
 *
 * `load`, `save` and `remove` throw `StoreError`: `STORE_UNREADABLE` if the stored data cannot be read, is damaged, or
 * belongs to another user; `STORE_UNAVAILABLE` if the files cannot be reached or written, or if a session that this
 * store has seen disappeared together with its directory. If the session file holds no session but the chain does, the
 * error of `load` has the `version` over which `save` replaces that file. A copy of a file that holds no session is kept
 * beside it, as `<name>.unreadable-<digest>`, before it is replaced; nothing removes the copy.
 *
 * @throws TypeError if the options do not contain exactly one of `path` and `appName`, or if a path or the format is invalid
 */
export function fileStore(options: FileStoreOptions): TokenStore {
  const path = sessionFilePath(options);
  const deps = { fs: nodeFileSystem, lock: directoryLock, stateDirectory: stateDirectoryPath(options) };
  const format = formatOption("fileStore", options);
  return format ? openDocumentStore(path, { ...deps, format }) : openFileStore(path, { ...deps, rules: sessionRecord });
}

/** Creates a {@link fileStore} for an absolute path, with the given dependencies. */
export const openFileStore = (path: string, deps: FileStoreDeps): TokenStore => new FileStore(path, deps);

class FileStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: true } as const;
  readonly holder?: ProcessIdentity;
  // Private names, so that inspecting or serializing the store does not show the session.
  readonly #path: string;
  readonly #fs: FileSystem;
  readonly #lock: Lock;
  readonly #stateDirectory: string | undefined;
  readonly #reader: SnapshotReader;
  readonly #repairer: SessionFileRepairer;
  readonly #rules: RecordRules;
  /** The last snapshot. Its stamps are checked before each use. */
  #cached: Snapshot | undefined;
  /** Whether a failed save may have published its value, which then might not survive a power failure yet. */
  #isUnconfirmed = false;
  /** Whether this store has checked that the chain is ignored: an earlier release may have created it. */
  #isChainIgnored = false;
  readonly #directory: SessionDirectory;

  constructor(path: string, { fs, lock, rules, stateDirectory }: FileStoreDeps) {
    this.#path = path;
    this.#fs = fs;
    this.#directory = new SessionDirectory(fs, path);
    this.#lock = lock;
    this.#stateDirectory = stateDirectory;
    const holder = currentProcess();
    if (holder) this.holder = holder;
    this.#rules = rules;
    this.#reader = new SnapshotReader(fs, rules);
    this.#repairer = new SessionFileRepairer(fs, this.#reader);
  }

  describe(): string {
    return this.#path;
  }

  watch(onChange: () => void): () => void {
    return watchPath(this.#path, onChange, { stateDirectory: this.#stateDirectory });
  }

  load(): Promise<StoredValue | undefined> {
    return withStoreErrors(this.#path, "read", async () => {
      if (this.#isUnconfirmed) await this.#syncUnconfirmed();
      const known = this.#cached; // a save that fails in the meantime discards it
      if (known && (await this.#reader.isCurrent(known))) return known.stored;
      this.#cached = undefined;
      const paths = await this.#resolvePaths();
      const parentStamp = await this.#fs.stat(paths.parent); // before the read: the session was found in this directory
      const snapshot = await this.#readAndRepair(paths);
      await this.#directory.check(paths.parent, parentStamp, snapshot.stored !== undefined);
      if (snapshot.status === "unreadable") throw noSessionError(this.#path, snapshot);
      if (!isOutdated(snapshot) && snapshot.stored) this.#cached = snapshot;
      return snapshot.stored;
    });
  }

  /** Reads once more if a known session is missing: its directory may be back after a moment. */
  async #readAndRepair(paths: SessionPaths): Promise<Snapshot> {
    const read = async () => this.#publishForeign(await this.#repairUnlessBusy(await this.#reader.read(paths)));
    const snapshot = await read();
    return snapshot.stored || !this.#directory.isKnown ? snapshot : read();
  }

  save(value: string, expected: string | undefined): Promise<string> {
    return withStoreErrors(this.#path, "saved", async () => {
      const paths = await this.#resolvePaths();
      await this.#assertReplaceable(paths);
      const assertCurrent = async () => this.#assertVersion(await this.#readCurrent(paths), expected);
      await assertCurrent(); // a save that has lost need not wait for the lock
      await this.#ensureChain(paths, expected);
      const release = await this.#lock(paths.chain, { wait: assertCurrent });
      try {
        return await this.#replace(paths, value, expected);
      } catch (error) {
        this.#cached = undefined;
        this.#isUnconfirmed ||= codeOf(error) !== "STORE_CONFLICT";
        throw error;
      } finally {
        await release?.();
      }
    });
  }

  /**
   * Publishes a session that another program wrote, before it is used: if the session file is removed next, the one that
   * it replaced must not come back. What cannot be written is used as it is.
   */
  async #publishForeign(snapshot: Snapshot): Promise<Snapshot> {
    let latest = snapshot;
    for (let attempt = 0; attempt < MAX_PUBLICATIONS; attempt++) {
      const { status, head, paths, stored } = latest;
      if (status !== "foreign" || !head || !stored) break;
      const isChanged = await this.save(stored.value, stored.version).then(
        () => true,
        (error: unknown) => codeOf(error) === "STORE_CONFLICT",
      );
      if (!isChanged) break;
      latest = await this.#repairUnlessBusy(await this.#reader.read(paths));
    }
    return latest;
  }

  remove(): Promise<void> {
    return withStoreErrors(this.#path, "removed", async () => {
      const paths = await this.#resolvePaths();
      this.#cached = undefined;
      this.#directory.remember(undefined);
      if (!(await this.#fs.stat(paths.parent)) && !(await this.#fs.stat(paths.file))) return;
      await this.#assertReplaceable(paths);
      // Without a mark of the removal, processes would adopt the session file once the chain is gone.
      if (!(await canMarkRemoval(this.#fs, paths))) await this.#fs.unlink(paths.file);
      // Even without a chain, an empty one is retired: while the retired chain exists, no process adopts the session
      // file as one that another program wrote.
      await new Chain(this.#fs, paths.chain).retire(paths.removed, () => this.#removeFiles(paths));
      await this.#removeFiles(paths);
    });
  }

  /** Rejects if the session file is mounted by itself: the other side has another chain. */
  async #assertReplaceable({ isChainShared, file }: SessionPaths): Promise<void> {
    if (!isChainShared && (await this.#fs.isMountPoint(file))) throw mountedError(this.#path);
  }

  /** Makes durable what a failed save may have published: its caller loads to learn the outcome, and relies on it. */
  async #syncUnconfirmed(): Promise<void> {
    const { chain } = await this.#resolvePaths();
    await ignoreNotFound(this.#fs.syncDirectory(chain));
    this.#isUnconfirmed = false;
  }

  async #resolvePaths(): Promise<SessionPaths> {
    return resolvePaths(this.#fs, this.#path, { stateDirectory: this.#stateDirectory });
  }

  async #ensureChain(paths: SessionPaths, expected: string | undefined): Promise<void> {
    // An expected generation implies that the chain exists: no need to check for it and sync it on every save.
    const isExisting = expected !== undefined && !isAdoptedVersion(expected);
    if (isExisting && this.#isChainIgnored) return;
    if (!isExisting) {
      await this.#fs.stat(paths.removed); // fails now, instead of in `remove`, if its name is too long
      if (paths.isChainShared) await this.#fs.makeDirectory(dirname(paths.file)).catch(() => undefined);
      await makeDurableDirectory(this.#fs, paths.chain);
    }
    await ignoreInGit(this.#fs, paths.chain);
    this.#isChainIgnored = true;
  }

  async #replace(paths: SessionPaths, value: string, expected: string | undefined): Promise<string> {
    const chain = Chain.besideFile(this.#fs, paths);
    const before = await this.#readCurrent(paths);
    this.#assertVersion(before, expected);
    const parentStamp = await this.#fs.stat(paths.parent);
    // A file that has to stay does not count as replaced.
    const isKept = await this.#keepUnreadable(before);
    const draft = await chain.draft(value, isKept ? before : { ...before, foreignMark: undefined });
    if (!draft) throw new StoreConflictError(this.#path);
    // If the disk is too full for this copy, the draft, which did fit, is still published.
    const staged = await stageSessionFile(this.#fs, paths, value).catch(() => undefined);
    try {
      // Compared after the draft was written into the chain: if the chain is removed now, the draft goes with it and
      // cannot be published over a later session.
      const snapshot = (await this.#reader.isCurrent(before)) ? before : await this.#reader.read(paths);
      this.#assertVersion(snapshot, expected);
      const isPublished = await chain.publish(draft);
      if (isPublished !== false) this.#directory.remember(parentStamp);
      if (!isPublished) throw new StoreConflictError(this.#path);
      // The directory may have vanished since it was made durable, and another process may have created this one.
      if (draft.number === 1) await makeDurableDirectory(this.#fs, paths.chain);
      const isFileKept = snapshot === before ? isKept : await this.#keepUnreadable(snapshot);
      await this.#finish(draft, isFileKept ? staged : undefined, snapshot).catch(() => undefined);
      return versionOf(draft);
    } finally {
      await this.#removeTemporary(draft.temporaryPath);
      if (staged) await discardStagedFile(this.#fs, staged).catch(() => undefined);
    }
  }

  async #readCurrent(paths: SessionPaths): Promise<Snapshot> {
    const cached = this.#cached;
    if (cached?.paths.file === paths.file && (await this.#reader.isCurrent(cached))) return cached;
    const snapshot = await withStoreErrors(this.#path, "read", () => this.#reader.read(paths));
    this.#remember(snapshot);
    return snapshot;
  }

  /**
   * Caches a snapshot, unless a load has more to do: publish a session, repair the file, report an error, or tell whether
   * the session ended or its directory is missing.
   */
  #remember(snapshot: Snapshot): void {
    const isComplete = snapshot.stored && ["current", "newer"].includes(snapshot.status);
    this.#cached = isComplete ? snapshot : undefined;
  }

  #assertVersion(snapshot: Snapshot, expected: string | undefined): void {
    if (snapshot.stored?.version !== expected) throw new StoreConflictError(this.#path);
  }

  /** Updates the session file and cleans up. The value is already stored, so any process can do this later. */
  async #finish(draft: Draft, staged: StagedFile | undefined, before: Snapshot): Promise<void> {
    const { paths } = before;
    const stored = { value: draft.value, version: versionOf(draft) };
    const isUnchanged =
      this.#repairer.isReplaceable(before) && sameContent(await this.#fs.stat(paths.file), before.fileStamp);
    const fileStamp = staged && isUnchanged ? await installSessionFile(this.#fs, before, staged) : undefined;
    const after: Snapshot = { paths, head: draft, stored, fileStamp, foreignDigest: undefined, status: "current" };
    // Another process may have published a newer generation and written the session file before we did.
    const isLast = fileStamp !== undefined && (await this.#reader.isCurrent(after));
    const latest = isLast ? after : await this.#repairer.repair(await this.#reader.read(paths));
    for (const path of staged?.holds ?? []) await this.#removeTemporary(path);
    this.#remember(latest);
    await new Chain(this.#fs, paths.chain).collect(draft);
    await this.#repairer.collectMarks(paths);
    if (draft.number === 1) await this.#fs.removeDirectory(paths.removed);
  }

  /** Keeps a copy of a session file without a session. Returns `false` if that fails: then the file has to stay. */
  async #keepUnreadable({ status, head, stored, paths }: Snapshot): Promise<boolean> {
    const isText = !head && stored !== undefined && this.#rules.recordKindOf(stored.value) === undefined;
    if (status !== "unreadable" && !isText) return true;
    return keepCopy(this.#fs, paths).then(
      () => true,
      (error: unknown) => isNoFile(error),
    );
  }

  async #repairUnlessBusy(snapshot: Snapshot): Promise<Snapshot> {
    if (!this.#repairer.isRepairable(snapshot)) return snapshot;
    const release = await this.#lock(snapshot.paths.chain, { wait: undefined });
    if (!release) return snapshot; // the holder of the lock is about to write the session file
    try {
      return await this.#repairer.repair(await this.#reader.read(snapshot.paths));
    } finally {
      await release();
    }
  }

  async #removeTemporary(temporaryPath: string): Promise<void> {
    await this.#fs.unlink(temporaryPath).catch(() => undefined);
  }

  async #removeFiles(paths: SessionPaths): Promise<void> {
    await this.#fs.unlink(paths.file).catch(async (error: unknown) => {
      // A file that is a mount point cannot be removed. An empty file counts as no session.
      if (codeOf(error) !== "EBUSY") throw error;
      await this.#fs.overwrite(paths.file, "");
    });
    if (await canMarkRemoval(this.#fs, paths)) await this.#fs.removeDirectory(paths.removed);
    await this.#fs.syncDirectory(paths.parent);
  }
}
