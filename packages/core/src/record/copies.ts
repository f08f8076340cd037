import { addSpent, currentDigest, serializeRecord, tryParseRecord } from "./record.ts";

/**
 * Returns the record with the refresh tokens of older copies listed as spent, so that they are never presented. Its own
 * refresh token is not among them. A copy is a record, as it was found in a document. Returns the same string if nothing
 * changes.
 */
export function withSpent(value: string, copies: readonly string[]): string {
  const record = tryParseRecord(value);
  if (!record) return value;
  const current = currentDigest(record);
  const added = copies
    .map((copy) => currentDigest(tryParseRecord(copy)))
    .filter((digest) => digest !== undefined && digest !== current && !record.spent.includes(digest));
  if (added.length === 0) return value;
  const spent = added.reduce((known, digest) => addSpent(known, digest, current), record.spent);
  return serializeRecord({ ...record, spent });
}

/** Returns whether a sign-in or a sign-out has replaced the session that a copy holds. */
export function isReplacedIn(value: string, copy: string): boolean {
  const record = tryParseRecord(value);
  const digest = currentDigest(tryParseRecord(copy));
  return digest !== undefined && digest !== currentDigest(record) && record?.seeds?.includes(digest) === true;
}

/**
 * Returns whether a copy holds another refresh token than a record with a live session, and does not expire later. An
 * unknown expiry counts as the earliest.
 */
export function isNoLaterThan(value: string, copy: string): boolean {
  const [record, other] = [tryParseRecord(value), tryParseRecord(copy)];
  if (!record?.tokens || record.dead || currentDigest(other) === currentDigest(record)) return false;
  return (other?.tokens?.expiresAt ?? 0) <= (record.tokens.expiresAt ?? 0);
}
