import { randomUUID } from "node:crypto";
import { setTimeout as pauseFor } from "node:timers/promises";
import type { Clock } from "@unexpired/core";

/** Resolves after a number of milliseconds. */
export const pause = (milliseconds: number): Promise<void> => pauseFor(milliseconds);

/** Calls back after a number of milliseconds, without keeping the process alive. */
export const later = (run: () => void, milliseconds: number): void => {
  setTimeout(run, milliseconds).unref();
};

/** The parts of a clock that a store needs. */
export type StoreClock = Pick<Clock, "monotonic" | "now" | "randomId" | "setTimer">;

export const nodeClock: StoreClock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  randomId: () => randomUUID(),
  setTimer(callback, delay, keepAlive) {
    const timer = setTimeout(callback, delay);
    if (!keepAlive) timer.unref();
    return () => clearTimeout(timer);
  },
};

interface Limit {
  readonly milliseconds: number;
  readonly clock: StoreClock;
  /** Whether the process stays alive for it. Default: `true`. */
  readonly keepAlive?: boolean | undefined;
}

/** Waits for `task`, but not longer than the limit; then returns what `onLimit` returns. */
export async function withLimit<T>(
  task: Promise<T>,
  { milliseconds, clock, keepAlive = true }: Limit,
  onLimit: () => T,
): Promise<T> {
  let cancel = (): void => undefined;
  const limit = new Promise<T>((resolve, reject) => {
    cancel = clock.setTimer(
      () => new Promise<T>((settle) => settle(onLimit())).then(resolve, reject),
      milliseconds,
      keepAlive,
    );
  });
  return Promise.race([task, limit]).finally(cancel);
}
