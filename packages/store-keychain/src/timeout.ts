import { setTimeout as wait } from "node:timers/promises";

const MAX_TIMER = 2 ** 31 - 1; // ms; a longer timer would fire immediately

/** Returns the result of `call`. Rejects with `timeoutError()` if that takes longer than `milliseconds`. */
export async function withTimeout<T>(
  milliseconds: number,
  call: () => Promise<T>,
  timeoutError: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    // Not unref'ed: the process must stay alive until the caller learns the outcome.
    timer = setTimeout(() => reject(timeoutError()), Math.min(milliseconds, MAX_TIMER));
  });
  try {
    return await Promise.race([call(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for `delay` milliseconds. */
export const sleep = (delay: number): Promise<void> => wait(delay);
