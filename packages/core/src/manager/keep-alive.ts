import type { SessionRecord } from "../record/record.ts";
import type { Clock } from "../types.ts";
import { type Context, clockCooldown, deadReasonOf, isRenewable, type Session } from "./session.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** When to renew a session before its refresh token expires. All in milliseconds; times are those of the wall clock. */
export interface Schedule {
  /** A fifth of the refresh token's lifetime before its expiry. */
  readonly dueAt: number;
  readonly expiresAt: number;
  /**
   * The longest time between two looks at the clock, because timers stand still while a machine sleeps. If it wakes up with less
   * than that left, the renewal may be too late.
   */
  readonly interval: number;
}

/** Returns the schedule of a session; `undefined` if it cannot be renewed, or its refresh token's expiry is unknown. */
export function scheduleOf(session: Session, ctx: Context): Schedule | undefined {
  const { record } = session;
  const expiresAt = record && refreshTokenExpiryOf(record, ctx);
  if (!record || expiresAt === undefined || !isRenewable(session, ctx) || deadReasonOf(session, ctx)) return undefined;
  const lifetime = Math.max(0, expiresAt - record.obtainedAt);
  const interval = Math.min(Math.max(lifetime / 20, SECOND), HOUR);
  return { dueAt: Math.round(expiresAt - lifetime / 5), expiresAt, interval };
}

function refreshTokenExpiryOf(record: SessionRecord, ctx: Context): number | undefined {
  const { refreshTokenLifetime } = ctx;
  const known = record.tokens?.refreshTokenExpiresAt;
  return refreshTokenLifetime === undefined ? known : (known ?? record.obtainedAt + refreshTokenLifetime);
}

/** Returns whether the refresh token is about to expire, and was not renewed a moment ago. */
export function isRefreshTokenDue(session: Session, ctx: Context): boolean {
  const { record } = session;
  const schedule = scheduleOf(session, ctx);
  return record !== undefined && isDueAt(schedule, ctx.now) && clockCooldown(session, record, ctx) <= 0;
}

/** Once the refresh token has expired, a renewal by the clock cannot save the session. The next call finds out. */
const isDueAt = (schedule: Schedule | undefined, now: number): boolean =>
  schedule !== undefined && now >= schedule.dueAt && now < schedule.expiresAt;

interface KeepAliveHost {
  /** Loads the session for the first time. */
  load(): Promise<void>;
  /** Starts a renewal. */
  renewBeforeExpiry(): Promise<unknown>;
}

/** Renews a session before its refresh token expires, with a timer that does not keep the process alive. */
export class KeepAlive {
  readonly #host: KeepAliveHost;
  readonly #clock: Clock;
  #schedule: Schedule | undefined;
  #cancel: (() => void) | undefined;
  #isClosed = false;

  constructor(host: KeepAliveHost, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
    this.#loadAfter(0);
  }

  /** Must be called whenever the session may have changed. */
  update(schedule: Schedule | undefined): void {
    const isSame = schedule?.dueAt === this.#schedule?.dueAt && schedule?.expiresAt === this.#schedule?.expiresAt;
    if (this.#isClosed || (isSame && this.#cancel)) return;
    this.#schedule = schedule;
    this.#arm(0);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
  }

  /** Loads the session, which this process may not use for long, and tries again if the store cannot be read. */
  #loadAfter(delay: number): void {
    this.#cancel = this.#clock.setTimer(() => void this.#load(), delay, false);
  }

  async #load(): Promise<void> {
    try {
      await this.#host.load();
    } catch {
      if (!this.#schedule && !this.#isClosed) this.#loadAfter(MINUTE);
    }
  }

  /** Sets the timer to the time when the renewal is due, but at least `delay` milliseconds from now. */
  #arm(delay: number): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const now = this.#clock.now();
    if (!this.#schedule || now >= this.#schedule.expiresAt) return;
    const { dueAt, interval } = this.#schedule;
    this.#cancel = this.#clock.setTimer(() => this.#onTick(), Math.min(Math.max(dueAt - now, delay), interval), false);
  }

  #onTick(): void {
    const isDue = isDueAt(this.#schedule, this.#clock.now());
    if (isDue) void this.#host.renewBeforeExpiry().catch(() => {}); // announced as an event
    const { interval = 0 } = this.#schedule ?? {};
    this.#arm(isDue ? Math.max(interval / 10, MINUTE) : 0); // it may fail, and another process may be renewing
  }
}
