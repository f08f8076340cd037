import { systemClock } from "../util/clock.ts";
import {
  addSeed,
  addSpent,
  compareRotations,
  currentDigest,
  isDerived,
  isSameAccount,
  isSpentIn,
  type SessionRecord,
  serializeRecord,
  spentBy,
  tryParseRecord,
} from "./record.ts";

/**
 * Decides which string is current, for stores that keep the session in two places: `stored` is under compare-and-set;
 * `external` comes from a place that other programs write to.
 *
 * Returns `stored` if `external` is older, and a merged string if `external` holds a newer or another session. If
 * `external` is not a session, returns it, and loading it then reports the error; if `stored` is not one, returns that.
 * `now` is the time in epoch milliseconds, by default that of the system.
 */
export function reconcileRecords(stored: string, external: string, now = systemClock.now()): string {
  const [current, other] = [tryParseRecord(stored), tryParseRecord(external)];
  if (!current) return stored;
  if (!other) return external;
  if (!isNewer(other, current, now)) return stored;
  const known = [...new Set([...spentBy(current), ...other.spent])];
  // A spent refresh token of another account is never presented: its session lasts as long as its access token.
  const spent = isSameAccount(current.account, other)
    ? addSpent(known, currentDigest(current), currentDigest(other))
    : addSpent(known, undefined, undefined);
  const ownSeeds = other.seeds ?? addSeed([], currentDigest(other));
  const seeds = (current.seeds ?? []).reduce((known, seed) => addSeed(known, seed), ownSeeds);
  return serializeRecord({ ...other, attempt: undefined, spent, seeds });
}

/** Returns whether `external` is a session, not signed out, of another account than that of `stored`. */
export function isOtherAccount(stored: string, external: string): boolean {
  const [current, other] = [tryParseRecord(stored), tryParseRecord(external)];
  return current !== undefined && other?.tokens !== undefined && !isSameAccount(current.account, other);
}

const isNewer = (other: SessionRecord, current: SessionRecord, now: number): boolean => {
  const order = compareRotations(other, current);
  if (order < 0) return false;
  if (!isSameAccount(current.account, other)) return other.tokens !== undefined;
  if (isSpentIn(current, other)) return false;
  if (order > 0) return true;
  const digest = currentDigest(other);
  if (digest !== undefined && digest !== currentDigest(current)) return !isStale(other, current, now);
  return other.obtainedAt > current.obtainedAt && other.tokens?.accessToken !== current.tokens?.accessToken;
};

/** Returns whether a session without a rotation number is probably an old copy: expired, and no later than ours. */
const isStale = (other: SessionRecord, current: SessionRecord, now: number): boolean => {
  const { expiresAt = Number.POSITIVE_INFINITY } = other.tokens ?? {};
  return isDerived(other) && expiresAt <= now && expiresAt <= (current.tokens?.expiresAt ?? Number.POSITIVE_INFINITY);
};
