import { currentDigest, type SessionRecord, serialiseRecord, spend, tryParseRecord } from "./record.ts";

/**
 * For stores that keep the session in two places: which string is the truth, where `truth` is the one under
 * compare-and-set and `found` stands in a place that other programs write to.
 *
 * Returns `truth` where `found` is older (its refresh token is spent, or its tokens were obtained earlier), a merged
 * string where it holds a newer session, and `found` where that is no session at all: loading it then says so.
 */
export function reconcile(truth: string, found: string): string {
  const [current, other] = [tryParseRecord(truth), tryParseRecord(found)];
  if (!other || !current) return found;
  if (!isNewer(other, current)) return truth;
  const spent = spend([...current.spent, ...other.spent], currentDigest(current), currentDigest(other));
  return serialiseRecord({ ...other, attempt: undefined, spent });
}

const isNewer = (other: SessionRecord, current: SessionRecord): boolean => {
  const digest = currentDigest(other);
  if (digest !== undefined && current.spent.includes(digest)) return false;
  if (digest !== undefined && digest !== currentDigest(current)) return true;
  return other.obtainedAt > current.obtainedAt && other.tokens?.accessToken !== current.tokens?.accessToken;
};
