import { StoreError } from "../errors.ts";
import { type Attempt, currentDigest, type Digest, endRecord, keyOf, type SessionRecord } from "../record/record.ts";
import type { Stored } from "../record/record-store.ts";
import type { DeadReason, RefreshFunction, TokenSet } from "../types.ts";
import { HOLD } from "./attempt-tracker.ts";
import type { Decision } from "./decide.ts";
import { deadlineOf } from "./exchange.ts";
import type { RefreshDeps, RefreshHost } from "./renewal.ts";

const LEASE_MARGIN = 10_000; // a claim outlasts its exchange and its commit by this much
const END_RETRY_INTERVAL = 1_000;
const ENDINGS_KEPT = 16;

/** A stored session that this process has claimed for a refresh. */
export interface Claim {
  readonly stored: Stored;
  readonly tokens: TokenSet;
  readonly attempt: Attempt;
  readonly refresh: RefreshFunction;
}

/** Applies the end of an attempt to a record. */
type Ending = (record: SessionRecord) => SessionRecord;

type ClaimDecision = Decision & { readonly do: "claim" };

type ClaimDeps = Pick<RefreshDeps, "records" | "holder" | "refresh" | "clock">;
type ClaimHost = Pick<RefreshHost, "session" | "observe">;

/** Step 3 of the protocol: records which process presents the refresh token and, in the end, with what result. */
export class Claims {
  readonly #deps: ClaimDeps;
  readonly #host: ClaimHost;
  /**
   * How our attempts have ended, by key, in case the store does not know it. For a claim that was not used, its ending
   * restores the attempt before it.
   */
  readonly #endings = new Map<string, Ending>();
  #slowClaims = 0;

  constructor(deps: ClaimDeps, host: ClaimHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /** Returns the stored session with our own attempt as this process knows it. */
  withLocalAttempt(stored: Stored | undefined): Stored | undefined {
    const { attempt } = stored?.record ?? {};
    const ending = attempt && this.#endings.get(keyOf(attempt));
    return stored && ending ? { ...stored, record: ending(stored.record) } : stored;
  }

  /**
   * Claims the stored session. Resolves to `undefined` if another process was first, or if saving took so long that the
   * claim's lease may expire too early.
   */
  async claim({ digest, afterLoss, failures }: ClaimDecision, stored: Stored | undefined): Promise<Claim | undefined> {
    const { clock, records, holder, refresh } = this.#deps;
    const tokens = stored?.record.tokens;
    if (!refresh || !tokens) return undefined;
    const id = clock.randomId();
    const lease = 2 * deadlineOf(refresh) + LEASE_MARGIN;
    const [claimedAt, monotonic] = [clock.now(), clock.monotonic()];
    const progress = { status: "claimed", afterLoss, failures } as const;
    const attempt: Attempt = { id, digest, holder: holder?.id, claimedAt, lease, ...progress };
    const unsent: Ending = (record) => ({ ...record, attempt: stored.record.attempt });
    const key = keyOf(attempt);
    this.#remember(key, unsent);
    let claimed: Stored | undefined;
    try {
      claimed = await records.save({ ...stored.record, attempt }, stored);
    } finally {
      if (!claimed) this.#endLater(key, unsent); // even after a conflict, it may have been saved
    }
    if (!claimed) return undefined;
    this.#host.observe(claimed.record, "store");
    const passed = Math.max(clock.monotonic() - monotonic, Math.abs(clock.now() - claimedAt));
    if (passed >= LEASE_MARGIN / 2) return this.#giveUp(key, unsent, claimed); // the process was probably suspended
    this.#slowClaims = 0;
    this.#endings.delete(key);
    return { stored: claimed, tokens, attempt, refresh };
  }

  /**
   * Restores the attempt that preceded a claim that took too long to save. Twice in a row means a slow store, not a
   * suspended process.
   */
  async #giveUp(key: string, unsent: Ending, claimed: Stored): Promise<undefined> {
    await this.#end(key, unsent, claimed);
    this.#slowClaims++;
    if (this.#slowClaims < 2) return;
    this.#slowClaims = 0;
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.#deps.records.location,
      problem: "is too slow: saving a claim took more than five seconds, twice in a row",
      hint: "Nothing was sent. Find out what slows it down, and try again.",
    });
  }

  /** Records how our attempt ended. If the store does not accept it, this process remembers it and tries again. */
  release(attempt: Attempt, known: Stored | undefined): Promise<void> {
    return this.#end(keyOf(attempt), (record) => ({ ...record, attempt }), known);
  }

  /** Records that the attempt of another process is lost. If the store does not accept it, this process remembers it. */
  async markLost(attempt: Attempt, known: Stored | undefined): Promise<void> {
    const ending: Ending = (record) => ({ ...record, attempt: { ...attempt, status: "lost" } });
    const key = keyOf(attempt);
    this.#remember(key, ending);
    await this.#save(key, ending, known).catch(() => {});
  }

  /** Step 6 after a terminal response: ends the session only if its refresh token is still the one that was rejected. */
  async endSession(digest: Digest, reason: DeadReason): Promise<void> {
    const ending: Ending = (record) =>
      currentDigest(record) === digest ? endRecord(record, { reason, digest }) : record;
    try {
      this.#host.observe(await this.#saveVerdict(digest, ending), "store");
    } catch {
      // this process knows that the session has ended even if the store does not
      const { record } = this.#host.session;
      if (!record || currentDigest(record) !== digest) return;
      this.#host.observe(ending(record), "store");
      if (record.attempt) this.#endLater(keyOf(record.attempt), ending);
    }
  }

  async #saveVerdict(digest: Digest, ending: Ending): Promise<SessionRecord | undefined> {
    const { records } = this.#deps;
    for (;;) {
      const stored = await records.load();
      if (!stored || currentDigest(stored.record) !== digest) return stored?.record;
      const saved = await records.save(ending(stored.record), stored);
      if (saved) return saved.record;
    }
  }

  /**
   * Ends our attempt in the store as soon as that accepts it: other processes see that we are alive, and would wait for
   * an attempt that has ended.
   */
  #endLater(key: string, ending: Ending): void {
    const { clock, records } = this.#deps;
    this.#remember(key, ending);
    const until = clock.monotonic() + HOLD; // by then, no process waits for the claim
    const retry = async () => {
      try {
        await this.#save(key, ending, await records.load());
      } catch {
        if (clock.monotonic() < until) retryLater();
      }
    };
    const retryLater = () => clock.setTimer(() => void retry(), END_RETRY_INTERVAL, false);
    retryLater();
  }

  #remember(key: string, ending: Ending): void {
    this.#endings.set(key, ending);
    for (const oldest of this.#endings.keys()) if (this.#endings.size > ENDINGS_KEPT) this.#endings.delete(oldest);
  }

  async #end(key: string, ending: Ending, known: Stored | undefined): Promise<void> {
    this.#remember(key, ending);
    try {
      await this.#save(key, ending, known);
    } catch {
      if (known) this.#host.observe(ending(known.record), "store");
      this.#endLater(key, ending);
    }
  }

  /** Saves the end of an attempt, unless the record has another one by then. */
  async #save(key: string, ending: Ending, known: Stored | undefined): Promise<void> {
    const { records } = this.#deps;
    for (let stored = known; stored; stored = await records.load()) {
      const { attempt } = stored.record;
      if (!attempt || keyOf(attempt) !== key) return;
      const saved = await records.save(ending(stored.record), stored);
      if (saved) return this.#host.observe(saved.record, "store");
    }
  }
}
