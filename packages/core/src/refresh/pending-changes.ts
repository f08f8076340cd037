import { StoreError, UnexpiredError } from "../errors.ts";
import type { SessionRecord } from "../record/record.ts";
import type { Replaceable, Saved, Stored } from "../record/record-store.ts";
import type { TokenSet } from "../types.ts";
import { withDeadline } from "../util/deadline.ts";
import { emitWarning } from "../util/warning.ts";
import { AttemptEndings } from "./attempt-endings.ts";
import { HOLD } from "./attempt-tracker.ts";
import { deadlineOf } from "./exchange.ts";
import type { RecordSource, RefreshDeps, RefreshHost } from "./renewal.ts";
import {
  dropReason,
  isAlreadyStored,
  isEarlier,
  isReceiptOf,
  type Receipt,
  type Rotation,
  receiptOf,
  recordAfter,
} from "./rotation.ts";

const RETRY_INTERVAL = 1_000;
const NO_RESPONSE = "The store did not respond in time.";
const NOT_SAVED =
  "The refreshed session has not been saved yet. If this process ends now, the next one may have to sign in again. Free or repair the store, and await close() before the program ends: it rejects with the reason.";

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
 * have ended. Every load takes them into account; only `commit`, `flush` and the endings write them. Every sign-in and
 * sign-out discards the tokens.
 */
export class PendingChanges {
  readonly #deps: ChangesDeps;
  readonly #host: ChangesHost;
  readonly endings: AttemptEndings;
  #rotation: PendingRotation | undefined;
  /** The commit that is running. */
  #commit: { readonly pending: PendingRotation; readonly saving: Promise<boolean> } | undefined;
  /** Of the last commit. */
  #receipt: Receipt | undefined;
  #failure: unknown;
  #cancelRetry: (() => void) | undefined;
  #cancelKeepAlive: (() => void) | undefined;
  #cancelPause: (() => void) | undefined;

  constructor(deps: ChangesDeps, host: ChangesHost) {
    this.#deps = deps;
    this.#host = host;
    this.endings = new AttemptEndings(deps, host);
  }

