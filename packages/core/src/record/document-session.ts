import type { FormattedSession, ParsedSession } from "../session-format.ts";
import { parseTokenSet } from "../tokens/token-set.ts";
import { addSeed, currentDigest, endRecord, type SessionRecord, serializeRecord, tryParseRecord } from "./record.ts";

/** The part of a record that other programs may see: a session, the end of one (`undefined`), or nothing. */
export type Shown =
  | {
      readonly session: FormattedSession | undefined;
      /** Identifies the session, whatever its tokens are by now. */
      readonly id: string | undefined;
    }
  | undefined;

/**
 * Returns the record of a session that was found at the time `now`, in epoch milliseconds. Its ID is derived from its
 * tokens, because the document has none.
 *
 * @throws TypeError if the token set is invalid
 */
export function recordOfFound({ tokens, obtainedAt, account }: ParsedSession, now: number): string {
  const found = { schema: 1 as const, account, tokens: parseTokenSet(tokens), obtainedAt: obtainedAt ?? now };
  return serializeRecord({ ...found, spent: [], seeds: addSeed([], currentDigest(found)) });
}

/**
 * Returns what a document shows of a record. `undefined` leaves the document as it is: a verdict of the server is not
 * shown to other programs, nor is a session that has no access token yet.
 */
export function shownOf(value: string): Shown {
  const record = tryParseRecord(value);
  if (!record) return undefined;
  const { session: id, dead } = record;
  if (dead) return dead.reason === "signed_out" ? { id, session: undefined } : undefined;
  return record.tokens?.accessToken ? { id, session: toSession(record) } : undefined;
}

/** Returns the session of a record, whether a document shows it or not yet. */
export function sessionOf(value: string): FormattedSession | undefined {
  const record = tryParseRecord(value);
  return record && toSession(record);
}

const toSession = ({ tokens, obtainedAt, account }: SessionRecord): FormattedSession | undefined =>
  tokens && { tokens, obtainedAt, account };

/** Returns the record of a session that another program signed out at the time `now`, in epoch milliseconds. */
export function signedOutRecord(value: string, now: number): string {
  const record: SessionRecord = tryParseRecord(value) ?? { schema: 1, obtainedAt: now, spent: [] };
  const dead = { reason: "signed_out", digest: currentDigest(record) };
  return serializeRecord({ ...endRecord(record, dead), obtainedAt: now });
}
