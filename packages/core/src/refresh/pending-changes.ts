import { StoreError, UnexpiredError } from "../errors.ts";
import { keyOf, type SessionRecord } from "../record/record.ts";
import type { Saved, Stored } from "../record/record-store.ts";
import type { TokenSet } from "../types.ts";
import { withDeadline } from "../util/deadline.ts";
import { HOLD } from "./attempt-tracker.ts";
import { deadlineOf } from "./exchange.ts";
import type { RecordSource, RefreshDeps, RefreshHost } from "./renewal.ts";
import { dropReason, isAlreadyStored, isEarlier, type Rotation, recordAfter } from "./rotation.ts";

const RETRY_INTERVAL = 1_000;
const ENDINGS_KEPT = 16;

/** How an attempt ended. */
export interface Ending {
  /** Applies it to the record that holds the attempt. For a claim that was not used, restores the attempt before it. */
  readonly apply: (record: SessionRecord) => SessionRecord;
  /** The reason of a failure. */
  readonly error?: Error;
}

interface PendingEnding extends Ending {
  /** The monotonic time until which it is saved again and again; `undefined` if it needs no saving. */
  retryUntil?: number | undefined;
}

interface PendingRotation extends Rotation {
  /** The monotonic time until which it keeps the process alive and `close()` waiting. */
  readonly until: number;
  /** The monotonic time until which it is saved again and again after `close()`. */
  readonly retryUntil?: number;
  isReported: boolean;
}

type ChangesDeps = Pick<RefreshDeps, "records" | "refresh" | "clock">;
type ChangesHost = Pick<RefreshHost, "session" | "observe" | "announce">;

/**
 * The changes that this process knows and the store does not hold yet: the tokens of an exchange, and how attempts
 * have ended. Every load takes them into account; only `commit`, `end` and `flush` write them. Every sign-in and sign-out
 * discards them.
 */
export class PendingChanges {
  readonly #deps: ChangesDeps;
  readonly #host: ChangesHost;
  #rotation: PendingRotation | undefined;
  /** By the key of the attempt. */
  readonly #endings = new Map<string, PendingEnding>();
  #failure: unknown;
  #cancelRetry: (() => void) | undefined;
  #cancelPause: (() => void) | undefined;

  constructor(deps: ChangesDeps, host: ChangesHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /** @throws StoreError */
  async load(): Promise<Stored | undefined> {
    const stored = await this.#deps.records.load();
    return stored && this.#applyTo(stored);
  }

  /** Loads what a commit, a sign-in or a sign-out replaces. See {@link RecordStore.loadReplaceable}. */
  async loadReplaceable(): Promise<Stored | undefined> {
    const stored = await this.#deps.records.loadReplaceable();
    return stored && this.#applyTo(stored);
  }

  /** See {@link RecordStore.save}. */
  save(record: SessionRecord, expected: Stored | undefined): Promise<Saved | undefined> {
    return this.#deps.records.save(record, expected);
  }

  #applyTo(stored: Stored): Stored {
    const ended = this.endingOf(stored.record)?.apply(stored.record) ?? stored.record;
    const rotation = this.#rotation;
    const isPending = rotation && !isAlreadyStored(rotation, ended) && !dropReason(rotation, ended);
    return { ...stored, record: isPending ? recordAfter(rotation, ended) : ended };
  }

  /** Returns how the record's attempt has ended, if this process knows. */
  endingOf({ attempt }: SessionRecord): Ending | undefined {
    return attempt && this.#endings.get(keyOf(attempt));
  }

  /**
   * Step 5 of the protocol: saves the rotation, and retries after conflicts. Resolves to `false` if the rotation was
   * dropped because the session has changed. Never rejects: a rotation that cannot be saved stays pending.
   */
  async commit(rotation: Rotation, claimed: Stored | undefined): Promise<boolean> {
    if (this.#rotation && isEarlier(rotation, this.#rotation)) {
      this.#host.announce({ type: "rotation-dropped", reason: "superseded" });
      return false;
    }
    const { clock, refresh } = this.#deps;
    const until = clock.monotonic() + deadlineOf(refresh);
    try {
      return await this.#saveRotation(rotation, claimed);
    } catch (error) {
      return this.#keepRotation({ ...rotation, until, isReported: false }, error);
    }
  }

