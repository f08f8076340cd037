import { dirname } from "node:path";
import { type SessionFormat, StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import { signedOutRecord } from "@unexpired/core/session-record";
import { type FileSystem, makeDurableDirectory } from "../filesystem.ts";
import { codeOf, ignoreNotFound, mountedError, withStoreErrors } from "../fs-errors.ts";
import { Chain, isAdoptedVersion, versionOf } from "../generations.ts";
import { ignoreInGit } from "../git-ignore.ts";
import type { Lock } from "../lock.ts";
import { resolvePaths, type SessionPaths } from "../paths.ts";
import { currentProcess, type ProcessIdentity } from "../process-identity.ts";
import { SessionDirectory } from "../session-directory.ts";
import { later, monotonic, pause } from "../timers.ts";
import { watchPath } from "../watch.ts";
import { type DocumentSnapshot, isMarked, SessionDocument } from "./document.ts";
import { DocumentPrinter } from "./document-printer.ts";
import { chainNameOf } from "./entry.ts";
import { PassingState } from "./passing-state.ts";
import { assertVersion, emptiedVersion } from "./versions.ts";

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
  readonly watch: typeof watchPath;
  /** A time in milliseconds that never jumps. */
  readonly monotonic: () => number;
}

/** How long an entry holds no session, in milliseconds, before that counts as a sign-out: it may be rewritten in steps. */
const SIGNED_OUT_AFTER = 1_000;
/** How long a document may be unreadable, in milliseconds, because another program is writing it. */
const TORN_FOR = 2_000;
const TORN_INTERVAL = 50;
const MAX_LOOKS = 100;

/** Creates a store for an absolute path, with the given dependencies. */
export const openDocumentStore = (
  path: string,
  deps: Pick<DocumentStoreDeps, "fs" | "lock" | "format"> & Partial<DocumentStoreDeps>,
): TokenStore => new DocumentStore(path, { pause, later, watch: watchPath, monotonic, ...deps });

