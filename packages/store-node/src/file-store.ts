import { reconcile, StoreConflictError, type StoredValue, StoreError, type TokenStore } from "@unexpired/core";
import { type FileSystem, makeDurableDirectory, nodeFileSystem, type Stamp, sameContent } from "./filesystem.ts";
import { Chain, type Draft, isAdoptedVersion, versionOf } from "./generations.ts";
import { type Holder, thisHolder } from "./holder.ts";
import { directoryLock, type Lock } from "./lock.ts";
import { type FileStoreOptions, type Place, placeOf, sessionPath } from "./paths.ts";
import { codeOf, explaining, unlessAbsent } from "./problems.ts";
import { type Reconcile, type Staged, stage, swap } from "./projection.ts";
import { Observer, type Sight } from "./sight.ts";
import { watchPath } from "./watch.ts";

/** What a store needs of the world around it. */
export interface Environment {
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
  return openFileStore(sessionPath(options), { fs: nodeFileSystem, lock: directoryLock, reconcile });
}

/** {@link fileStore} for an absolute path, in a world of the caller's. */
export const openFileStore = (path: string, world: Environment): TokenStore => new FileStore(path, world);

class FileStore implements TokenStore {
  readonly supports = { compareAndSet: "host", durable: true } as const;
  readonly holder?: Holder;
  // Private names: what is inspected or serialised must not show the session.
  readonly #path: string;
  readonly #fs: FileSystem;
  readonly #lock: Lock;
  readonly #observer: Observer;
  /** Never trusted without a look at its stamps. */
  #seen: Sight | undefined;
  /** Whether a save failed after it may have published: what is found then might not survive a power cut yet. */
  #isUnconfirmed = false;
  /** The session file when a load found it torn. */
  #torn: Stamp | undefined;
  /** The session file's directory when it last held a session. */
  #home: Stamp | undefined;

  constructor(path: string, { fs, lock, reconcile }: Environment) {
    this.#path = path;
    this.#fs = fs;
    this.#lock = lock;
    const holder = thisHolder();
    if (holder) this.holder = holder;
    this.#observer = new Observer(fs, reconcile);
  }

  describe(): string {
    return this.#path;
  }

