import type { Attempt } from "../record/record.ts";
import type { Clock, TokenStore } from "../types.ts";

const HOLDER_CHECK_INTERVAL = 50;

/** What an attempt in the record means for us now. */
export interface AttemptStatus {
  /** A claim whose owner is gone, or whose lease is over. */
  readonly isAbandoned: boolean;
  /** Until when the token endpoint is left alone, in epoch milliseconds. */
  readonly retryAt: number | undefined;
}

/**
 * Judges attempts by our own clock.
 *
 * A lease is counted from when we first saw the claim, and a look that comes late counts at most twice its interval:
 * neither sleep nor another machine's clock ages it. A back-off lasts by the wall clock, so that short-lived processes
 * keep it too, and at least for what is left of it since our last look before it, so that clocks that differ keep it.
 */
export class AttemptTracker {
  readonly #clock: Clock;
  readonly #holder: TokenStore["holder"];
  #checkedAt = Number.NEGATIVE_INFINITY;
  #tracked = {
    key: "",
    lookedBefore: Number.NEGATIVE_INFINITY,
    age: 0,
    askedAt: Number.NEGATIVE_INFINITY,
    isGone: false,
  };

  constructor(clock: Clock, holder: TokenStore["holder"]) {
    this.#clock = clock;
    this.#holder = holder;
  }

  /** `interval`: milliseconds since the last look, as planned. */
  async check(attempt: Attempt | undefined, interval: number): Promise<AttemptStatus> {
    const now = this.#clock.monotonic();
    const passed = Math.min(now - this.#checkedAt, 2 * interval);
    const lookedBefore = this.#checkedAt;
    this.#checkedAt = now;
    const key = `${attempt?.id} ${attempt?.status}`;
    if (this.#tracked.key === key) this.#tracked.age += passed;
    else this.#tracked = { key, lookedBefore, age: 0, askedAt: Number.NEGATIVE_INFINITY, isGone: false };
    const isAbandoned = attempt?.status === "claimed" && (await this.#isAbandoned(attempt, now));
    return { isAbandoned, retryAt: attempt && this.#retryAt(attempt, now) };
  }

  async #isAbandoned({ lease, holder }: Attempt, now: number): Promise<boolean> {
    const seen = this.#tracked;
    if (seen.age >= lease || seen.isGone) return true;
    if (holder === undefined || now - seen.askedAt < HOLDER_CHECK_INTERVAL) return false;
    seen.askedAt = now;
    seen.isGone = await this.#isGone(holder);
    return seen.isGone;
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
    const left = Math.max(byWallClock, this.#tracked.lookedBefore + retryIn - monotonic);
    return left > 0 ? now + left : undefined;
  }
}
