import { type Attempt, keyOf } from "../record/record.ts";
import type { Clock, TokenStore } from "../types.ts";

const HOLDER_CHECK_INTERVAL = 50;
const HOLDER_DEADLINE = 1_000;
/** A living holder keeps its claim for at least this long, in milliseconds. */
export const HOLD = 600_000;
const HOLD_CHECK_INTERVAL = 1_000;

/** The meaning of an attempt in the record for this process now. */
export interface AttemptStatus {
  /** Whether it is a claim whose holder has ended or whose lease has expired. */
  readonly isAbandoned: boolean;
  /**
   * If it is a claim whose holder is alive although the lease has expired: the time until which the holder keeps the
   * claim, in epoch milliseconds.
   */
  readonly heldUntil: number | undefined;
  /** The time before which no request is sent to the token endpoint, in epoch milliseconds. */
  readonly retryAt: number | undefined;
}

type Holder = NonNullable<TokenStore["holder"]>;

/** The members of an attempt, or of another claim, that are tracked. */
export type Tracked = Pick<Attempt, "id" | "holder" | "claimedAt" | "lease" | "status" | "endedAt" | "retryIn">;

interface TrackedAttempt {
  readonly key: string;
  readonly previousCheckAt: number;
  /** How long this process has observed the attempt, in milliseconds, and when that was last counted. */
  age: number;
  countedAt: number;
  holderCheckedAt: number;
  status: Awaited<ReturnType<Holder["statusOf"]>>;
}

/**
 * Tracks the age of attempts by this process's own clock.
 *
 * A lease counts from when this process first saw the claim, and a late check adds at most twice its planned interval.
 * Neither a suspended machine nor the clock of another one can therefore expire a lease. A holder that is alive is on
 * this machine, so its claim is also measured by the wall clock: a process that has just started knows that the holder
 * is late. A back-off is measured by the wall clock, so that short-lived processes respect it too. It also lasts at
 * least its full duration from the last check before it was first seen, so that processes with differing clocks respect
 * it.
 */
export class AttemptTracker {
  readonly #clock: Clock;
  readonly #holder: Holder | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;
  /** How long the store last took to tell what became of a holder, in milliseconds. */
  #asked = 0;
  #tracked = trackedFrom("", Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY);
  #cancelCount: (() => void) | undefined;

  constructor(clock: Clock, holder: Holder | undefined) {
    this.#clock = clock;
    this.#holder = holder;
  }

  /** Returns the status of an attempt. `interval` is the expected time since the last check, in milliseconds. */
  async check(attempt: Tracked | undefined, interval: number): Promise<AttemptStatus> {
    const previousCheckAt = this.#checkedAt;
    const now = this.#clock.monotonic();
    this.#checkedAt = now;
    const key = `${attempt && keyOf(attempt)} ${attempt?.status}`;
    if (this.#tracked.key === key) this.#count(interval + this.#asked);
    else this.#tracked = trackedFrom(key, previousCheckAt, now);
    const claim = attempt?.status === "claimed" ? attempt : undefined;
    if (claim) await this.#checkHolder(claim, now);
    return { ...this.#statusOf(claim), retryAt: attempt && this.#retryAt(attempt, now) };
  }

  #statusOf(claim: Tracked | undefined): Pick<AttemptStatus, "isAbandoned" | "heldUntil"> {
    this.#cancelCount?.();
    if (!claim) return { isAbandoned: false, heldUntil: undefined };
    const { age, status } = this.#tracked;
    const heldUntil = this.#heldUntil(claim);
    if (heldUntil !== undefined) this.#keepCounting(Math.max(claim.lease, HOLD));
    return { isAbandoned: age >= claim.lease || status === "gone", heldUntil };
  }

  /** Describes the holder of a claim, for error messages. */
  describeHolder({ holder = "" }: Pick<Tracked, "holder">): Promise<string> {
    const byId = `another process (${holder})`;
    return this.#ask(() => this.#holder?.describe?.(holder) ?? byId, byId);
  }

  /** Stops counting. */
  close(): void {
    this.#cancelCount?.();
  }

  #count(interval: number): void {
    const now = this.#clock.monotonic();
    this.#tracked.age += Math.min(now - this.#tracked.countedAt, 2 * interval);
    this.#tracked.countedAt = now;
  }

  /** Goes on counting while a claim is held, because callers get an error instead of waiting and checking. */
  #keepCounting(limit: number): void {
    const count = () => {
      this.#count(HOLD_CHECK_INTERVAL);
      if (this.#tracked.age < limit) this.#keepCounting(limit);
    };
    this.#cancelCount = this.#clock.setTimer(count, HOLD_CHECK_INTERVAL, false);
  }

  #heldUntil({ claimedAt, lease }: Tracked): number | undefined {
    const { age, status } = this.#tracked;
    const now = this.#clock.now();
    const elapsed = Math.max(age, now - claimedAt);
    if (status !== "alive" || elapsed < lease) return undefined;
    const remaining = Math.max(lease - age, HOLD - elapsed);
    return remaining > 0 ? now + remaining : undefined;
  }

  async #checkHolder({ holder }: Tracked, now: number): Promise<void> {
    const tracked = this.#tracked;
    // A claim in our own name belongs to another manager, or has ended and could not be saved: the lease decides.
    if (holder === undefined || holder === this.#holder?.id || tracked.status === "gone") return;
    if (now - tracked.holderCheckedAt < HOLDER_CHECK_INTERVAL) return;
    tracked.holderCheckedAt = now;
    const status = await this.#ask(() => this.#holder?.statusOf(holder) ?? "unknown", tracked.status);
    this.#asked = Math.min(this.#clock.monotonic() - now, HOLDER_DEADLINE);
    tracked.status = status === "gone" || status === "alive" ? status : "unknown";
  }

  /** Asks the store. Resolves to `otherwise` if it fails or takes too long: that says nothing about a holder. */
  #ask<T>(question: () => T | Promise<T>, otherwise: T): Promise<T> {
    return new Promise((resolve) => {
      const cancel = this.#clock.setTimer(() => resolve(otherwise), HOLDER_DEADLINE, false);
      const reply = (async () => question())().catch(() => otherwise);
      void reply.then(resolve).finally(cancel);
    });
  }

  #retryAt({ endedAt, retryIn }: Tracked, monotonic: number): number | undefined {
    if (endedAt === undefined || retryIn === undefined) return undefined;
    const now = this.#clock.now();
    const byWallClock = now >= endedAt ? endedAt + retryIn - now : 0;
    const remaining = Math.max(byWallClock, this.#tracked.previousCheckAt + retryIn - monotonic);
    return remaining > 0 ? now + remaining : undefined;
  }
}

const trackedFrom = (key: string, previousCheckAt: number, countedAt: number): TrackedAttempt => ({
  key,
  previousCheckAt,
  age: 0,
  countedAt,
  holderCheckedAt: Number.NEGATIVE_INFINITY,
  status: "unknown",
});
