import type { Clock } from "../types.ts";

const FIRST_DELAY = 1_000;
const MAX_DELAY = 60_000;

/**
 * How long to leave the token endpoint alone, in milliseconds: 1 s doubling to 60 s, minus up to a quarter by chance,
 * and never less than the server asked for.
 */
export function backoff(failures: number, retryAfter: number | undefined, clock: Clock): number {
  const delay = Math.min(FIRST_DELAY * 2 ** (failures - 1), MAX_DELAY) * (1 - clock.random() / 4);
  return Math.round(Math.max(delay, retryAfter ?? 0));
}
