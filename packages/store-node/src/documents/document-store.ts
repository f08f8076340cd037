import { dirname } from "node:path";
import { type SessionFormat, StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import { type FileSystem, makeDurableDirectory } from "../filesystem.ts";
import { mountedError, withStoreErrors } from "../fs-errors.ts";
import { Chain, isAdoptedVersion, versionOf } from "../generations.ts";
import { ignoreInGit } from "../git-ignore.ts";
import type { Lock } from "../lock.ts";
import { resolvePaths, type SessionPaths } from "../paths.ts";
import { currentProcess, type ProcessIdentity } from "../process-identity.ts";
import { SessionDirectory } from "../session-directory.ts";
import { watchPath } from "../watch.ts";
import { type DocumentSnapshot, SessionDocument } from "./document.ts";
import { chainNameOf } from "./entry.ts";
import { EntrySettler, type EntryTimers, systemTimers } from "./settle.ts";

/** Dependencies of a document store. */
export interface DocumentStoreDeps extends EntryTimers {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly format: SessionFormat;
  readonly stateDirectory?: string | undefined;
}

const MAX_LOCKS = 10;

/** Creates a store for an absolute path, with the given dependencies. */
export const openDocumentStore = (
  path: string,
  deps: Omit<DocumentStoreDeps, keyof EntryTimers> & Partial<EntryTimers>,
): TokenStore => new DocumentStore(path, { ...systemTimers, ...deps });

/** Keeps a session in a document of another program. The chain beside it holds the truth, as in a file store. */
class DocumentStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: true } as const;
  readonly holder?: ProcessIdentity;
  readonly #path: string;
  readonly #deps: DocumentStoreDeps;
  readonly #document: SessionDocument;
  readonly #directory: SessionDirectory;
  readonly #settler: EntrySettler<DocumentSnapshot>;
  /** The last snapshot that needs nothing to be done. Its stamps are checked before each use. */
  #cached: DocumentSnapshot | undefined;

  constructor(path: string, deps: DocumentStoreDeps) {
    this.#path = path;
    this.#deps = deps;
    this.#document = new SessionDocument(deps.fs, deps.format);
    this.#directory = new SessionDirectory(deps.fs, path);
    this.#settler = new EntrySettler({
      ...deps,
      now: deps.fs.now,
      print: ({ paths }) => this.#print(paths),
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
    const draft = await chain.draft(value, before);
    if (!draft) throw new StoreConflictError(this.#path);
    try {
      assertVersion(await this.#document.read(paths), expected, this.#path);
      if (!(await chain.publish(draft))) throw new StoreConflictError(this.#path);
      if (draft.number === 1) await makeDurableDirectory(this.#deps.fs, paths.chain);
      await this.#print(paths)
        .then(() => chain.collect(draft))
        .catch(() => undefined); // any process can do this later
      return versionOf(draft);
    } finally {
      await this.#deps.fs.unlink(draft.temporaryPath).catch(() => undefined);
    }
  }

  /** Writes the session into the document. */
  async #print(paths: SessionPaths): Promise<void> {
    let release: Awaited<ReturnType<Lock>>;
    for (let attempt = 0; attempt < MAX_LOCKS && !release; attempt++) {
      release = await this.#deps.lock(dirname(paths.chain), { wait: async () => undefined });
    }
    if (!release) return; // a later load writes it
    try {
      const { status, stored } = await this.#document.update(paths);
      if (status.kind === "current" && stored) this.#settler.isSeen = true;
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
      await this.#document.clear(paths);
      if (await fs.stat(paths.chain)) {
        await new Chain(fs, paths.chain).retire(paths.removed, () => fs.removeDirectory(paths.removed));
        await fs.removeDirectory(paths.removed);
      }
      await this.#document.clear(paths); // another process may have written it once more
    });
  }

  /** Rejects if the document is mounted by itself: the other side has another chain. */
  async #assertReplaceable({ isChainShared, file }: SessionPaths): Promise<void> {
    if (!isChainShared && (await this.#deps.fs.isMountPoint(file))) throw mountedError(this.#path);
  }

  #resolvePaths(): Promise<SessionPaths> {
    const { fs, format, stateDirectory } = this.#deps;
    return resolvePaths(fs, this.#path, { stateDirectory, entry: chainNameOf(format) });
  }
}

function assertVersion({ stored }: DocumentSnapshot, expected: string | undefined, location: string): void {
  if (stored?.version !== expected) throw new StoreConflictError(location);
}

/** Creates the error about a document that its format cannot read. */
const unreadableError = (location: string, { stored, paths }: DocumentSnapshot): StoreError =>
  new StoreError("STORE_UNREADABLE", {
    location,
    problem: "is not a document that its format can read",
    hint: stored
      ? `The last session is still in ${paths.chain}. Repair the document to continue with it, or sign in again.`
      : "It was left unchanged. Repair the document, or move it away and sign in again.",
    version: stored?.version,
    stored: stored && (() => stored.value),
  });
