import type { Attempt } from "./record.ts";
import type { Clock, TokenStore } from "./types.ts";

const ASK_INTERVAL = 50;

/**
 * Judges another holder's claim. A lease is counted on our own monotonic clock from when we first saw the claim, and a
 * look that comes late counts at most twice its interval: neither sleep nor another machine's clock ages it.
 */
export class LeaseWatch {
  readonly #clock: Clock;
  readonly #holder: TokenStore["holder"];
  #seen = { id: "", age: 0, lookedAt: 0, askedAt: Number.NEGATIVE_INFINITY, isGone: false };

  constructor(clock: Clock, holder: TokenStore["holder"]) {
    this.#clock = clock;
    this.#holder = holder;
  }

  /** Whether the claim's owner is gone or its lease is over. `interval`: milliseconds since the last look, as planned. */
  async isAbandoned(attempt: Attempt, interval: number): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (this.#seen.id !== attempt.id) {
      this.#seen = { id: attempt.id, age: 0, lookedAt: now, askedAt: Number.NEGATIVE_INFINITY, isGone: false };
    }
    const seen = this.#seen;
    seen.age += Math.min(now - seen.lookedAt, 2 * interval);
    seen.lookedAt = now;
    if (seen.age >= attempt.lease || seen.isGone) return true;
    if (!this.#holder || !attempt.holder || now - seen.askedAt < ASK_INTERVAL) return false;
    seen.askedAt = now;
    seen.isGone = await this.#holder.isGone(attempt.holder).catch(() => false); // not certain: the lease decides
    return seen.isGone;
  }
}
