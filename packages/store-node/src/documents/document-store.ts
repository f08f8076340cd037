import { dirname } from "node:path";
import {
  type SessionFormat,
  StoreConflictError,
  type StoredValue,
  StoreError,
  type StoreEvent,
  type TokenStore,
} from "@unexpired/core";
import { signedOutRecord } from "@unexpired/core/session-record";
import { type FileSystem, makeDurableDirectory } from "../filesystem.ts";
import { codeOf, mountedError, withStoreErrors } from "../fs-errors.ts";
import { Chain, isAdoptedVersion, versionOf } from "../generations.ts";
import { ignoreInGit } from "../git-ignore.ts";
import type { Lock } from "../lock.ts";
import { readPrimary } from "../mirrors/file-notes.ts";
import { resolvePaths, type SessionPaths } from "../paths.ts";
import { currentProcess, type ProcessIdentity } from "../process-identity.ts";
import { SessionDirectory } from "../session-directory.ts";
import { later, pause } from "../timers.ts";
import { keepCopy } from "../unreadable-copy.ts";
import { watchPath } from "../watch.ts";
import { type DocumentSnapshot, SessionDocument } from "./document.ts";
import { mirroredError, unreadableError } from "./document-errors.ts";
import { chainNameOf, type EntryStatus } from "./entry.ts";
import { ReplacedDocuments } from "./replaced-documents.ts";

/** Dependencies of a document store. */
export interface DocumentStoreDeps {
  readonly fs: FileSystem;
  readonly lock: Lock;
  readonly format: SessionFormat;
  readonly stateDirectory?: string | undefined;
  /** Resolves after a number of milliseconds. */
  readonly pause: (milliseconds: number) => Promise<void>;
  /** Calls back after a number of milliseconds, without keeping the process alive. */
  readonly later: (run: () => void, milliseconds: number) => void;
}

/** How long an entry holds no session, in milliseconds, before that counts as a sign-out: it may be rewritten in steps. */
const SIGNED_OUT_AFTER = 1_000;
/** How long a document may be unreadable, in milliseconds, because another program is writing it. */
const TORN_FOR = 2_000;
const TORN_INTERVAL = 50;
const MAX_LOOKS = 100;
const MAX_LOCKS = 10;

/** Creates a store for an absolute path, with the given dependencies. */
export const openDocumentStore = (
  path: string,
  deps: Omit<DocumentStoreDeps, "pause" | "later"> & Partial<DocumentStoreDeps>,
): TokenStore => new DocumentStore(path, { pause, later, ...deps });

