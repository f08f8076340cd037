import type { ParsedSession } from "../session-format.ts";
import { accountOf, parseTokenSet } from "../tokens/token-set.ts";
import { isSameAccount, serializeRecord, tryParseRecord } from "./record.ts";

/** Returns the ID by which documents name the store of a record, if it has one. */
export const primaryOf = (value: string): string | undefined => tryParseRecord(value)?.primary;

const ADDED = /^\{"primary":"[^"\\]*",/;

/** Returns the record with the ID of its store. What is not a record stays as it is. */
export function withPrimary(value: string, id: string): string {
  const record = tryParseRecord(value);
  if (!record || record.primary === id) return value;
  const isAddable = record.primary === undefined && value.startsWith("{");
  return isAddable ? `{"primary":${JSON.stringify(id)},${value.slice(1)}` : serializeRecord({ ...record, primary: id });
}

/** Returns the record as it was passed to {@link withPrimary}, which a caller that looks for its own string relies on. */
export const withoutPrimary = (value: string): string => value.replace(ADDED, "{");

/**
 * Returns whether a session that was found in a document belongs to the account of a record, as far as is known. If both
 * have tokens that tell the account, these decide: programs name accounts in different ways.
 */
export function isOfAccount(value: string, { tokens, account }: ParsedSession): boolean {
  const record = tryParseRecord(value);
  const stored = record?.tokens && accountOf(record.tokens);
  const found = accountOf(parseTokenSet(tokens));
  if (stored !== undefined && found !== undefined) return stored === found;
  return !record || isSameAccount(account, record);
}
