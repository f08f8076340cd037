import { addSpent, currentDigest, type SessionRecord, serialiseRecord, tryParseRecord } from "./record.ts";

/**
 * Decides which string is current, for stores that keep the session in two places: `stored` is under compare-and-set;
 * `external` comes from a place that other programs write to.
 *
 * Returns `stored` if `external` is older (its refresh token is spent, or its tokens were obtained earlier), and a
 * merged string if `external` holds a newer session. If one of them is not a session, returns `external`; if that is
 * the invalid one, loading it then reports the error.
 */
export function reconcileRecords(stored: string, external: string): string {
  const [current, other] = [tryParseRecord(stored), tryParseRecord(external)];
  if (!other || !current) return external;
  if (!isNewer(other, current)) return stored;
  const spent = addSpent([...current.spent, ...other.spent], currentDigest(current), currentDigest(other));
  return serialiseRecord({ ...other, attempt: undefined, spent });
}

const isNewer = (other: SessionRecord, current: SessionRecord): boolean => {
  const digest = currentDigest(other);
  if (digest !== undefined && current.spent.includes(digest)) return false;
  if (digest !== undefined && digest !== currentDigest(current)) return true;
  return other.obtainedAt > current.obtainedAt && other.tokens?.accessToken !== current.tokens?.accessToken;
};
