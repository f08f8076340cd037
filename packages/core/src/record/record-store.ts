import { ConfigurationError, StoreError, UnexpiredError } from "../errors.ts";
import { secretsOf } from "../tokens/token-set.ts";
import type { Clock, StoredValue, StoreEvent, TokenSet, TokenStore } from "../types.ts";
import { withDeadline } from "../util/deadline.ts";
import { isHarmless, maskSecrets, redact } from "../util/redact.ts";
import {
  MAX_OWN_SPENT,
  parseRecord,
  type SessionRecord,
  secretsOfClient,
  serializeRecord,
  tryParseRecord,
} from "./record.ts";
import { extendPast, hasReplaced, restorationOf } from "./rollback.ts";
import { locationOf } from "./store-location.ts";

/** A stored record and its version. */
export interface Stored {
  readonly record: SessionRecord;
  readonly version: string;
}

/** A version that a save can replace, and its record unless that is unreadable. */
export interface Replaceable {
  readonly record: SessionRecord | undefined;
  readonly version: string;
}

/** A record that was saved. */
export interface Saved extends Stored {
  /** The stored record when the save was confirmed: another one if the saved one had been replaced by then. */
  readonly current: SessionRecord | undefined;
}

/** A store that may detect writes that bypass it, such as a store made by `fromKeyValue`. */
interface ObservedStore extends TokenStore {
  readonly isShared?: boolean;
}

/** In milliseconds. Nothing waits for ever for a store that has stopped responding. */
const DEADLINE = 30_000;
const SETTLING = { milliseconds: 10_000, message: "", keepAlive: false }; // likewise for the end of a failover
const MAX_CONFLICTS = 100;

interface RecordStoreDeps {
  readonly accountOf: (tokens: TokenSet) => string | undefined;
  readonly clock: Clock;
}

/** Is told what a store reports. */
interface RecordStoreHost {
  /**
   * Called with the events of the store, which contain no known secret; once with `store-shared` if other writers bypass it,
   * because its compare-and-set does not cover them; and with `session-restored` after a record that the store had lost was
   * saved again.
   */
  announce(event: StoreEvent | { readonly type: "store-shared" | "session-restored"; readonly location: string }): void;
}

/** Stores records in a store of strings, and turns every failure into a `StoreError`, or a `ConfigurationError`. */
export class RecordStore {
  readonly #store: ObservedStore;
  readonly #deps: RecordStoreDeps;
  readonly #host: RecordStoreHost | undefined;
  /** The secrets of the latest records, which must not appear in any error. */
  #secrets: readonly string[] = [];
  /** The record that was parsed or saved last, because nearly every load returns it. The string would take as much memory again. */
  #known: Stored | undefined;
  /** The version that was last loaded or saved. */
  #version: string | undefined;
  /** The newest stored record that is known. */
  #latest: Stored | undefined;
  /** How many saves in a row were conflicts although that version had not changed. */
  #conflicts = 0;
  /** The number of loads and saves that have ended. Of two that overlap, the one that ends later may be the older one. */
  #ended = 0;
  #isShared = false;
  #unsubscribe: (() => void) | undefined;

  constructor(store: TokenStore, deps: RecordStoreDeps, host?: RecordStoreHost) {
    this.#store = store;
    this.#deps = deps;
    this.#host = host;
  }