  watch(onChange: () => void): () => void {
    return watchPath(this.#path, onChange);
  }

  load(): Promise<StoredValue | undefined> {
    return explaining(this.#path, "read", async () => {
      if (this.#isUnconfirmed) await this.#confirm();
      if (this.#seen && (await this.#observer.holds(this.#seen))) return this.#seen.stored;
      this.#seen = undefined;
      const place = await this.#place();
      const home = await this.#fs.stat(place.parent); // from before the look: what is found is there, or was in here
      const sight = await this.#repairUnlessBusy(await this.#observer.look(place));
      await this.#recogniseHome(sight, home);
      if (!sight.stale && sight.stored) this.#seen = sight;
      return sight.stored;
    });
  }

  save(value: string, expected: string | undefined): Promise<string> {
    return explaining(this.#path, "saved", async () => {
      const place = await this.#place();
      const check = async () => this.#require(await this.#current(place), expected); // a loser need not queue for the lock
      await check();
      await this.#prepare(place, expected);
      const release = await this.#lock(place.chain, { wait: check });
      try {
        return await this.#replace(place, value, expected);
      } catch (error) {
        this.#seen = undefined;
        this.#isUnconfirmed ||= !(error instanceof StoreConflictError);
        throw error;
      } finally {
        await release?.();
      }
    });
  }

  remove(): Promise<void> {
    return explaining(this.#path, "removed", async () => {
      const place = await this.#place();
      this.#seen = undefined;
      this.#home = undefined;
      if (!(await this.#fs.stat(place.parent))) return;
      // Without a chain an empty one is renamed, too: while the removed one is there nobody takes the session file for
      // another program's.
      await new Chain(this.#fs, place.chain).retire(place.removed, () => this.#discard(place));
      await this.#discard(place);
    });
  }

  /** Makes durable what a failed save may have published. Its caller loads to learn the outcome, and relies on it. */
  async #confirm(): Promise<void> {
    const { chain } = await this.#place();
    await unlessAbsent(this.#fs.syncDirectory(chain));
    this.#isUnconfirmed = false;
  }

  async #place(): Promise<Place> {
    return placeOf(await this.#fs.resolve(this.#path));
  }

  async #prepare(place: Place, expected: string | undefined): Promise<void> {
    // With a generation expected there is a chain: no need to ask and to sync every time.
    if (expected !== undefined && !isAdoptedVersion(expected)) return;
    await makeDurableDirectory(this.#fs, place.chain);
  }

  async #replace(place: Place, value: string, expected: string | undefined): Promise<string> {
    const chain = new Chain(this.#fs, place.chain);
    const before = await this.#current(place);
    this.#require(before, expected);
    const home = await this.#fs.stat(place.parent);
    const draft = await chain.draft(value, before);
    if (!draft) throw new StoreConflictError(this.#path);
    // A full disk must not keep a draft from being published that did find room.
    const staged = await stage(this.#fs, place, value).catch(() => undefined);
    try {
      // Compared only now that the draft is in the chain: had the chain been removed meanwhile, the draft would be gone
      // and could not be published over what came next.
      const sight = (await this.#observer.holds(before)) ? before : await this.#observer.look(place);
      this.#require(sight, expected);
      const isPublished = await chain.publish(draft);
      if (isPublished !== false) this.#home = home;
      if (!isPublished) throw new StoreConflictError(this.#path);
      await this.#finish(draft, staged, sight).catch(() => undefined);
      return versionOf(draft);
    } finally {
      await this.#drop(draft.temporary);
      if (staged) await this.#drop(staged.temporary);
    }
  }

  async #current(place: Place): Promise<Sight> {
    const seen = this.#seen;
    if (seen?.place.file === place.file && (await this.#observer.holds(seen))) return seen;
    const sight = await explaining(this.#path, "read", () => this.#observer.look(place));
    // Nothing is no sight to keep: whether the session ended, or its directory is gone, is for a load to tell.
    this.#seen = sight.stale || !sight.stored ? undefined : sight;
    return sight;
  }

  #require(sight: Sight, expected: string | undefined): void {
    if (sight.stored?.version !== expected) throw new StoreConflictError(this.#path);
  }

  /** The value is stored; what is left to do can also be done by anyone later. */
  async #finish(draft: Draft, staged: Staged | undefined, before: Sight): Promise<void> {
    const { place } = before;
    const stored = { value: draft.value, version: versionOf(draft) };
    const isAsJudged = sameContent(await this.#fs.stat(place.file), before.file);
    const file = staged && isAsJudged ? await swap(this.#fs, place, staged) : undefined;
    const after: Sight = { place, head: draft, stored, file, foreign: undefined, stale: false, torn: false };
    // Somebody may have published and written the session file before we wrote it.
    const isLast = file !== undefined && (await this.#observer.holds(after));
    const latest = isLast ? after : await this.#repair(await this.#observer.look(place));
    this.#seen = latest.stored && latest; // nothing is for a load to tell, as in #current
    await new Chain(this.#fs, place.chain).collect(draft);
    if (draft.number === 1) await this.#fs.removeDirectory(place.removed);
  }

  async #repairUnlessBusy(sight: Sight): Promise<Sight> {
    // Another program may be writing the file in place right now: what it has torn is left alone at first sight.
    const isConfirmed = !sight.torn || (this.#torn !== undefined && sameContent(this.#torn, sight.file));
    this.#torn = sight.torn ? sight.file : undefined;
    if (!sight.stale || !isConfirmed) return sight;
    const release = await this.#lock(sight.place.chain, { wait: undefined });
    if (!release) return sight; // the holder is about to write it
    try {
      return await this.#repair(await this.#observer.look(sight.place));
    } finally {
      await release();
    }
  }

  /** Writes the session file from the chain. Where that is not possible the chain is enough. */
  async #repair(sight: Sight): Promise<Sight> {
    let latest = sight;
    for (let attempt = 0; attempt < MAX_REPAIRS && latest.stale; attempt++) {
      if (!latest.head || !(await this.#rewrite(latest, latest.head.value))) break;
      latest = await this.#observer.look(latest.place);
    }
    return { ...latest, stale: false };
  }

  /** `false` where the session file cannot be written. */
  async #rewrite(sight: Sight, text: string): Promise<boolean> {
    const staged = await stage(this.#fs, sight.place, text).catch(() => undefined);
    if (!staged) return false;
    try {
      return !(await this.#observer.holds(sight)) || (await swap(this.#fs, sight.place, staged)) !== undefined;
    } finally {
      await this.#drop(staged.temporary);
    }
  }

  async #drop(temporary: string): Promise<void> {
    await this.#fs.unlink(temporary).catch(() => undefined);
  }

  /** Tells "there is no session" from "its directory is gone", as when a disk was unmounted. */
  async #recogniseHome({ place, stored }: Sight, home: Stamp | undefined): Promise<void> {
    if (stored) this.#home = home ?? this.#home;
    if (stored || !this.#home) return;
    const parent = home && (await this.#fs.stat(place.parent)); // there before the look, and after it
    if (parent && [home, parent].every(({ object }) => object === this.#home?.object)) return;
    throw new StoreError("STORE_UNAVAILABLE", {
      place: this.#path,
      problem: `is gone together with its directory, ${parent ? "which is another one now" : "which does not exist any more"}`,
      advice: "Bring the directory back, or restart the program to begin without a session.",
    });
  }

  async #discard(place: Place): Promise<void> {
    await this.#fs.unlink(place.file).catch(async (error: unknown) => {
      // A mounted file cannot be removed; an empty one is no session.
      if (codeOf(error) !== "EBUSY") throw error;
      await this.#fs.overwrite(place.file, "");
    });
    await this.#fs.removeDirectory(place.removed);
    await this.#fs.syncDirectory(place.parent);
  }
}