  /** Whether the store knows everything. */
  get isEmpty(): boolean {
    return !this.#rotation && this.endings.areSaved;
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

  /** Loads what a sign-in or a sign-out overwrites on request. See {@link RecordStore.loadOverwritable}. */
  async loadOverwritable(): Promise<Replaceable | undefined> {
    const { record, version } = (await this.#deps.records.loadOverwritable()) ?? {};
    if (version === undefined) return undefined;
    return record ? this.#applyTo({ record, version }) : { record, version };
  }

  /** See {@link RecordStore.save}. */
  save(record: SessionRecord, expected: Replaceable | undefined): Promise<Saved | undefined | null> {
    return this.#deps.records.save(record, expected);
  }

  #applyTo(stored: Stored): Stored {
    const ended = this.endings.applyTo(stored.record);
    const rotation = this.#rotation;
    const isPending = rotation && !isAlreadyStored(rotation, ended) && !dropReason(rotation, ended);
    return { ...stored, record: isPending ? recordAfter(rotation, ended) : ended };
  }

  /**
   * Step 5 of the protocol: saves the rotation, and retries after conflicts. Resolves to `false` if the rotation was
   * dropped because the session has changed. Never rejects: a rotation that cannot be saved stays pending.
   */
  async commit(rotation: Rotation, claimed: Stored | undefined): Promise<boolean> {
    if (this.#isOvertaken(rotation)) return this.#drop(rotation, "superseded");
    const { clock, refresh } = this.#deps;
    const pending = { ...rotation, until: clock.monotonic() + deadlineOf(refresh), isReported: false };
    this.#keepAlive(pending.until);
    const saving = this.#saveRotation(rotation, claimed)
      .catch((error: unknown) => this.#keepRotation(pending, error))
      .finally(() => {
        if (!this.#rotation) this.#endKeepAlive();
        if (this.#commit?.pending === pending) this.#commit = undefined;
      });
    this.#commit = { pending, saving };
    this.#receipt = receiptOf(rotation);
    return saving;
  }

  /** Returns whether a later response has been committed, or is being committed. */
  #isOvertaken(rotation: Rotation): boolean {
    return this.#receipt !== undefined && isEarlier(rotation, this.#receipt);
  }

  /** Returns whether the last exchange of this process led to the record's access token. */
  hasReceived({ tokens }: Pick<SessionRecord, "tokens"> = {}): boolean {
    return tokens !== undefined && tokens.accessToken === this.#receipt?.accessToken;
  }

  /**
   * Saves the pending changes.
   *
   * @throws StoreError
   */
  async flush(): Promise<void> {
    if (this.#rotation) await this.#saveRotation(this.#rotation, await this.#deps.records.loadReplaceable());
    await this.endings.flush();
  }

  /**
   * Discards the pending rotation if a sign-out, or a sign-in that resulted in `record`, has replaced its session. A slow
   * sign-in may find its own session, refreshed in the meantime.
   */
  onReplaced(record: SessionRecord | undefined): void {
    if (this.hasReceived(record)) return;
    this.#rotation = undefined;
    this.#cancelRetry?.();
    this.#endKeepAlive();
  }

  /**
   * Saves a pending rotation, and retries until the deadline of an exchange has passed since its receipt. If the process
   * lives on, it tries again later: to others it still holds the claim.
   *
   * @throws StoreError if it could not be saved, and may be lost
   */
  async close(): Promise<void> {
    await this.#endCommit();
    const rotation = this.#rotation;
    if (!rotation) return;
    const { clock, records } = this.#deps;
    const milliseconds = Math.max(RETRY_INTERVAL, rotation.until - clock.monotonic());
    const deadline = { milliseconds, message: NO_RESPONSE };
    await withDeadline(() => this.#flushUntil(clock.monotonic() + milliseconds), clock, deadline).catch(
      (timeout: unknown) => {
        this.#failure ??= timeout;
      },
    );
    this.#cancelPause?.();
    if (!this.#rotation) return;
    const now = clock.monotonic();
    this.#rotation = { ...this.#rotation, until: now, retryUntil: now + HOLD, isReported: true };
    this.#retryLater();
    throw toLossError(this.#failure, records.location);
  }

  /** Waits for a commit that is running. If the store does not respond in time, its rotation is kept. */
  async #endCommit(): Promise<void> {
    if (!this.#commit) return;
    const { clock } = this.#deps;
    const { pending, saving } = this.#commit;
    const milliseconds = Math.max(RETRY_INTERVAL, pending.until - clock.monotonic());
    await withDeadline(() => saving, clock, { milliseconds, message: NO_RESPONSE }).catch((timeout: unknown) =>
      this.#keepRotation(pending, timeout),
    );
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
      if (isAlreadyStored(rotation, stored?.record)) return this.#onSaved(rotation, stored?.record);
      const reason = dropReason(rotation, stored?.record);
      if (reason) {
        this.#host.observe(stored?.record, "store");
        return this.#drop(rotation, reason);
      }
      const saved = await this.#deps.records.save(recordAfter(rotation, stored?.record), stored);
      if (saved) return this.#onSaved(rotation, saved.current, saved.current === saved.record ? "exchange" : "store");
    }
  }

  #onSaved(rotation: Rotation, record: SessionRecord | undefined, source: RecordSource = "exchange"): true {
    if (this.#endRotation(rotation))
      this.#host.announce({ type: "save-recovered", location: this.#deps.records.location });
    this.#host.observe(record, source);
    return true;
  }

  #drop(rotation: Rotation, reason: NonNullable<ReturnType<typeof dropReason>>): false {
    const { tokens } = rotation.record;
    this.#endRotation(rotation);
    if (this.#receipt && isReceiptOf(this.#receipt, rotation)) this.#receipt = undefined;
    this.#host.announce({ type: "rotation-dropped", reason });
    if (reason !== "superseded" && tokens) this.revoke(tokens);
    return false;
  }

  /** Forgets a rotation and earlier ones, and stops keeping the process alive for them. Returns whether one was pending. */
  #endRotation(rotation: Rotation): boolean {
    const pending = this.#rotation;
    if (!pending || (pending.record !== rotation.record && !isEarlier(pending, receiptOf(rotation)))) return false;
    this.#rotation = undefined;
    this.#cancelRetry?.();
    this.#endKeepAlive();
    return true;
  }

  /** Revokes tokens that are not stored, as far as possible. Nothing waits for it, because it may never settle. */
  revoke(tokens: TokenSet): void {
    void (async () => this.#deps.refresh?.revoke?.(tokens))().catch(() => {});
  }

  /** Keeps a rotation that the store refused, and uses it unless this process has signed out or in since. */
  #keepRotation(rotation: PendingRotation, error: unknown): boolean {
    const { record } = this.#host.session;
    const reason = dropReason(rotation, record);
    if (reason && reason !== "superseded") return this.#drop(rotation, reason);
    if (this.#isOvertaken(rotation)) return this.#drop(rotation, "superseded");
    const code = UnexpiredError.is(error) ? error.code : "STORE_UNAVAILABLE";
    if (!this.#rotation) this.#host.announce({ type: "save-failed", location: this.#deps.records.location, code });
    this.#rotation = rotation;
    this.#keepAlive(rotation.until);
    if (!reason) this.#host.observe(recordAfter(rotation, record), "exchange");
    this.#retryLater();
    return reason === undefined;
  }

  /** Keeps the process alive until a monotonic time, whether or not the store responds. */
  #keepAlive(until: number): void {
    const { clock } = this.#deps;
    const left = until - clock.monotonic();
    this.#endKeepAlive();
    if (left > 0) this.#cancelKeepAlive = clock.setTimer(() => {}, left, true);
  }

  #endKeepAlive(): void {
    this.#cancelKeepAlive?.();
    this.#cancelKeepAlive = undefined; // it would keep the timer in memory
  }

  #retryLater(): void {
    const { clock } = this.#deps;
    const left = (this.#rotation?.until ?? Number.NEGATIVE_INFINITY) - clock.monotonic();
    const delay = left > 0 ? Math.min(left, RETRY_INTERVAL) : RETRY_INTERVAL;
    this.#cancelRetry?.();
    this.#cancelRetry = clock.setTimer(() => void this.#retry(), delay, false);
  }

  async #retry(): Promise<void> {
    const { retryUntil = Number.POSITIVE_INFINITY } = this.#rotation ?? {};
    if (this.#rotation && this.#deps.clock.monotonic() >= retryUntil) this.#endRotation(this.#rotation);
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
    const { location } = this.#deps.records;
    emitWarning(`${location}: ${NOT_SAVED}`, "UNEXPIRED_ROTATION_LOST");
    this.#host.announce({ type: "rotation-lost", location });
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
