import type { Clock } from "../types.ts";

const LONGEST_TIMER = 2 ** 31 - 1; // beyond it setTimeout fires at once
const LAST_DATE = 8.64e15;

/** The system's time, timers and chance. The one file that touches them. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  setTimer(callback, delay, keepAlive) {
    const timer: unknown = setTimeout(callback, Math.min(Math.max(delay, 0), LONGEST_TIMER));
    if (!keepAlive && typeof timer === "object" && timer !== null && "unref" in timer) {
      (timer as { unref(): void }).unref();
    }
    return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
  },
};

/**
 * Fills in what a clock leaves out. Each function is bound to its clock, which may be an instance of a class.
 */
export const completeClock = (given: Partial<Clock>): Clock => ({
  now: given.now?.bind(given) ?? systemClock.now,
  monotonic: given.monotonic?.bind(given) ?? systemClock.monotonic,
  setTimer: given.setTimer?.bind(given) ?? systemClock.setTimer,
  random: given.random?.bind(given) ?? systemClock.random,
});

/** Never later than a Date can be: JSON has no infinity, and a message may want to name the day. */
export const toTime = (milliseconds: number): number => Math.min(milliseconds, LAST_DATE);

/** A short random name, unique for our purposes. */
export const randomId = (clock: Clock): string =>
  Array.from({ length: 2 }, () => Math.floor(clock.random() * 2 ** 52).toString(36)).join("");