/** Keeps a session in a document of another program. The chain beside it holds the truth, as in a file store. */
class DocumentStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: true } as const;
  readonly holder?: ProcessIdentity;
  readonly #path: string;
  readonly #deps: DocumentStoreDeps;
  readonly #document: SessionDocument;
  readonly #printer: DocumentPrinter;
  readonly #directory: SessionDirectory;
  readonly #listeners = new Set<() => void>();
  /** The last snapshot that needs nothing to be done. Its stamps are checked before each use. */
  #cached: DocumentSnapshot | undefined;
  readonly #passing: PassingState;
  /** Whether a failed save may have published its value, which then might not survive a power failure yet. */
  #isUnconfirmed = false;
  /** Whether this process has found the session in the document. */
  #isSeen = false;

  constructor(path: string, deps: DocumentStoreDeps) {
    this.#path = path;
    this.#deps = deps;
    this.#document = new SessionDocument(deps.fs, deps.format);
    this.#printer = new DocumentPrinter(this.#document, deps.lock);
    this.#directory = new SessionDirectory(deps.fs, path);
    this.#passing = new PassingState(deps.monotonic);
    const holder = currentProcess();
    if (holder) this.holder = holder;
  }

  describe(): string {
    return this.#path;
  }

  watch(onChange: () => void): () => void {
    const { stateDirectory, format } = this.#deps;
    const listener = () => onChange();
    this.#listeners.add(listener);
    const stop = this.#deps.watch(this.#path, listener, { stateDirectory, entry: chainNameOf(format) });
    return () => {
      this.#listeners.delete(listener);
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
    const { status, paths } = snapshot;
    const elapsed = this.#elapsed(snapshot);
    switch (status.kind) {
      case "current":
        await this.#onCurrent(snapshot);
        return true;
      case "stale":
        await this.#print(paths).catch(() => undefined); // the chain alone holds the session
        return true;
      case "foreign":
        return !(await this.#publish(snapshot, status.value));
      case "emptied":
        if (elapsed < SIGNED_OUT_AFTER) return this.#wait(SIGNED_OUT_AFTER - elapsed);
        return !((await this.#printer.finish(paths)) || (await this.#signOut(snapshot)));
      case "blank":
        if (elapsed >= SIGNED_OUT_AFTER) return !(await this.#printer.fill(paths).catch(() => false));
        this.#lookAgain(SIGNED_OUT_AFTER - elapsed);
        return true;
      case "torn":
        await this.#onTorn(snapshot, elapsed);
        return false;
    }
  }

  async #onCurrent(snapshot: DocumentSnapshot): Promise<void> {
    if (!snapshot.stored) return; // not cached: generations that this process has never seen may be collected by then
    this.#isSeen = true;
    this.#cached = snapshot;
    if (!isMarked(snapshot)) await this.#print(snapshot.paths).catch(() => undefined); // its writer died before it had
  }

  async #onTorn(snapshot: DocumentSnapshot, elapsed: number): Promise<void> {
    if (elapsed < TORN_FOR) await this.#deps.pause(TORN_INTERVAL);
    else if (!(await this.#printer.finish(snapshot.paths))) throw unreadableError(this.#path, snapshot);
  }

  /** Returns for how many milliseconds this process has found the document in a state that may pass. */
  #elapsed({ status: { kind }, stored, stamp }: DocumentSnapshot): number {
    if (["emptied", "blank", "torn"].includes(kind)) {
      return this.#passing.elapsed({ kind, stamp, version: stored?.version });
    }
    this.#passing.end();
    return 0;
  }

  /** Looks again later if a listener can be told; otherwise waits. Returns whether the session is used until then. */
  async #wait(milliseconds: number): Promise<boolean> {
    const isUsed = this.#isSeen && this.#listeners.size > 0;
    if (isUsed) this.#lookAgain(milliseconds);
    else await this.#deps.pause(milliseconds);
    return isUsed;
  }

  #lookAgain(milliseconds: number): void {
    this.#deps.later(() => {
      for (const listener of this.#listeners) listener();
    }, milliseconds);
  }

  /** Publishes a session of another program before it is used. Returns `false` if it cannot be written. */
  async #publish({ stored, paths }: DocumentSnapshot, value: string): Promise<boolean> {
    this.#isSeen = true;
    await this.#document.noteFound(paths, value).catch(() => undefined); // the other program may sign out at once
    return this.save(value, stored?.version).then(
      () => true,
      (error: unknown) => codeOf(error) === "STORE_CONFLICT",
    );
  }

  async #signOut(snapshot: DocumentSnapshot): Promise<boolean> {
    const { head } = snapshot;
    if (!head) return false;
    const value = signedOutRecord(head.value, this.#deps.fs.now());
    await this.save(value, emptiedVersion(snapshot)).catch((error: unknown) => {
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
    const parentStamp = await this.#deps.fs.stat(paths.parent);
    const draft = await chain.draft(value, before);
    if (!draft) throw new StoreConflictError(this.#path);
    try {
      assertVersion(await this.#document.read(paths), expected, this.#path);
      const isPublished = await chain.publish(draft);
      if (isPublished !== false) this.#directory.remember(parentStamp);
      if (!isPublished) throw new StoreConflictError(this.#path);
      if (draft.number === 1) await makeDurableDirectory(this.#deps.fs, paths.chain);
      await this.#print(paths)
        .then(() => chain.collect(draft))
        .catch(() => undefined); // any process can do this later
      return versionOf(draft);
    } finally {
      await this.#deps.fs.unlink(draft.temporaryPath).catch(() => undefined);
    }
  }

  /** Makes durable what a failed save may have published: its caller loads to learn the outcome, and relies on it. */
  async #syncUnconfirmed(): Promise<void> {
    const { chain } = await this.#resolvePaths();
    await ignoreNotFound(this.#deps.fs.syncDirectory(chain));
    this.#isUnconfirmed = false;
  }

  /** Writes the session into the document. */
  async #print(paths: SessionPaths): Promise<void> {
    const { status, stored } = (await this.#printer.print(paths)) ?? {};
    if (status?.kind === "current" && stored) this.#isSeen = true;
    if (status?.kind === "blank") this.#lookAgain(SIGNED_OUT_AFTER);
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

  #resolvePaths(): Promise<SessionPaths> {
    const { fs, format, stateDirectory } = this.#deps;
    return resolvePaths(fs, this.#path, { stateDirectory, entry: chainNameOf(format) });
  }
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
