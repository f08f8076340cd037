import {
  ConfigurationError,
  type KeyValueStore,
  StoreConflictError,
  type StoredValue,
  StoreError,
  type StoreEvent,
  type TokenStore,
  UnexpiredError,
} from "@unexpired/core";
import { primaryOf, recordKindOf, withoutPrimary, withPrimary } from "@unexpired/core/session-record";
import { codeOf } from "../fs-errors.ts";
import { nodeClock, type StoreClock, withLimit } from "../timers.ts";
import { adoptionOf, type Seen } from "./adoption.ts";
import { Mirror } from "./mirror.ts";
import type { MirroredDocument } from "./mirrored-document.ts";

/** How long a save or load waits for the documents to be written, in milliseconds. */
const WRITE_LIMIT = 1_000;
/** How long another process that has just saved may take to write the documents before this one does it, in milliseconds. */
const HEAD_START = 250;
const TORN_INTERVAL = 50;
const MAX_LOOKS = 100;

/**
 * Creates a store that also shows its session in documents of other programs, and adopts a newer one from there. All of it
 * is kept in `primary`: versions, claims, verdicts. The documents hold nothing but copies.
 *
 * Every `load` and `save` first looks at all documents. A session of the same account that another program put into one of
 * them is saved to the primary before it is used. A save resolves once the primary holds the value; the documents are
 * written next, for which it waits at most a second. What fails is reported by the event `document-failed` and tried again,
 * here and by the next process that loads. A document that is read-only, unparsable, or holds the session of another account
 * is left alone; one from which another program has removed the session is left alone until it holds a session again; one
 * that is missing is created only if it has held the session.
 *
 * All programs that list a document must have the same primary: `load` throws a `ConfigurationError` if a document shows the
 * session of another store, which includes the documents of `fileStore({ path, format })`. Other errors are those of the
 * primary.
 *
 * @throws TypeError if an argument is invalid
 */
export function mirroredStore(primary: TokenStore, documents: readonly MirroredDocument[]): TokenStore {
  check(primary, documents);
  return openMirroredStore(primary, documents, nodeClock);
}

/** Creates a {@link mirroredStore} with the given clock. */
export const openMirroredStore = (
  primary: TokenStore,
  documents: readonly MirroredDocument[],
  clock: StoreClock,
): TokenStore => new MirroredStore(primary, documents, clock);

class MirroredStore implements TokenStore {
  readonly supports: TokenStore["supports"];
  readonly holder?: NonNullable<TokenStore["holder"]>;
  readonly watch?: NonNullable<TokenStore["watch"]>;
  readonly settled?: NonNullable<TokenStore["settled"]>;
  // Private names, so that inspecting or serializing the store does not show the session.
  readonly #primary: TokenStore;
  readonly #mirrors: readonly Mirror[];
  readonly #clock: StoreClock;
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  /** The version that this store has last loaded or saved. */
  #version: string | undefined;

