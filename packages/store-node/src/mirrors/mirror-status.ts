import type { ParsedSession, SessionFormat } from "@unexpired/core";
import {
  isNoLaterThan,
  isOfAccount,
  isReplacedIn,
  reconcileRecords,
  recordOfFound,
  shownOf,
} from "@unexpired/core/session-record";
import { isShown, markOfText, markOfTokens, printEntry } from "../documents/entry.ts";

/** How a document relates to the record of the primary. */
export type MirrorStatus =
  /** It shows the session of the record, or there is nothing to show. */
  | { readonly kind: "current" }
  /**
   * It shows an earlier state, and has to be written. `isOld`: it has never shown the session before, and holds one that does
   * not expire later.
   */
  | { readonly kind: "stale"; readonly isOld?: boolean }
  /** Another program put a newer session there; `value` is the resulting record. */
  | { readonly kind: "foreign"; readonly value: string; readonly expiresAt: number }
  /** Another program took the session out. It is left alone until it puts one there. */
  | { readonly kind: "emptied" }
  /** The format cannot read it: another program is writing it, or has spoiled it. */
  | { readonly kind: "torn"; readonly error: unknown }
  /** It holds the session of another account. */
  | { readonly kind: "other-account" };

/** The state in which a document is read. */
export interface Known {
  /** The record of the primary; `undefined` if it has none. */
  readonly value: string | undefined;
  /**
   * The marks of the sessions that the document has shown, or as {@link announced} is about to show; `undefined` if it has
   * never held the session.
   */
  readonly shown: readonly string[] | undefined;
  /** The current time in epoch milliseconds. */
  readonly now: number;
}

const ANNOUNCED = "new.";

/** Returns what is noted about a session that is about to be written: the document may show it, or not yet. */
export const announced = (mark: string): string => `${ANNOUNCED}${mark}`;

const isAnnounced = (noted: string): boolean => noted.startsWith(ANNOUNCED);

/** The session that was found in a document. */
export interface Copy {
  readonly session: ParsedSession;
  readonly record: string;
  readonly mark: string;
}

/** The status of a document, and the session in it, if any. */
interface Compared {
  readonly status: MirrorStatus;
  readonly copy?: Copy | undefined;
}

/**
 * Returns the mark that a document with this text has once it shows a record: a format may hold only some of the tokens.
 * `undefined` if it shows no session then, or cannot be printed.
 */
export function markShown(format: SessionFormat, value: string, text: string | undefined): string | undefined {
  try {
    return markOfText(format, printEntry(format, value, text));
  } catch {
    return undefined;
  }
}

/** Compares a document with this text with the record of the primary. A pure function. */
export function statusOf(format: SessionFormat, text: string | undefined, known: Known): Compared {
  try {
    const session = text === undefined ? undefined : format.parse(text);
    if (!session) return { status: { kind: kindOfEmpty(text, known) } };
    const copy = { session, record: recordOfFound(session, known.now), mark: markOfTokens(session.tokens) };
    return { status: statusOfCopy(format, { ...copy, text }, known), copy };
  } catch (error) {
    return { status: { kind: "torn", error } };
  }
}

function statusOfCopy(
  format: SessionFormat,
  { session, record, mark, text }: Copy & { readonly text: string | undefined },
  { value, shown, now }: Known,
): MirrorStatus {
  if (value === undefined) return foreign(record);
  const isNoted =
    [mark, announced(mark)].some((noted) => shown?.includes(noted)) && mark !== markShown(format, value, text);
  const isReplaced = isNoted || isReplacedIn(value, record);
  if (!isReplaced && !isOfAccount(value, session)) return { kind: "other-account" };
  const merged = isReplaced ? value : reconcileRecords(value, record, now);
  if (merged !== value && (shown !== undefined || !isNoLaterThan(value, record))) return foreign(merged);
  return isShown(format, value, text) ? { kind: "current" } : { kind: "stale", isOld: merged !== value };
}

function kindOfEmpty(text: string | undefined, { value, shown }: Known): "current" | "stale" | "emptied" {
  if (value === undefined || !shownOf(value)?.session) return "current";
  if (text === undefined) return shown ? "stale" : "current"; // a document that never held the session is not created
  return shown?.some((noted) => !isAnnounced(noted)) ? "emptied" : "stale";
}

function foreign(value: string): MirrorStatus {
  const { tokens } = JSON.parse(value) as { tokens: { expiresAt?: number } };
  return { kind: "foreign", value, expiresAt: tokens.expiresAt ?? 0 };
}
