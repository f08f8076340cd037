import { setTimeout as pauseFor } from "node:timers/promises";

/** Resolves after a number of milliseconds. */
export const pause = (milliseconds: number): Promise<void> => pauseFor(milliseconds);

/** Calls back after a number of milliseconds, without keeping the process alive. */
export const later = (run: () => void, milliseconds: number): void => {
  setTimeout(run, milliseconds).unref();
};

/** Returns a time in milliseconds that never jumps. */
export const monotonic = (): number => Number(process.hrtime.bigint() / 1_000_000n);
