import type { Attempt } from "../record/record.ts";
import type { Clock, TokenStore } from "../types.ts";

const HOLDER_CHECK_INTERVAL = 50;

/** The meaning of an attempt in the record for this process now. */
export interface AttemptStatus {
  /** Whether it is a claim whose holder has ended or whose lease has expired. */
  readonly isAbandoned: boolean;
  /** The time before which no request is sent to the token endpoint, in epoch milliseconds. */
  readonly retryAt: number | undefined;
}

/**
 * Tracks the age of attempts by this process's own clock.
 *
 * A lease counts from when this process first saw the claim, and a late check adds at most twice its planned interval.
 * Neither a suspended machine nor the clock of another one can therefore expire a lease. A back-off is measured by the
 * wall clock, so that short-lived processes respect it too. It also lasts at least its full duration from the last
 * check before it was first seen, so that processes with differing clocks respect it.
 */
export class AttemptTracker {
  readonly #clock: Clock;
  readonly #holder: TokenStore["holder"];
  #checkedAt = Number.NEGATIVE_INFINITY;
  #tracked = {
    key: "",
    previousCheckAt: Number.NEGATIVE_INFINITY,
    age: 0,
    holderCheckedAt: Number.NEGATIVE_INFINITY,
    isGone: false,
  };

  constructor(clock: Clock, holder: TokenStore["holder"]) {
    this.#clock = clock;
    this.#holder = holder;
  }

  /** Returns the status of an attempt. `interval` is the planned time since the last check, in milliseconds. */
  async check(attempt: Attempt | undefined, interval: number): Promise<AttemptStatus> {
    const now = this.#clock.monotonic();
    const passed = Math.min(now - this.#checkedAt, 2 * interval);
    const previousCheckAt = this.#checkedAt;
    this.#checkedAt = now;
    const key = `${attempt?.id} ${attempt?.holder} ${attempt?.claimedAt} ${attempt?.status}`;
    if (this.#tracked.key === key) this.#tracked.age += passed;
    else this.#tracked = { key, previousCheckAt, age: 0, holderCheckedAt: Number.NEGATIVE_INFINITY, isGone: false };
    const isAbandoned = attempt?.status === "claimed" && (await this.#isAbandoned(attempt, now));
    return { isAbandoned, retryAt: attempt && this.#retryAt(attempt, now) };
  }

  async #isAbandoned({ lease, holder }: Attempt, now: number): Promise<boolean> {
    const tracked = this.#tracked;
    if (tracked.age >= lease || tracked.isGone) return true;
    if (holder === undefined || now - tracked.holderCheckedAt < HOLDER_CHECK_INTERVAL) return false;
    tracked.holderCheckedAt = now;
    tracked.isGone = await this.#isGone(holder);
    return tracked.isGone;
  }

  async #isGone(holder: string): Promise<boolean> {
    try {
      return (await this.#holder?.isGone(holder)) === true;
    } catch {
      return false; // not certain: the lease decides
    }
  }

  #retryAt({ endedAt, retryIn }: Attempt, monotonic: number): number | undefined {
    if (endedAt === undefined || retryIn === undefined) return undefined;
    const now = this.#clock.now();
    const byWallClock = now >= endedAt ? endedAt + retryIn - now : 0;
    const remaining = Math.max(byWallClock, this.#tracked.previousCheckAt + retryIn - monotonic);
    return remaining > 0 ? now + remaining : undefined;
  }
}
