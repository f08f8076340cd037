import { setTimeout as wait } from "node:timers/promises";

const MAX_TIMER = 2 ** 31 - 1; // ms; a longer timer would end at once

/** What `call` gives, or `timeoutError` when it takes longer than `deadline` milliseconds. */
export async function withTimeout<T>(deadline: number, call: () => Promise<T>, timeoutError: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    // Keeps the process alive: what waits for a keychain gets an answer.
    timer = setTimeout(() => reject(timeoutError()), Math.min(deadline, MAX_TIMER));
  });
  try {
    return await Promise.race([call(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits. */
export const sleep = (delay: number): Promise<void> => wait(delay);
