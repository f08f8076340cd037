import { reconcile, StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import { type FileSystem, makeDurableDirectory, nodeFileSystem, type Stamp, sameContent } from "./filesystem.ts";
import { codeOf, ignoreNotFound, withStoreErrors } from "./fs-errors.ts";
import { Chain, type Draft, isAdoptedVersion, versionOf } from "./generations.ts";
import { directoryLock, type Lock } from "./lock.ts";
import { type FileStoreOptions, pathsOf, type SessionPaths, sessionFilePath } from "./paths.ts";
import { currentProcess, type ProcessIdentity } from "./process-identity.ts";
import { installSessionFile, type Reconcile, type StagedFile, stageSessionFile } from "./session-file.ts";
import { type Snapshot, SnapshotReader } from "./snapshot.ts";
import { watchPath } from "./watch.ts";

/** What a store needs of the world around it. */
export interface FileStoreDeps {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly reconcile: Reconcile;
}

const MAX_REPAIRS = 4;

/**
 * A store that keeps one session in a file, for all processes of one machine.
 *
 * The truth is a chain of write-once files in `.<name>.unexpired/` beside the session file; the session file itself is
 * repaired from it, and a newer session that another program writes there is adopted. A resolved `save` survives a
 * power cut. `load` costs three `stat` calls while nothing changed.
 *
 * `load`, `save` and `remove` throw `StoreError`: `STORE_UNREADABLE` where what is there cannot be read or is damaged,
 * `STORE_UNAVAILABLE` where the place cannot be reached or written, and where a session that this store has seen is
 * gone together with its directory.
 *
 * @throws TypeError where the options are not exactly one of `path` and `appName`
 */
export function fileStore(options: FileStoreOptions): TokenStore {
  return openFileStore(sessionFilePath(options), { fs: nodeFileSystem, lock: directoryLock, reconcile });
}

/** {@link fileStore} for an absolute path, in a world of the caller's. */
export const openFileStore = (path: string, deps: FileStoreDeps): TokenStore => new FileStore(path, deps);

class FileStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: true } as const;
  readonly holder?: ProcessIdentity;
  // Private names: what is inspected or serialised must not show the session.
  readonly #path: string;
  readonly #fs: FileSystem;
  readonly #lock: Lock;
  readonly #reader: SnapshotReader;
  /** The last snapshot; its stamps are compared before it is used. */
  #cached: Snapshot | undefined;
  /** Whether a save failed after it may have published: what is found then might not survive a power cut yet. */
  #isUnconfirmed = false;
  /** The session file when a load found it torn. */
  #tornFile: Stamp | undefined;
  /** The session file's directory when it last held a session. */
  #parentStamp: Stamp | undefined;

  constructor(path: string, { fs, lock, reconcile }: FileStoreDeps) {
    this.#path = path;
    this.#fs = fs;
    this.#lock = lock;
    const holder = currentProcess();
    if (holder) this.holder = holder;
    this.#reader = new SnapshotReader(fs, reconcile);
  }

  describe(): string {
    return this.#path;
  }

  watch(onChange: () => void): () => void {
    return watchPath(this.#path, onChange);
  }

  load(): Promise<StoredValue | undefined> {
    return withStoreErrors(this.#path, "read", async () => {
      if (this.#isUnconfirmed) await this.#syncUnconfirmed();
      if (this.#cached && (await this.#reader.isCurrent(this.#cached))) return this.#cached.stored;
      this.#cached = undefined;
      const paths = await this.#resolvePaths();
      const parentStamp = await this.#fs.stat(paths.parent); // from before the look: what is found is there, or was in here
      const snapshot = await this.#repairUnlessBusy(await this.#reader.read(paths));
      await this.#checkParent(snapshot, parentStamp);
      if (!snapshot.stale && snapshot.stored) this.#cached = snapshot;
      return snapshot.stored;
    });
  }

  save(value: string, expected: string | undefined): Promise<string> {
    return withStoreErrors(this.#path, "saved", async () => {
      const paths = await this.#resolvePaths();
      const assertCurrent = async () => this.#assertVersion(await this.#readCurrent(paths), expected); // a loser need not queue for the lock
      await assertCurrent();
      await this.#ensureChain(paths, expected);
      const release = await this.#lock(paths.chain, { wait: assertCurrent });
      try {
        return await this.#replace(paths, value, expected);
      } catch (error) {
        this.#cached = undefined;
        this.#isUnconfirmed ||= !(error instanceof StoreConflictError);
        throw error;
      } finally {
        await release?.();
      }
    });
  }

  remove(): Promise<void> {
    return withStoreErrors(this.#path, "removed", async () => {
      const paths = await this.#resolvePaths();
      this.#cached = undefined;
      this.#parentStamp = undefined;
      if (!(await this.#fs.stat(paths.parent))) return;
      // Without a chain an empty one is renamed, too: while the removed one is there nobody takes the session file for
      // another program's.
      await new Chain(this.#fs, paths.chain).retire(paths.removed, () => this.#removeFiles(paths));
      await this.#removeFiles(paths);
    });
  }

  /** Makes durable what a failed save may have published. Its caller loads to learn the outcome, and relies on it. */
  async #syncUnconfirmed(): Promise<void> {
    const { chain } = await this.#resolvePaths();
    await ignoreNotFound(this.#fs.syncDirectory(chain));
    this.#isUnconfirmed = false;
  }

  async #resolvePaths(): Promise<SessionPaths> {
    return pathsOf(await this.#fs.resolve(this.#path));
  }

  async #ensureChain(paths: SessionPaths, expected: string | undefined): Promise<void> {
    // With a generation expected there is a chain: no need to ask and to sync every time.
    if (expected !== undefined && !isAdoptedVersion(expected)) return;
    await makeDurableDirectory(this.#fs, paths.chain);
  }

  async #replace(paths: SessionPaths, value: string, expected: string | undefined): Promise<string> {
    const chain = new Chain(this.#fs, paths.chain);
    const before = await this.#readCurrent(paths);
    this.#assertVersion(before, expected);
    const parentStamp = await this.#fs.stat(paths.parent);
    const draft = await chain.draft(value, before);
    if (!draft) throw new StoreConflictError(this.#path);
    // A full disk must not keep a draft from being published that did find room.
    const staged = await stageSessionFile(this.#fs, paths, value).catch(() => undefined);
    try {
      // Compared only now that the draft is in the chain: had the chain been removed meanwhile, the draft would be gone
      // and could not be published over what came next.
      const snapshot = (await this.#reader.isCurrent(before)) ? before : await this.#reader.read(paths);
      this.#assertVersion(snapshot, expected);
      const isPublished = await chain.publish(draft);
      if (isPublished !== false) this.#parentStamp = parentStamp;
      if (!isPublished) throw new StoreConflictError(this.#path);
      await this.#finish(draft, staged, snapshot).catch(() => undefined);
      return versionOf(draft);
    } finally {
      await this.#removeTemporary(draft.temporaryPath);
      if (staged) await this.#removeTemporary(staged.temporaryPath);
    }
  }

  async #readCurrent(paths: SessionPaths): Promise<Snapshot> {
    const cached = this.#cached;
    if (cached?.paths.file === paths.file && (await this.#reader.isCurrent(cached))) return cached;
    const snapshot = await withStoreErrors(this.#path, "read", () => this.#reader.read(paths));
    // No session is not cached: whether the session ended, or its directory is gone, is for a load to tell.
    this.#cached = snapshot.stale || !snapshot.stored ? undefined : snapshot;
    return snapshot;
  }

  #assertVersion(snapshot: Snapshot, expected: string | undefined): void {
    if (snapshot.stored?.version !== expected) throw new StoreConflictError(this.#path);
  }

  /** The value is stored; what is left to do can also be done by anyone later. */
  async #finish(draft: Draft, staged: StagedFile | undefined, before: Snapshot): Promise<void> {
    const { paths } = before;
    const stored = { value: draft.value, version: versionOf(draft) };
    const isUnchanged = sameContent(await this.#fs.stat(paths.file), before.fileStamp);
    const fileStamp = staged && isUnchanged ? await installSessionFile(this.#fs, paths, staged) : undefined;
    const after: Snapshot = {
      paths,
      head: draft,
      stored,
      fileStamp,
      foreignDigest: undefined,
      stale: false,
      torn: false,
    };
    // Somebody may have published and written the session file before we wrote it.
    const isLast = fileStamp !== undefined && (await this.#reader.isCurrent(after));
    const latest = isLast ? after : await this.#repair(await this.#reader.read(paths));
    this.#cached = latest.stored && latest; // nothing is for a load to tell, as in #readCurrent
    await new Chain(this.#fs, paths.chain).collect(draft);
    if (draft.number === 1) await this.#fs.removeDirectory(paths.removed);
  }

  async #repairUnlessBusy(snapshot: Snapshot): Promise<Snapshot> {
    // Another program may be writing the file in place right now: what it has torn is left alone at first sight.
    const isConfirmed =
      !snapshot.torn || (this.#tornFile !== undefined && sameContent(this.#tornFile, snapshot.fileStamp));
    this.#tornFile = snapshot.torn ? snapshot.fileStamp : undefined;
    if (!snapshot.stale || !isConfirmed) return snapshot;
    const release = await this.#lock(snapshot.paths.chain, { wait: undefined });
    if (!release) return snapshot; // the holder is about to write it
    try {
      return await this.#repair(await this.#reader.read(snapshot.paths));
    } finally {
      await release();
    }
  }

  /** Writes the session file from the chain. Where that is not possible the chain is enough. */
  async #repair(snapshot: Snapshot): Promise<Snapshot> {
    let latest = snapshot;
    for (let attempt = 0; attempt < MAX_REPAIRS && latest.stale; attempt++) {
      if (!latest.head || !(await this.#rewriteFile(latest, latest.head.value))) break;
      latest = await this.#reader.read(latest.paths);
    }
    return { ...latest, stale: false };
  }

  /** `false` where the session file cannot be written. */
  async #rewriteFile(snapshot: Snapshot, text: string): Promise<boolean> {
    const staged = await stageSessionFile(this.#fs, snapshot.paths, text).catch(() => undefined);
    if (!staged) return false;
    try {
      return (
        !(await this.#reader.isCurrent(snapshot)) ||
        (await installSessionFile(this.#fs, snapshot.paths, staged)) !== undefined
      );
    } finally {
      await this.#removeTemporary(staged.temporaryPath);
    }
  }

  async #removeTemporary(temporaryPath: string): Promise<void> {
    await this.#fs.unlink(temporaryPath).catch(() => undefined);
  }

  /** Tells "there is no session" from "its directory is gone", as when a disk was unmounted. */
  async #checkParent({ paths, stored }: Snapshot, parentStamp: Stamp | undefined): Promise<void> {
    if (stored) this.#parentStamp = parentStamp ?? this.#parentStamp;
    if (stored || !this.#parentStamp) return;
    const parent = parentStamp && (await this.#fs.stat(paths.parent)); // there before the look, and after it
    if (parent && [parentStamp, parent].every(({ fileId }) => fileId === this.#parentStamp?.fileId)) return;
    throw new StoreError("STORE_UNAVAILABLE", {
      place: this.#path,
      problem: `is gone together with its directory, ${parent ? "which is another one now" : "which does not exist any more"}`,
      advice: "Bring the directory back, or restart the program to begin without a session.",
    });
  }

  async #removeFiles(paths: SessionPaths): Promise<void> {
    await this.#fs.unlink(paths.file).catch(async (error: unknown) => {
      // A mounted file cannot be removed; an empty one is no session.
      if (codeOf(error) !== "EBUSY") throw error;
      await this.#fs.overwrite(paths.file, "");
    });
    await this.#fs.removeDirectory(paths.removed);
    await this.#fs.syncDirectory(paths.parent);
  }
}