/** Keeps a session in a document of another program. The chain beside it holds the truth, as in a file store. */
class DocumentStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: true, foreignDocuments: true } as const;
  readonly holder?: ProcessIdentity;
  readonly #path: string;
  readonly #deps: DocumentStoreDeps;
  readonly #document: SessionDocument;
  readonly #directory: SessionDirectory;
  readonly #listeners = new Set<() => void>();
  readonly #subscribers = new Set<(event: StoreEvent) => void>();
  /** The last snapshot that needs nothing to be done. Its stamps are checked before each use. */
  #cached: DocumentSnapshot | undefined;
  /** Since when this process has found the entry empty, or the document unreadable, in epoch milliseconds. */
  #since: { readonly kind: EntryStatus["kind"]; readonly at: number } | undefined;
  /** Whether this process has found the session in the document. */
  #isSeen = false;

  constructor(path: string, deps: DocumentStoreDeps) {
    this.#path = path;
    this.#deps = deps;
    const location = path;
    const onLost = () => this.#report({ type: "document-write-lost", location });
    const onRestored = () => void this.load().catch(() => undefined); // shows our session again
    this.#document = new SessionDocument(deps.fs, deps.format, new ReplacedDocuments({ ...deps, onLost, onRestored }));
    this.#directory = new SessionDirectory(deps.fs, path);
    const holder = currentProcess();
    if (holder) this.holder = holder;
  }

  describe(): string {
    return this.#path;
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    const added = (event: StoreEvent) => listener(event);
    this.#subscribers.add(added);
    return () => this.#subscribers.delete(added);
  }

  #report(event: StoreEvent): void {
    for (const subscriber of this.#subscribers) subscriber(event);
  }

  watch(onChange: () => void): () => void {
    const { stateDirectory, format } = this.#deps;
    const listener = () => onChange();
    this.#listeners.add(listener);
    const stop = watchPath(this.#path, listener, { stateDirectory, entry: chainNameOf(format) });
    return () => {
      this.#listeners.delete(listener);
      stop();
    };
  }

  load(): Promise<StoredValue | undefined> {
    return withStoreErrors(this.#path, "read", async () => {
      const known = this.#cached;
      if (known && (await this.#document.isCurrent(known))) return known.stored;
      this.#cached = undefined;
      const paths = await this.#resolvePaths();
      for (let look = 0; look < MAX_LOOKS; look++) {
        const parentStamp = await this.#deps.fs.stat(paths.parent); // before the read: the session was found in it
        const snapshot = await this.#document.read(paths);
        await this.#directory.check(paths.parent, parentStamp, snapshot.stored !== undefined);
        if (await this.#isSettled(snapshot)) return snapshot.stored;
      }
      throw new StoreError("STORE_UNAVAILABLE", {
        location: this.#path,
        problem: "is changed by another program too often to be read",
        hint: "Try again.",
      });
    });
  }

  /** Brings the chain and the document together. Returns whether the snapshot can be used; otherwise, it is out of date. */
  async #isSettled(snapshot: DocumentSnapshot): Promise<boolean> {
    const { status, stored, paths } = snapshot;
    const elapsed = this.#elapsed(status.kind);
    switch (status.kind) {
      case "current":
        if (stored) this.#isSeen = true;
        this.#cached = snapshot;
        return true;
      case "stale":
        await this.#print(paths).catch(() => undefined); // the chain alone holds the session
        return true;
      case "foreign":
        return !(await this.#publish(snapshot, status.value));
      case "emptied":
        if (elapsed >= SIGNED_OUT_AFTER) return !(await this.#signOut(snapshot));
        if (this.#isSeen) this.#lookAgain(SIGNED_OUT_AFTER - elapsed);
        else await this.#deps.pause(SIGNED_OUT_AFTER - elapsed);
        return this.#isSeen;
      case "torn":
        if (elapsed >= TORN_FOR) throw unreadableError(this.#path, snapshot);
        await this.#deps.pause(TORN_INTERVAL);
        return false;
    }
  }

  /** Returns for how many milliseconds this process has found the document in a state that may pass. */
  #elapsed(kind: EntryStatus["kind"]): number {
    const now = this.#deps.fs.now();
    if (kind !== "emptied" && kind !== "torn") this.#since = undefined;
    else if (this.#since?.kind !== kind) this.#since = { kind, at: now };
    return this.#since ? now - this.#since.at : 0;
  }

  #lookAgain(milliseconds: number): void {
    this.#deps.later(() => {
      for (const listener of this.#listeners) listener();
    }, milliseconds);
  }

  /** Publishes a session of another program before it is used. Returns `false` if it cannot be written. */
  async #publish({ stored }: DocumentSnapshot, value: string): Promise<boolean> {
    this.#isSeen = true;
    return this.save(value, stored?.version).then(
      () => true,
      (error: unknown) => codeOf(error) === "STORE_CONFLICT",
    );
  }

  async #signOut({ head, stored }: DocumentSnapshot): Promise<boolean> {
    if (!head) return false;
    await this.save(signedOutRecord(head.value, this.#deps.fs.now()), stored?.version).catch((error: unknown) => {
      if (codeOf(error) !== "STORE_CONFLICT") throw error;
    });
    return true;
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
        }); // otherwise, any process can do this later
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
    let release: Awaited<ReturnType<Lock>>;
    for (let attempt = 0; attempt < MAX_LOCKS && !release; attempt++) {
      release = await this.#deps.lock(dirname(paths.chain), { wait: async () => undefined });
    }
    if (!release) return; // a later load writes it
    try {
      const { status, stored } = await this.#document.update(paths, over);
      if (status.kind === "current" && stored) this.#isSeen = true;
    } finally {
      await release();
    }
  }

  remove(): Promise<void> {
    return withStoreErrors(this.#path, "removed", async () => {
      const paths = await this.#resolvePaths();
      const { fs } = this.#deps;
      this.#cached = undefined;
      this.#isSeen = false;
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
