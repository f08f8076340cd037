import type { Clock } from "../types.ts";

const LONGEST_TIMER = 2 ** 31 - 1; // setTimeout fires immediately if the delay is longer
const LAST_DATE = 8.64e15; // the latest time that a Date can represent

/** The system's time, timers and randomness. No other file uses them directly. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  // not from Math.random, which repeats in snapshots, with `node --random-seed`, and if a test suite replaces it
  randomId: () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join(""),
  setTimer(callback, delay, keepAlive) {
    const timer: unknown = setTimeout(callback, Math.min(Math.max(delay, 0), LONGEST_TIMER));
    if (!keepAlive && typeof timer === "object" && timer !== null && "unref" in timer) {
      (timer as { unref(): void }).unref();
    }
    return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
  },
};

/** A moment on both clocks of this process, in milliseconds: either may stand still or jump while the other goes on. */
export interface Moment {
  readonly now: number;
  readonly monotonic: number;
}

/** Reads both clocks. */
export const momentOf = (clock: Clock): Moment => ({ now: clock.now(), monotonic: clock.monotonic() });

/** Completes a clock with the system's. Binds each function to its clock, which may be an instance of a class. */
export const completeClock = (given: Partial<Clock>): Clock => ({
  now: given.now?.bind(given) ?? systemClock.now,
  monotonic: given.monotonic?.bind(given) ?? systemClock.monotonic,
  setTimer: given.setTimer?.bind(given) ?? systemClock.setTimer,
  random: given.random?.bind(given) ?? systemClock.random,
  randomId: given.randomId?.bind(given) ?? systemClock.randomId,
});

const clamp = (value: number, max: number): number => (value > 0 ? Math.min(value, max) : 0);

/** Limits a time to the range of `Date`, because JSON has no infinity and messages format times as dates. */
export const toTime = (milliseconds: number): number => clamp(milliseconds, LAST_DATE);

/**
 * Limits a duration that was read to an hour: longer than any exchange takes, and than a server should make its clients
 * wait. A nonsensical value must not lock a session forever.
 */
export const toDuration = (milliseconds: number): number => clamp(milliseconds, 60 * 60_000);

/** Limits a rotation number that was read, so that it can still be counted up. */
export const toRotation = (rotation: number): number => clamp(rotation, 1e12);

/** Limits a number of events that was read. */
export const toCount = (count: number): number => clamp(count, 1_000);
