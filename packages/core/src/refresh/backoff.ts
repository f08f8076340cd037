import type { Clock } from "../types.ts";

const FIRST_DELAY = 1_000;
const MAX_DELAY = 60_000;

/** Returns the longest delay that this process itself would wait after so many failures, in milliseconds. */
export const maxDelay = (failures: number): number => Math.min(FIRST_DELAY * 2 ** (failures - 1), MAX_DELAY);

/**
 * Returns the delay before the next request to the token endpoint, in milliseconds: 1 s, doubling up to 60 s, minus a
 * random part of up to a quarter, but never less than the server asked for.
 */
export function backoff(failures: number, retryAfter: number | undefined, clock: Clock): number {
  const delay = maxDelay(failures) * (1 - clock.random() / 4);
  return Math.round(Math.max(delay, retryAfter ?? 0));
}
