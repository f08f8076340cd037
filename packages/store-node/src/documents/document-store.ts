import { dirname } from "node:path";
import { type SessionFormat, StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import { type FileSystem, makeDurableDirectory } from "../filesystem.ts";
import { codeOf, ignoreNotFound, mountedError, withStoreErrors } from "../fs-errors.ts";
import { Chain, isAdoptedVersion, versionOf } from "../generations.ts";
import { ignoreInGit } from "../git-ignore.ts";
import { type Lock, tryLock, withAdvisoryLock } from "../lock.ts";
import { readPrimary } from "../mirrors/file-notes.ts";
import { resolvePaths, type SessionPaths } from "../paths.ts";
import { currentProcess, type ProcessIdentity } from "../process-identity.ts";
import { SessionDirectory } from "../session-directory.ts";
import { keepCopy } from "../unreadable-copy.ts";
import { watchPath } from "../watch.ts";
import { type DocumentSnapshot, SessionDocument, type UpdateOptions } from "./document.ts";
import { irreplaceableError, mirroredError, unreadableError } from "./document-errors.ts";
import { DocumentEvents } from "./document-events.ts";
import { assertHolds, chainNameOf } from "./entry.ts";
import { isIrreplaceable } from "./replace-document.ts";
import { ReplacedDocuments } from "./replaced-documents.ts";
import { EntrySettler, type EntryTimers, systemTimers } from "./settle.ts";

/** How often to ask for the lock of a document that can only be written in place: for longer than until it is stale. */
const MAX_UPDATES = 10;

/** Dependencies of a document store. */
export interface DocumentStoreDeps extends EntryTimers {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly format: SessionFormat;
  readonly stateDirectory?: string | undefined;
  readonly watch: typeof watchPath;
}

/** The dependencies without a default. */
type RequiredDeps = Pick<DocumentStoreDeps, "fs" | "lock" | "format">;

/** Creates a store for an absolute path, with the given dependencies. */
export const openDocumentStore = (path: string, deps: RequiredDeps & Partial<DocumentStoreDeps>): TokenStore =>
  new DocumentStore(path, { ...systemTimers, watch: watchPath, ...deps });

/** Keeps a session in a document of another program. The chain beside it holds the truth, as in a file store. */
class DocumentStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: true, foreignDocuments: true } as const;
  readonly holder?: ProcessIdentity;
  readonly #path: string;
  readonly #deps: DocumentStoreDeps;
  readonly #replaced: ReplacedDocuments;
  readonly #document: SessionDocument;
  readonly #directory: SessionDirectory;
  readonly #settler: EntrySettler<DocumentSnapshot>;
  readonly #events = new DocumentEvents();
  readonly subscribe = this.#events.subscribe;
  /** The last snapshot that needs nothing to be done. Its stamps are checked before each use. */
  #cached: DocumentSnapshot | undefined;
  /** Whether a failed save may have published its value, which then might not survive a power failure yet. */
  #isUnconfirmed = false;

  constructor(path: string, deps: DocumentStoreDeps) {
    this.#path = path;
    this.#deps = deps;
    const onLost = () => this.#events.lost(path);
    const onRestored = async () => void (await this.load().catch(() => undefined)); // shows our session again
    this.#replaced = new ReplacedDocuments({ ...deps, onLost, onRestored });
    this.#document = new SessionDocument(deps.fs, deps.format, this.#replaced);
    this.#directory = new SessionDirectory(deps.fs, path);
    this.#settler = new EntrySettler({
      ...deps,
      now: deps.fs.now,
      print: ({ paths }, options) =>
        this.#print(paths, options).catch((error: unknown) => this.#events.failed(path, error)),
      noteFound: (snapshot, value) => this.#document.noteFound(snapshot, value),
      finish: ({ paths }) => this.#finish(paths),
      save: (value, expected) => this.save(value, expected),
      unreadableError: (snapshot) => unreadableError(path, snapshot),
    });
    const holder = currentProcess();
    if (holder) this.holder = holder;
  }

  describe(): string {
    return this.#path;
  }

  watch(onChange: () => void): () => void {
    const { stateDirectory, format } = this.#deps;
    const stopLooking = this.#settler.onLookAgain(() => onChange());
    const stop = this.#deps.watch(this.#path, () => onChange(), { stateDirectory, entry: chainNameOf(format) });
    return () => {
      stopLooking();
      stop();
    };
  }

  load(): Promise<StoredValue | undefined> {
    return withStoreErrors(this.#path, "read", async () => {
      if (this.#isUnconfirmed) await this.#syncUnconfirmed();
      const known = this.#cached;
      if (known && (await this.#document.isCurrent(known))) return known.stored;
      this.#cached = undefined;
      const paths = await this.#resolvePaths();
      const snapshot = await this.#settler.load(this.#path, () => this.#read(paths));
      // without a session, generations that this process has never seen may be collected by the next time
      if (snapshot.status.kind === "current" && snapshot.stored) this.#cached = snapshot;
      return snapshot.stored;
    });
  }

  async #read(paths: SessionPaths): Promise<DocumentSnapshot> {
    const parentStamp = await this.#deps.fs.stat(paths.parent); // before the read: the session was found in it
    const snapshot = await this.#document.read(paths);
    await this.#directory.check(paths.parent, parentStamp, snapshot.stored !== undefined);
    await this.#replaced.collect(paths.chain).catch(() => undefined); // any process can do it later
    return snapshot;
  }

  save(value: string, expected: string | undefined): Promise<string> {
    return withStoreErrors(this.#path, "saved", async () => {
      assertHolds(this.#deps.format, value);
      const paths = await this.#resolvePaths();
      await this.#assertReplaceable(paths);
      const assertCurrent = async () => assertVersion(await this.#document.read(paths), expected, this.#path);
      await assertCurrent(); // a save that has lost need not wait for the lock
      if (expected === undefined || isAdoptedVersion(expected)) await makeDurableDirectory(this.#deps.fs, paths.chain);
      await ignoreInGit(this.#deps.fs, dirname(paths.chain));
      const release = await this.#deps.lock(paths.chain, { wait: assertCurrent });
      this.#cached = undefined;
      try {
        return await this.#replace(paths, value, expected);
      } catch (error) {
        this.#isUnconfirmed ||= codeOf(error) !== "STORE_CONFLICT";
        throw error;
      } finally {
        await release?.();
      }
    });
  }

  async #replace(paths: SessionPaths, value: string, expected: string | undefined): Promise<string> {
    const chain = Chain.besideFile(this.#deps.fs, paths);
    const before = await this.#document.read(paths);
    assertVersion(before, expected, this.#path);
    const over = before.status.kind === "torn" && before.overwriteVersion === expected ? before : undefined;
    if (over) await this.#keep(over, value);
    const parentStamp = await this.#deps.fs.stat(paths.parent);
    const draft = await chain.draft(value, before);
    if (!draft) throw new StoreConflictError(this.#path);
    try {
      assertVersion(await this.#document.read(paths), expected, this.#path);
      const isPublished = await chain.publish(draft);
      if (isPublished !== false) this.#directory.remember(parentStamp);
      if (!isPublished) throw new StoreConflictError(this.#path);
      if (draft.number === 1) await makeDurableDirectory(this.#deps.fs, paths.chain);
      await this.#print(paths, { over }).catch((error: unknown) => {
        if (over) throw error; // it is still unreadable, so the caller would not find what it saved
        this.#events.failed(this.#path, error); // any process can write it later
      });
      await chain.collect(draft).catch(() => undefined); // so can it do this
      return versionOf(draft);
    } finally {
      await this.#deps.fs.unlink(draft.temporaryPath).catch(() => undefined);
    }
  }

  /** Keeps a copy of an unreadable document, unless `value` could not be written in its place. */
  async #keep(over: DocumentSnapshot, value: string): Promise<void> {
    if (over.failure) throw irreplaceableError(this.#path, over.failure);
    this.#document.printOver(value, over);
    await keepCopy(this.#deps.fs, over.paths);
  }

  /** Makes durable what a failed save may have published: its caller loads to learn the outcome, and relies on it. */
  async #syncUnconfirmed(): Promise<void> {
    const { chain } = await this.#resolvePaths();
    await ignoreNotFound(this.#deps.fs.syncDirectory(chain));
    this.#isUnconfirmed = false;
  }

  /** Writes the session into the document. */
  async #print(paths: SessionPaths, options?: UpdateOptions): Promise<void> {
    const { status, stored } = await withStoreErrors(this.#path, "saved", () => this.#update(paths, options));
    if (status.kind === "blank") this.#settler.lookAgain();
    if (status.kind !== "current") return;
    if (stored) this.#settler.isSeen = true;
    this.#events.recovered(this.#path);
  }

  /** Updates the document. One that can only be written in place has to wait for the lock, whose holder may have died. */
  async #update(paths: SessionPaths, options?: UpdateOptions): Promise<DocumentSnapshot> {
    const update = (isLocked: boolean) => this.#document.update(paths, { ...options, isLocked });
    for (let attempt = 1; ; attempt++) {
      try {
        return await withAdvisoryLock(this.#deps.lock, dirname(paths.chain), update);
      } catch (error) {
        if (attempt === MAX_UPDATES || !isIrreplaceable(error)) throw error;
      }
    }
  }

  /** Finishes a write in place. If the lock is not free, another process may be at it: that counts as found. */
  async #finish(paths: SessionPaths): Promise<boolean> {
    const release = await tryLock(this.#deps.lock, dirname(paths.chain));
    if (!release) return true;
    try {
      return await this.#document.finish(paths);
    } finally {
      await release();
    }
  }

  remove(): Promise<void> {
    return withStoreErrors(this.#path, "removed", async () => {
      const paths = await this.#resolvePaths();
      const { fs } = this.#deps;
      this.#cached = undefined;
      this.#settler.isSeen = false;
      this.#directory.remember(undefined);
      await this.#assertReplaceable(paths);
      await fs.assertTrusted(dirname(paths.chain));
      await this.#clear(paths);
      if (await fs.stat(paths.chain)) {
        await new Chain(fs, paths.chain).retire(paths.removed, () => fs.removeDirectory(paths.removed));
        await this.#clear({ ...paths, chain: paths.removed }); // another process may have written it once more
        await fs.removeDirectory(paths.removed);
      }
    });
  }

  #clear(paths: SessionPaths): Promise<void> {
    const clear = (isLocked: boolean) => this.#document.clear(paths, isLocked);
    return withAdvisoryLock(this.#deps.lock, dirname(paths.chain), clear);
  }

  /** Rejects if the document is mounted by itself: the other side has another chain. */
  async #assertReplaceable({ isChainShared, file }: SessionPaths): Promise<void> {
    if (!isChainShared && (await this.#deps.fs.isMountPoint(file))) throw mountedError(this.#path);
  }

  async #resolvePaths(): Promise<SessionPaths> {
    const { fs, format, stateDirectory } = this.#deps;
    const paths = await resolvePaths(fs, this.#path, { stateDirectory, entry: chainNameOf(format) });
    if ((await readPrimary(fs, paths)) !== undefined) throw mirroredError(this.#path);
    return paths;
  }
}

function assertVersion(snapshot: DocumentSnapshot, expected: string | undefined, location: string): void {
  const { stored, overwriteVersion } = snapshot;
  if (stored?.version !== expected && (expected === undefined || overwriteVersion !== expected))
    throw new StoreConflictError(location);
}
