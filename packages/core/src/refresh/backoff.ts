import type { Clock } from "../types.ts";

const FIRST = 1_000;
const LONGEST = 60_000;

/**
 * How long to leave the token endpoint alone, in milliseconds: 1 s doubling to 60 s, minus up to a quarter by chance,
 * and never less than the server asked for.
 */
export function backoff(failures: number, retryAfter: number | undefined, clock: Clock): number {
  const delay = Math.min(FIRST * 2 ** (failures - 1), LONGEST) * (1 - clock.random() / 4);
  return Math.round(Math.max(delay, retryAfter ?? 0));
}
