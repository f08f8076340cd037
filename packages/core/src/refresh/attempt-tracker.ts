import type { Attempt } from "../record/record.ts";
import type { Clock, TokenStore } from "../types.ts";

const ASK_INTERVAL = 50;

/** What an attempt in the record means for us now. */
export interface Judgement {
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
  #lookedAt = Number.NEGATIVE_INFINITY;
  #seen = { key: "", lookedBefore: Number.NEGATIVE_INFINITY, age: 0, askedAt: Number.NEGATIVE_INFINITY, isGone: false };

  constructor(clock: Clock, holder: TokenStore["holder"]) {
    this.#clock = clock;
    this.#holder = holder;
  }

  /** `interval`: milliseconds since the last look, as planned. */
  async look(attempt: Attempt | undefined, interval: number): Promise<Judgement> {
    const now = this.#clock.monotonic();
    const passed = Math.min(now - this.#lookedAt, 2 * interval);
    const lookedBefore = this.#lookedAt;
    this.#lookedAt = now;
    const key = `${attempt?.id} ${attempt?.status}`;
    if (this.#seen.key === key) this.#seen.age += passed;
    else this.#seen = { key, lookedBefore, age: 0, askedAt: Number.NEGATIVE_INFINITY, isGone: false };
    const isAbandoned = attempt?.status === "claimed" && (await this.#isAbandoned(attempt, now));
    return { isAbandoned, retryAt: attempt && this.#retryAt(attempt, now) };
  }

  async #isAbandoned({ lease, holder }: Attempt, now: number): Promise<boolean> {
    const seen = this.#seen;
    if (seen.age >= lease || seen.isGone) return true;
    if (holder === undefined || now - seen.askedAt < ASK_INTERVAL) return false;
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
    const left = Math.max(byWallClock, this.#seen.lookedBefore + retryIn - monotonic);
    return left > 0 ? now + left : undefined;
  }
}
