import { dirname } from "node:path";
import { type SessionFormat, StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import { type FileSystem, makeDurableDirectory } from "../filesystem.ts";
import { mountedError, withStoreErrors } from "../fs-errors.ts";
import { Chain, isAdoptedVersion, versionOf } from "../generations.ts";
import { ignoreInGit } from "../git-ignore.ts";
import { type Lock, withAdvisoryLock } from "../lock.ts";
import { readPrimary } from "../mirrors/file-notes.ts";
import { resolvePaths, type SessionPaths } from "../paths.ts";
import { currentProcess, type ProcessIdentity } from "../process-identity.ts";
import { SessionDirectory } from "../session-directory.ts";
import { keepCopy } from "../unreadable-copy.ts";
import { watchPath } from "../watch.ts";
import { type DocumentSnapshot, SessionDocument } from "./document.ts";
import { mirroredError, unreadableError } from "./document-errors.ts";
import { DocumentEvents } from "./document-events.ts";
import { assertHolds, chainNameOf } from "./entry.ts";
import { ReplacedDocuments } from "./replaced-documents.ts";
import { EntrySettler, type EntryTimers, systemTimers } from "./settle.ts";

/** Dependencies of a document store. */
export interface DocumentStoreDeps extends EntryTimers {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly format: SessionFormat;
  readonly stateDirectory?: string | undefined;
}

/** Creates a store for an absolute path, with the given dependencies. */
export const openDocumentStore = (
  path: string,
  deps: Omit<DocumentStoreDeps, keyof EntryTimers> & Partial<EntryTimers>,
): TokenStore => new DocumentStore(path, { ...systemTimers, ...deps });

/** Keeps a session in a document of another program. The chain beside it holds the truth, as in a file store. */
class DocumentStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: true, foreignDocuments: true } as const;
  readonly holder?: ProcessIdentity;
  readonly #path: string;
  readonly #deps: DocumentStoreDeps;
  readonly #document: SessionDocument;
  readonly #directory: SessionDirectory;
  readonly #settler: EntrySettler<DocumentSnapshot>;
  readonly #events = new DocumentEvents();
  readonly subscribe = this.#events.subscribe;
  /** The last snapshot that needs nothing to be done. Its stamps are checked before each use. */
  #cached: DocumentSnapshot | undefined;

  constructor(path: string, deps: DocumentStoreDeps) {
    this.#path = path;
    this.#deps = deps;
    const onLost = () => this.#events.lost(path);
    const onRestored = () => void this.load().catch(() => undefined); // shows our session again
    this.#document = new SessionDocument(deps.fs, deps.format, new ReplacedDocuments({ ...deps, onLost, onRestored }));
    this.#directory = new SessionDirectory(deps.fs, path);
    this.#settler = new EntrySettler({
      ...deps,
      now: deps.fs.now,
      print: ({ paths }) => this.#print(paths).catch((error: unknown) => this.#events.failed(path, error)),
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
    const stop = watchPath(this.#path, () => onChange(), { stateDirectory, entry: chainNameOf(format) });
    return () => {
      stopLooking();
      stop();
    };
  }

  load(): Promise<StoredValue | undefined> {
    return withStoreErrors(this.#path, "read", async () => {
      const known = this.#cached;
      if (known && (await this.#document.isCurrent(known))) return known.stored;
      this.#cached = undefined;
      const paths = await this.#resolvePaths();
      const snapshot = await this.#settler.load(this.#path, () => this.#read(paths));
      if (snapshot.status.kind === "current") this.#cached = snapshot;
      return snapshot.stored;
    });
  }

  async #read(paths: SessionPaths): Promise<DocumentSnapshot> {
    const parentStamp = await this.#deps.fs.stat(paths.parent); // before the read: the session was found in it
    const snapshot = await this.#document.read(paths);
    await this.#directory.check(paths.parent, parentStamp, snapshot.stored !== undefined);
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
      } finally {
        await release?.();
      }
    });
  }

  async #replace(paths: SessionPaths, value: string, expected: string | undefined): Promise<string> {
    const chain = Chain.besideFile(this.#deps.fs, paths);
    const before = await this.#document.read(paths);
    assertVersion(before, expected, this.#path);
    const over = expected !== undefined && before.overwriteVersion === expected ? before : undefined;
    if (over) await this.#keep(over, value);
    const draft = await chain.draft(value, before);
    if (!draft) throw new StoreConflictError(this.#path);
    try {
      assertVersion(await this.#document.read(paths), expected, this.#path);
      if (!(await chain.publish(draft))) throw new StoreConflictError(this.#path);
      if (draft.number === 1) await makeDurableDirectory(this.#deps.fs, paths.chain);
      await this.#print(paths, over)
        .then(() => chain.collect(draft))
        .catch((error: unknown) => {
          if (over) throw error; // it is still unreadable, so the caller would not find what it saved
          this.#events.failed(this.#path, error); // any process can write it later
        });
      return versionOf(draft);
    } finally {
      await this.#deps.fs.unlink(draft.temporaryPath).catch(() => undefined);
    }
  }

  /** Keeps a copy of an unreadable document, unless `value` could not be written in its place. */
  async #keep(over: DocumentSnapshot, value: string): Promise<void> {
    this.#document.printOver(value, over);
    await keepCopy(this.#deps.fs, over.paths);
  }

  /** Writes the session into the document, if necessary over an unreadable one. */
  async #print(paths: SessionPaths, over?: DocumentSnapshot): Promise<void> {
    const update = () => this.#document.update(paths, over);
    const { status, stored } = await withStoreErrors(this.#path, "saved", () =>
      withAdvisoryLock(this.#deps.lock, dirname(paths.chain), update),
    );
    if (status.kind !== "current") return;
    if (stored) this.#settler.isSeen = true;
    this.#events.recovered(this.#path);
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
      await this.#document.clear(paths);
      if (await fs.stat(paths.chain)) {
        await new Chain(fs, paths.chain).retire(paths.removed, () => fs.removeDirectory(paths.removed));
        await this.#document.clear({ ...paths, chain: paths.removed }); // another process may have written it once more
        await fs.removeDirectory(paths.removed);
      }
    });
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
