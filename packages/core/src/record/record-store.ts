import { StoreError, UnexpiredError } from "../errors.ts";
import { secretsOf } from "../tokens/token-set.ts";
import type { StoredValue, TokenSet, TokenStore } from "../types.ts";
import { blank, redact } from "../util/redact.ts";
import { parseRecord, type SessionRecord, serialiseRecord } from "./record.ts";

/** A record and the version under which it is stored. */
export interface Stored {
  readonly record: SessionRecord;
  readonly version: string;
}

/** A store that may notice that others write past it, as that of `fromKeyValue` does. */
interface ObservedStore extends TokenStore {
  readonly isShared?: boolean;
}

const SECRETS_KEPT = 12; // three for each token set: an error may be about the one before

/** A store of records over a store of strings, with every failure in our own terms. */
export class RecordStore {
  readonly #store: ObservedStore;
  readonly #accountOf: (tokens: TokenSet) => string | undefined;
  /** Of the records that went through here last: no error may show them. */
  #secrets: readonly string[] = [];
  /** What was parsed last: nearly every look finds the same string again. */
  #parsed: { readonly value: string; readonly record: SessionRecord } | undefined;

  #isShared = false;
  readonly #onShared: () => void;

  /** `onShared` is called once, where others write past the store, whose compare-and-set does not reach them. */
  constructor(store: TokenStore, accountOf: (tokens: TokenSet) => string | undefined, onShared = () => {}) {
    this.#store = store;
    this.#accountOf = accountOf;
    this.#onShared = onShared;
  }

  get place(): string {
    return this.#store.describe();
  }

  /** @throws StoreError */
  async load(): Promise<Stored | undefined> {
    const found = await this.#read();
    if (!this.#isShared && this.#store.isShared) {
      this.#isShared = true;
      this.#onShared();
    }
    if (!found) return undefined;
    if (this.#parsed?.value !== found.value) this.#parsed = { value: found.value, record: this.#parse(found.value) };
    return { record: this.#parsed.record, version: found.version };
  }

  /**
   * Saves over `expected`; `undefined` where somebody else saved first. A failed save may have worked all the same, so
   * it is followed by a look.
   *
   * @throws StoreError where the record is certainly not stored, or nobody can tell
   */
  async save(record: SessionRecord, expected: Stored | undefined): Promise<Stored | undefined> {
    const value = serialiseRecord(record);
    this.#remember(record);
    try {
      return { record, version: await this.#store.save(value, expected?.version) };
    } catch (error) {
      if (UnexpiredError.is(error) && error.code === "STORE_CONFLICT") return undefined;
      const failure = this.#toStoreError(error, "could not be written");
      const found = await this.#read().catch(() => Promise.reject(failure));
      if (found?.value === value) return { record, version: found.version };
      if (found?.version === expected?.version) throw failure;
      return undefined;
    }
  }

  #parse(value: string): SessionRecord {
    const record = parseRecord(value, this.place);
    this.#remember(record);
    return { ...record, account: record.account ?? (record.tokens && this.#accountOf(record.tokens)) };
  }

  #remember({ tokens }: SessionRecord): void {
    this.#secrets = [...new Set([...this.#secrets, ...secretsOf(tokens)])].slice(-SECRETS_KEPT);
  }

  async #read(): Promise<StoredValue | undefined> {
    try {
      return await this.#store.load();
    } catch (error) {
      throw this.#toStoreError(error, "could not be read");
    }
  }

  /** A store's own error is about its own place; what it wraps may hold the record. */
  #toStoreError(error: unknown, problem: string): StoreError {
    const secrets = this.#secrets;
    if (UnexpiredError.is(error) && (error.code === "STORE_UNREADABLE" || error.code === "STORE_UNAVAILABLE")) {
      const { code, place, cause } = error;
      const [told, advice] = [blank(error.problem, secrets), blank(error.advice, secrets)];
      return new StoreError(code, { place, problem: told, advice, cause: cause && redact(cause, secrets) });
    }
    const cause = redact(error, secrets);
    return new StoreError("STORE_UNAVAILABLE", {
      place: this.place,
      problem: `${problem} (${cause.message})`,
      advice: "Nothing was lost; see the cause, and try again.",
      cause,
    });
  }
}