  constructor(primary: TokenStore, documents: readonly MirroredDocument[], clock: StoreClock) {
    this.#primary = primary;
    this.#clock = clock;
    const report = (event: StoreEvent) => {
      for (const listener of [...this.#listeners]) call(listener, event);
    };
    const load = () => primary.load();
    this.#mirrors = documents.map((document) => new Mirror(document, { clock, load, report }));
    this.supports = { ...primary.supports, foreignDocuments: true };
    if (primary.holder) this.holder = primary.holder;
    if (primary.settled) this.settled = async () => primary.settled?.();
    // If changes of the primary have to be polled for, those of the documents are found in the same way.
    if (primary.watch) this.watch = (onChange) => this.#watch(onChange);
  }

  describe(): string {
    return this.#primary.describe();
  }

  /** Passes on what a store of `fromKeyValue` reports. */
  get isShared(): boolean {
    return (this.#primary as Partial<KeyValueStore>).isShared === true;
  }

  #watch(onChange: () => void): () => void {
    const stops = [this.#primary.watch?.(onChange)];
    for (const { document } of this.#mirrors) stops.push(document.watch?.(onChange));
    return () => {
      for (const stop of stops) stop?.();
    };
  }

  subscribe(listener: (event: StoreEvent) => void): () => void {
    const added = (event: StoreEvent) => listener(event);
    this.#listeners.add(added);
    const stop = this.#primary.subscribe?.(listener);
    const stops = this.#mirrors.map(({ document }) => document.subscribe?.((event) => call(added, event)));
    for (const { problem } of this.#mirrors) if (problem) listener(problem); // it is not reported again
    return () => {
      this.#listeners.delete(added);
      for (const end of [stop, ...stops]) end?.();
    };
  }

  async load(): Promise<StoredValue | undefined> {
    for (let look = 0; look < MAX_LOOKS; look++) {
      const stored = await this.#primary.load();
      const isIncomprehensible = stored && recordKindOf(stored.value) !== "record";
      if (isIncomprehensible) return stored; // the caller reports it
      const seen = await this.#look(stored?.value);
      if (await this.#isSettled(stored, seen)) return stored && { ...stored, value: withoutPrimary(stored.value) };
    }
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.describe(),
      problem: "or one of its documents changes too often to be read",
      hint: "Try again.",
    });
  }

  /** Brings the primary and the documents together. Returns whether `stored` can be used; otherwise, it is out of date. */
  async #isSettled(stored: StoredValue | undefined, seen: readonly Seen[]): Promise<boolean> {
    const id = stored && primaryOf(stored.value);
    for (const { mirror, look } of seen) if (look.primary !== undefined && look.primary !== id) this.#refuse(mirror);
    if ((await this.#adopt(stored, seen)) || !(await this.#areClaimed(stored, seen))) return false;
    if (seen.some(({ mirror }) => mirror.isTorn)) {
      await new Promise<void>((resolve) => this.#clock.setTimer(resolve, TORN_INTERVAL, true));
      return false;
    }
    if (stored) await this.#repair(stored.version, seen);
    return true;
  }

  /** Writes the documents that a process has not written. If it has only just saved, it may be about to. */
  async #repair(version: string, seen: readonly Seen[]): Promise<void> {
    const due = seen.filter(({ mirror }) => mirror.isDue);
    const isJustSaved = this.#version !== undefined && this.#version !== version;
    this.#version = version;
    if (!isJustSaved) {
      await this.#write(due);
      return;
    }
    for (const { mirror, look } of due) if (look.status.kind === "stale") mirror.updateLater(HEAD_START);
  }

  /** Names the primary in all documents. Returns `false` if the primary has only just got a name. */
  async #areClaimed(stored: StoredValue | undefined, seen: readonly Seen[]): Promise<boolean> {
    const unclaimed = seen.filter(isUnclaimed);
    if (!stored || unclaimed.length === 0) return true;
    const id = primaryOf(stored.value);
    if (id === undefined) {
      await this.#saveToPrimary(withPrimary(stored.value, this.#clock.randomId()), stored.version);
      return false;
    }
    const lost = await this.#claim(unclaimed, id);
    if (lost) this.#refuse(lost);
    return true;
  }

  async #look(value: string | undefined): Promise<readonly Seen[]> {
    return Promise.all(this.#mirrors.map(async (mirror) => ({ mirror, look: await mirror.look(value) })));
  }

  #refuse({ document }: Mirror): never {
    const notes = document.notes?.describe() ?? "what it was noted in";
    throw new ConfigurationError(
      `${document.describe()} shows the session of another store than ${this.describe()}. Name the same primary in all programs that list this document. If the other store no longer exists, delete ${notes}.`,
    );
  }

  /**
   * Names the primary in documents that name none. Returns the first that another process has named another one in. In the
   * order of their names: of two stores that begin at the same moment, one gets all documents.
   */
  async #claim(unclaimed: readonly Seen[], id: string): Promise<Mirror | undefined> {
    const mirrors = unclaimed.map(({ mirror }) => mirror);
    for (const mirror of mirrors.toSorted((a, b) => (a.document.describe() < b.document.describe() ? -1 : 1))) {
      const noted = await mirror.claim(id).catch(() => id); // it cannot be written either, which is reported then
      if (noted !== id) return mirror;
    }
    return undefined;
  }

  /** Saves the session that another program put into a document, if there is one. Returns whether to load again. */
  async #adopt(stored: StoredValue | undefined, seen: readonly Seen[]): Promise<boolean> {
    const { value, known } = adoptionOf(stored?.value, seen);
    if (value === undefined || value === stored?.value) return false;
    const id = (stored && primaryOf(stored.value)) ?? this.#clock.randomId();
    if (await this.#saveToPrimary(withPrimary(value, id), stored?.version))
      for (const { mirror, look } of known) if (look.copy) await mirror.note(look.copy.mark);
    return true;
  }

  /** Returns `false` if another process saved first. */
  async #saveToPrimary(value: string, expected: string | undefined): Promise<boolean> {
    return this.#primary.save(value, expected).then(
      (version) => {
        this.#version = version;
        return true;
      },
      (error: unknown) => {
        if (codeOf(error) !== "STORE_CONFLICT") throw error;
        return false;
      },
    );
  }

