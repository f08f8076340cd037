import { setTimeout } from "node:timers/promises";

const LATE = Symbol("late");

/** What `call` gives, or what `late` makes of it when it takes longer than `deadline` milliseconds. */
export async function within<T>(deadline: number, call: () => Promise<T>, late: () => Error): Promise<T> {
  const abort = new AbortController();
  // Keeps the process alive: what waits for a keychain gets an answer.
  const timer = setTimeout(deadline, LATE, { signal: abort.signal }).catch(() => LATE);
  try {
    const first = await Promise.race([call(), timer]);
    if (first === LATE) throw late();
    return first as T;
  } finally {
    abort.abort();
  }
}

/** Waits. */
export const pause = (delay: number): Promise<void> => setTimeout(delay);