  get location(): string {
    return locationOf(this.#store);
  }

  /** Stops listening to the store. */
  close(): void {
    try {
      this.#unsubscribe?.();
    } catch {
      // the manager is closed, whatever the store says
    }
  }

  /**
   * Waits until other processes have had time to restore what a failover may have undone, if the store says how long that
   * takes. Never rejects.
   */
  async settle(): Promise<void> {
    const wait = async () => this.#store.settled?.();
    if (this.#store.settled) await withDeadline(wait, this.#deps.clock, SETTLING).catch(() => {});
  }

  /**
   * Loads. If a failover of the store has undone what this process knows, saves that again first.
   *
   * @throws StoreError
   */
  async load(): Promise<Stored | undefined> {
    const stored = await this.#load();
    const restored = stored && this.#isCluster && restorationOf(stored, this.#latest);
    if (!restored) {
      this.#latest = stored;
      return stored;
    }
    if (await this.#save(restored, stored)) this.#host?.announce({ type: "session-restored", location: this.location });
    return this.load();
  }

  get #isCluster(): boolean {
    return this.#store.supports.compareAndSet === "cluster";
  }

  async #load(): Promise<Stored | undefined> {
    const before = this.#ended;
    const found = await this.#read();
    if (before !== this.#ended) {
      this.#learnFrom(found);
      return this.#load();
    }
    this.#ended++;
    if (!this.#isShared && this.#store.isShared) {
      this.#isShared = true;
      this.#host?.announce({ type: "store-shared", location: this.location });
    }
    if (this.#version !== found?.version) this.#conflicts = 0;
    this.#version = found?.version;
    if (this.#known?.version !== found?.version)
      this.#known = found && { version: found.version, record: this.#parse(found) };
    this.#version = this.#known?.version; // the same string, for less memory
    return this.#known;
  }

  /**
   * Loads what a commit, a sign-in or a sign-out is about to replace. Unreadable data is not in their way if it only hides
   * the stored record.
   *
   * @throws StoreError
   */
  async loadReplaceable(): Promise<Stored | undefined> {
    const loaded = await this.#loadOrHidden();
    if (!("hidden" in loaded)) return loaded.stored;
    const { hidden, error } = loaded;
    if (!hidden) throw error;
    return hidden;
  }

  /**
   * Like {@link loadReplaceable}, but unreadable data that a save can replace is not in the way either.
   *
   * @throws StoreError
   */
  async loadOverwritable(): Promise<Replaceable | undefined> {
    const loaded = await this.#loadOrHidden();
    if (!("hidden" in loaded)) return loaded.stored;
    const { hidden, error } = loaded;
    const version = error.overwriteVersion ?? error.version;
    if (version === undefined) throw notOverwritable(error);
    return { record: hidden?.record, version };
  }

  /** Loads. If the stored data is unreadable, returns the error, and the record that the data hides. */
  async #loadOrHidden(): Promise<
    { readonly stored: Stored | undefined } | { readonly error: StoreError; readonly hidden: Stored | undefined }
  > {
    try {
      return { stored: await this.load() };
    } catch (error) {
      if (!UnexpiredError.is(error) || error.code !== "STORE_UNREADABLE") throw error;
      const { version, stored } = error;
      const hidden = version !== undefined && stored && { version, value: stored() };
      return { error, hidden: hidden ? { record: this.#parse(hidden), version: hidden.version } : undefined };
    }
  }

  /** Returns whether another record has been loaded or saved since this one was. */
  isReplaced(stored: Stored | undefined): boolean {
    return stored?.version !== this.#version;
  }

  /**
   * Saves over `expected`. Resolves to `undefined` if another process saved first, and to `null` if the record may have
   * been stored, and was replaced. Loads again after a failed save, which may have taken effect.
   *
   * @throws StoreError if the record is certainly not stored, or it cannot be determined what is stored now
   */
  async save(given: SessionRecord, expected: Replaceable | undefined): Promise<Saved | undefined | null> {
    // A failover may have brought back a version that is known to be replaced.
    return expected && hasReplaced(this.#latest, expected) ? undefined : this.#save(given, expected);
  }

  async #save(given: SessionRecord, expected: Replaceable | undefined): Promise<Saved | undefined | null> {
    const before = this.#ended;
    const { foreignDocuments = given.primary !== undefined } = this.#store.supports; // other programs may know of some
    const spent = foreignDocuments ? given.spent : given.spent.slice(-MAX_OWN_SPENT);
    const past = this.#isCluster ? { past: extendPast(given, expected) } : {};
    const record = this.#complete({ ...given, spent, ...past });
    const version = await this.#write(serializeRecord(record), expected?.version);
    if (typeof version !== "string") return version;
    this.#version = version;
    const saved = { record, version };
    this.#known = saved;
    const isOvertaken = before !== this.#ended; // perhaps by a load that found what has replaced the record
    this.#ended++;
    if (isOvertaken && this.#latest?.version !== version) this.#learn(saved);
    else this.#latest = saved;
    const found = isOvertaken ? await this.load() : saved;
    return { ...saved, current: found?.version === version ? record : found?.record };
  }

  /** Takes note of a record that was not loaded or saved last, but may be newer. */
  #learn(stored: Stored): void {
    if (!this.#latest || hasReplaced(stored, this.#latest)) this.#latest = stored;
  }

  /** Likewise for what was read for another reason. */
  #learnFrom(found: StoredValue | undefined): void {
    const record = found && tryParseRecord(found.value);
    if (record) this.#learn({ record, version: found.version });
  }

  /** Returns the version of the saved string. See {@link save}. */
  async #write(value: string, expected: string | undefined): Promise<string | undefined | null> {
    try {
      return await this.#inTime(() => this.#store.save(value, expected));
    } catch (error) {
      if (UnexpiredError.is(error) && error.code === "STORE_CONFLICT") return this.#countConflict();
      const failure = this.#toStoreError(error, "could not be written");
      const found = await this.#read().catch(() => Promise.reject(failure));
      // an equal claim is ours: no other process draws its random ID
      if (found?.value === value) return found.version;
      if (found?.version === expected) throw failure;
      this.#learnFrom(found);
      return null;
    }
  }

  #countConflict(): undefined {
    this.#conflicts++;
    if (this.#conflicts < MAX_CONFLICTS) return;
    this.#conflicts = 0;
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.location,
      problem: `rejected ${MAX_CONFLICTS} saves as conflicts, although nothing else was saved`,
      hint: "Check that the store compares versions, and that it can be written.",
    });
  }

  /** Listens to the store from its first use on, unless that fails: no event is worth more than the session. */
  #subscribe(): void {
    if (this.#unsubscribe || !this.#store.subscribe) return;
    this.#unsubscribe = () => {};
    try {
      this.#unsubscribe = this.#store.subscribe((event) => this.#report(event)) ?? this.#unsubscribe;
    } catch {
      // its events are lost
    }
  }

  #report(event: StoreEvent): void {
    const mask = (value: unknown) => (typeof value === "string" ? maskSecrets(value, this.#secrets) : value);
    const members = Object.entries(event).map(([key, value]) => [key, mask(value)]);
    this.#host?.announce(Object.fromEntries(members) as StoreEvent);
  }

  #inTime<T>(run: () => Promise<T>): Promise<T> {
    this.#subscribe();
    const message = `no response within ${DEADLINE} ms`;
    return withDeadline(run, this.#deps.clock, { milliseconds: DEADLINE, message, keepAlive: false });
  }

  #parse({ value, version }: StoredValue): SessionRecord {
    return this.#complete(parseRecord(value, this.location, version));
  }

  #complete(record: SessionRecord): SessionRecord {
    this.#rememberSecrets(record);
    return { ...record, account: record.account ?? (record.tokens && this.#deps.accountOf(record.tokens)) };
  }

  /** Keeps as many earlier secrets as there are now, because an error may concern those before; if there are none, all. */
  #rememberSecrets({ tokens, client }: SessionRecord): void {
    const current = [...secretsOf(tokens), ...secretsOfClient(client)];
    const isEarlier = (secret: string) => !current.includes(secret);
    this.#secrets = this.#secrets.filter(isEarlier).slice(-current.length).concat(current);
  }

  async #read(): Promise<StoredValue | undefined> {
    try {
      return await this.#inTime(() => this.#store.load());
    } catch (error) {
      throw this.#toStoreError(error, "could not be read");
    }
  }

  /**
   * Redacts an error of the store. A `StoreError` keeps its location, and what its author added if that cannot be a
   * token; its other parts and its cause may hold secrets.
   */
  #toStoreError(error: unknown, problem: string): StoreError | ConfigurationError {
    const secrets = this.#secrets;
    if (UnexpiredError.is(error) && error.code === "CONFIGURATION")
      return new ConfigurationError(maskSecrets(error.message, secrets));
    if (UnexpiredError.is(error) && (error.code === "STORE_UNREADABLE" || error.code === "STORE_UNAVAILABLE")) {
      const { code, location, version, overwriteVersion, stored, cause } = error;
      const [problemText, hint] = [maskSecrets(error.problem, secrets), maskSecrets(error.hint, secrets)];
      const copy = new StoreError(code, {
        location,
        problem: problemText,
        hint,
        version,
        overwriteVersion,
        stored,
        cause: cause && redact(cause, secrets),
      });
      const added = Object.entries(error).filter(([key, value]) => !(key in copy) && isHarmless(value, secrets));
      return Object.assign(copy, Object.fromEntries(added));
    }
    const cause = redact(error, secrets);
    return new StoreError("STORE_UNAVAILABLE", {
      location: this.location,
      problem: `${problem} (${cause.message})`,
      hint: "Check that the store is reachable, and try again.",
      cause,
    });
  }
}

const notOverwritable = ({ code, location, problem, hint, cause }: StoreError): StoreError =>
  new StoreError(code, { location, problem, hint: `${hint} It cannot be replaced by { over: "unreadable" }.`, cause });