  async save(value: string, expected: string | undefined): Promise<string> {
    const stored = await this.#loadReplaceable(expected);
    const seen = await this.#look(stored?.value).catch(() => []); // the next load reports it; what was received is saved
    const id = this.#idOf(stored, seen);
    const ours = seen.filter(({ look }) => look.primary === undefined || look.primary === id);
    if (await this.#adopt(stored, ours)) throw new StoreConflictError(this.describe());
    const named = withPrimary(value, id ?? this.#clock.randomId());
    const version = await this.#primary.save(named, expected);
    this.#version = version;
    await this.#show(named).catch(() => undefined); // the next load reports it
    return version;
  }

  async #show(value: string): Promise<void> {
    const [id, seen] = [primaryOf(value), await this.#look(value)];
    const isLost = id !== undefined && (await this.#claim(seen.filter(isUnclaimed), id));
    if (!isLost) await this.#write(seen);
  }

  /**
   * Loads what a save over the version `expected` replaces. Unreadable data is not in its way, and
   * may hide a record, which is then the one to replace.
   */
  async #loadReplaceable(expected?: string): Promise<StoredValue | undefined> {
    try {
      return await this.#primary.load();
    } catch (error) {
      if (!UnexpiredError.is(error) || error.code !== "STORE_UNREADABLE") throw error;
      const version = error.overwriteVersion === expected ? expected : (error.version ?? error.overwriteVersion);
      if (version === undefined) throw error;
      return { value: error.stored?.() ?? "", version };
    }
  }

  /** Returns the ID of a stored record. If that cannot be read, the documents still name it. */
  #idOf(stored: StoredValue | undefined, seen: readonly Seen[]): string | undefined {
    if (!stored || recordKindOf(stored.value)) return stored && primaryOf(stored.value);
    return seen.find(({ look }) => look.primary !== undefined)?.look.primary;
  }

  /** Writes the session into the documents that do not show it. */
  async #write(seen: readonly Seen[]): Promise<void> {
    const stale = seen.filter(({ look }) => look.status.kind === "stale");
    if (stale.length === 0) return;
    const writing = Promise.all(stale.map(({ mirror }) => mirror.update()));
    await withLimit<unknown>(writing, { milliseconds: WRITE_LIMIT, clock: this.#clock }, () => undefined);
  }

  async remove(): Promise<void> {
    const stored = await this.#loadReplaceable();
    const seen = await this.#look(stored?.value);
    const id = this.#idOf(stored, seen);
    const ours = seen.filter(({ look }) => look.primary === id).map(({ mirror }) => mirror);
    await Promise.all(ours.map((mirror) => mirror.clear(stored?.value)));
    await this.#primary.remove();
    await Promise.all(ours.map((mirror) => mirror.clear(stored?.value))); // another process may have written it once more
    await Promise.all(ours.map((mirror) => mirror.removeNotes()));
  }
}

function call(listener: (event: StoreEvent) => void, event: StoreEvent): void {
  try {
    listener(event);
  } catch {
    // what a listener does is no concern of the documents
  }
}

const isUnclaimed = ({ mirror, look }: Seen): boolean =>
  mirror.document.notes?.claim !== undefined &&
  look.primary === undefined &&
  look.found.text !== undefined &&
  !["failed", "torn", "other-account"].includes(look.status.kind);

function check(primary: TokenStore, documents: readonly MirroredDocument[]): void {
  const isStore = typeof Object(primary).load === "function" && typeof Object(primary).save === "function";
  if (!isStore)
    throw new TypeError("mirroredStore: the first argument must be a TokenStore, such as fileStore({ appName }).");
  const isDocument = (document: unknown) =>
    typeof Object(document).read === "function" && typeof Object(document).replace === "function";
  if (!Array.isArray(documents) || !documents.every(isDocument)) {
    throw new TypeError(
      "mirroredStore: the second argument must be an array of documents, such as [fileDocument({ path, format })].",
    );
  }
}
