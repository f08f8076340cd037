import { setTimeout as wait } from "node:timers/promises";

const LONGEST = 2 ** 31 - 1; // ms; a longer timer would end at once

/** What `call` gives, or what `late` makes of it when it takes longer than `deadline` milliseconds. */
export async function within<T>(deadline: number, call: () => Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const lateness = new Promise<never>((_, reject) => {
    // Keeps the process alive: what waits for a keychain gets an answer.
    timer = setTimeout(() => reject(late()), Math.min(deadline, LONGEST));
  });
  try {
    return await Promise.race([call(), lateness]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits. */
export const pause = (delay: number): Promise<void> => wait(delay);