  /**
   * Records how an attempt ended. If the store does not accept it, this process remembers it and tries again: others see
   * that we are alive, and would wait for an attempt that has ended.
   */
  async end(key: string, ending: Ending, known: Stored | undefined): Promise<void> {
    this.remember(key, ending);
    try {
      await this.saveEnding(key, known);
    } catch {
      if (known) this.#host.observe(ending.apply(known.record), "store");
      this.endLater(key, ending);
    }
  }

  /** Records how an attempt ended as soon as the store accepts it. */
  endLater(key: string, ending: Ending): void {
    const retryUntil = this.#deps.clock.monotonic() + HOLD; // by then, no process waits for the attempt
    this.remember(key, { ...ending, retryUntil });
    this.#retryLater();
  }

  /** Remembers how an attempt ended, and saves it only together with another change. */
  remember(key: string, ending: PendingEnding): void {
    this.#endings.set(key, ending);
    for (const oldest of this.#endings.keys()) if (this.#endings.size > ENDINGS_KEPT) this.#endings.delete(oldest);
  }

  /**
   * Saves the pending changes.
   *
   * @throws StoreError
   */
  async flush(): Promise<void> {
    const { clock, records } = this.#deps;
    if (this.#rotation) await this.#saveRotation(this.#rotation, await this.#deps.records.loadReplaceable());
    for (const [key, { retryUntil }] of this.#endings) {
      if (retryUntil !== undefined && clock.monotonic() < retryUntil) await this.saveEnding(key, await records.load());
    }
  }

  /** Discards the pending changes, because the session was signed out or replaced. */
  reset(): void {
    this.#rotation = undefined;
    this.#endings.clear();
    this.#cancelRetry?.();
  }

  /**
   * Saves a pending rotation, and retries until the deadline of an exchange has passed since its receipt. If the process
   * lives on, it tries again later: to others it still holds the claim.
   *
   * @throws StoreError if it could not be saved, and may be lost
   */
  async close(): Promise<void> {
    const rotation = this.#rotation;
    if (!rotation) return;
    const { clock, records } = this.#deps;
    const milliseconds = Math.max(RETRY_INTERVAL, rotation.until - clock.monotonic());
    const deadline = { milliseconds, message: "The store did not respond in time." };
    await withDeadline(() => this.#flushUntil(clock.monotonic() + milliseconds), clock, deadline).catch(
      (timeout: unknown) => {
        this.#failure ??= timeout;
      },
    );
    this.#cancelPause?.();
    if (!this.#rotation) return;
    const now = clock.monotonic();
    this.#rotation = { ...rotation, until: now, retryUntil: now + HOLD, isReported: true };
    this.#retryLater();
    throw toLossError(this.#failure, records.location);
  }

  /** Saves the rotation again and again until the monotonic time `until`. */
  async #flushUntil(until: number): Promise<void> {
    const { clock } = this.#deps;
    while (this.#rotation && clock.monotonic() < until) {
      await this.flush().catch((error: unknown) => {
        this.#failure = error;
      });
      if (!this.#rotation) return;
      const pause = Math.min(until - clock.monotonic(), RETRY_INTERVAL);
      await new Promise<void>((resolve) => {
        this.#cancelPause = clock.setTimer(resolve, pause, true);
      });
    }
  }

  async #saveRotation(rotation: Rotation, claimed: Stored | undefined): Promise<boolean> {
    for (let stored = claimed; ; stored = await this.#deps.records.loadReplaceable()) {
      if (isAlreadyStored(rotation, stored?.record)) return this.#onSaved(stored?.record);
      const reason = dropReason(rotation, stored?.record);
      if (reason) {
        this.#host.observe(stored?.record, "store");
        return this.#drop(rotation, reason);
      }
      const saved = await this.#deps.records.save(recordAfter(rotation, stored?.record), stored);
      if (saved) return this.#onSaved(saved.current, saved.current === saved.record ? "exchange" : "store");
    }
  }

  #onSaved(record: SessionRecord | undefined, source: RecordSource = "exchange"): true {
    if (this.#rotation) this.#host.announce({ type: "save-recovered", location: this.#deps.records.location });
    this.#endRotation();
    this.#host.observe(record, source);
    return true;
  }

  #drop({ record }: Rotation, reason: NonNullable<ReturnType<typeof dropReason>>): false {
    this.#endRotation();
    this.#host.announce({ type: "rotation-dropped", reason });
    if (reason !== "superseded" && record.tokens) void this.#revoke(record.tokens);
    return false;
  }

  /** Forgets the pending rotation, and stops keeping the process alive for it. */
  #endRotation(): void {
    if (!this.#rotation) return;
    this.#rotation = undefined;
    this.#cancelRetry?.();
    if ([...this.#endings.values()].some(({ retryUntil }) => retryUntil !== undefined)) this.#retryLater();
  }

  async #revoke(tokens: TokenSet): Promise<void> {
    try {
      await this.#deps.refresh?.revoke?.(tokens);
    } catch {
      // best effort: nothing waits for it, because it may never settle
    }
  }

  /** Keeps a rotation that the store refused, and uses it unless this process has signed out or in since. */
  #keepRotation(rotation: PendingRotation, error: unknown): boolean {
    const { record } = this.#host.session;
    const reason = dropReason(rotation, record);
    if (reason && reason !== "superseded") return this.#drop(rotation, reason);
    const code = UnexpiredError.is(error) ? error.code : "STORE_UNAVAILABLE";
    if (!this.#rotation) this.#host.announce({ type: "save-failed", location: this.#deps.records.location, code });
    this.#rotation = rotation;
    if (!reason) this.#host.observe(recordAfter(rotation, record), "exchange");
    this.#retryLater();
    return reason === undefined;
  }

  #retryLater(): void {
    const { clock } = this.#deps;
    const left = (this.#rotation?.until ?? Number.NEGATIVE_INFINITY) - clock.monotonic();
    const delay = left > 0 ? Math.min(left, RETRY_INTERVAL) : RETRY_INTERVAL;
    this.#cancelRetry?.();
    this.#cancelRetry = clock.setTimer(() => void this.#retry(), delay, left > 0);
  }

  async #retry(): Promise<void> {
    const { retryUntil = Number.POSITIVE_INFINITY } = this.#rotation ?? {};
    if (this.#deps.clock.monotonic() >= retryUntil) this.#endRotation();
    try {
      await this.flush();
    } catch (error) {
      this.#failure = error;
      this.#reportLoss();
      this.#retryLater();
    }
  }

  #reportLoss(): void {
    const rotation = this.#rotation;
    if (!rotation || rotation.isReported || this.#deps.clock.monotonic() < rotation.until) return;
    rotation.isReported = true;
    this.#host.announce({ type: "rotation-lost", location: this.#deps.records.location });
  }

  /** Saves the end of an attempt, unless the record has another one by then. */
  async saveEnding(key: string, known: Stored | undefined): Promise<void> {
    const { records } = this.#deps;
    const ending = this.#endings.get(key);
    for (let stored = known; ending && stored; stored = await records.load()) {
      const { attempt } = stored.record;
      if (!attempt || keyOf(attempt) !== key) break;
      const saved = await records.save(ending.apply(stored.record), stored);
      if (!saved) continue;
      this.#host.observe(saved.current, "store");
      break;
    }
    if (ending) ending.retryUntil = undefined;
  }
}

const toLossError = (cause: unknown, location: string): StoreError => {
  const { problem = "did not respond", hint = "" } = Object(cause) as Partial<StoreError>;
  return new StoreError("STORE_UNAVAILABLE", {
    location,
    problem: `${problem}, so the refreshed session was not saved`,
    hint: `The next program that uses the session may have to sign in again. ${hint}`.trimEnd(),
    cause,
  });
};
