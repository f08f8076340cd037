import type { FormattedSession, ParsedSession, SessionFormat } from "@unexpired/core";
import { reconcileRecords, recordOfFound, shownOf } from "@unexpired/core/session-record";
import { digestOf, type Generation, hasReplaced } from "../generations.ts";

/** How the session in another program's document relates to the latest generation. */
export type EntryStatus =
  /** It shows the latest generation, or there is nothing to show. */
  | { readonly kind: "current" }
  /** It shows an earlier state, and has to be written again. */
  | { readonly kind: "stale" }
  /** Another program wrote it; `value` is the resulting record. */
  | { readonly kind: "foreign"; readonly value: string }
  /** It has not shown the session yet, but the document is blank, because another program may be about to write it. */
  | { readonly kind: "blank" }
  /** It held the session, and holds none now. */
  | { readonly kind: "emptied" }
  /** The document cannot be parsed: another program is writing it, or has spoiled it. */
  | { readonly kind: "torn" };

/** Returns the name of the chain's directory: several entries of one document have a chain each. */
export const chainNameOf = ({ key }: SessionFormat): string => digestOf(key).slice(0, 22);

/** The latest generation, and what is known about the document. */
export interface Known {
  readonly head: Generation | undefined;
  /** The mark of the session that the document has shown last; none since the last sign-out. */
  readonly shownMarks: readonly string[];
  /** The current time in epoch milliseconds. */
  readonly now: number;
}

/** Identifies a session in a document, whatever surrounds it. */
const markOfTokens = ({ accessToken, refreshToken }: Pick<ParsedSession["tokens"], "accessToken" | "refreshToken">) =>
  digestOf(JSON.stringify([accessToken ?? "", refreshToken ?? ""]));

/** An entry of a document: its status, and the mark of the session that it holds, if any. */
export interface Entry {
  readonly status: EntryStatus;
  readonly mark?: string | undefined;
}

/** Compares the document's text with the latest generation. A missing document has no text. */
export function readEntry(format: SessionFormat, text: string | undefined, known: Known): Entry {
  let found: ParsedSession | undefined;
  let record = "";
  try {
    found = text === undefined ? undefined : format.parse(text);
    if (found) record = recordOfFound(found, known.now);
  } catch {
    return { status: { kind: "torn" } };
  }
  if (!found) return { status: statusOfEmpty(text, known) };
  const mark = markOfTokens(found.tokens);
  const { head, now } = known;
  if (!head) return { status: { kind: "foreign", value: record }, mark };
  const value = isReplaced(mark, known) ? head.value : reconcileRecords(head.value, record, now);
  if (value !== head.value) return { status: { kind: "foreign", value }, mark };
  const shown = shownOf(head.value);
  const isCurrent = !shown || format.print(withAccountOf(found, shown.session), text) === text;
  return { status: { kind: isCurrent ? "current" : "stale" }, mark };
}

/** A document that tells no account gets none: the one that the record knows may be derived from the tokens. */
const withAccountOf = (
  found: ParsedSession | undefined,
  session: FormattedSession | undefined,
): FormattedSession | undefined => (found && !found.account && session ? { ...session, account: undefined } : session);

/**
 * Returns the text of the document that shows a record. `undefined` deletes the document.
 *
 * @throws an error of the format
 */
export const printEntry = (format: SessionFormat, value: string, text: string | undefined): string | undefined =>
  format.print(withAccountOf(text === undefined ? undefined : format.parse(text), shownOf(value)?.session), text);

/**
 * Returns whether the latest generation replaces a session that the document still shows, or shows again since it was
 * torn: the writer of the generation was slow, or died.
 */
function isReplaced(mark: string, { head, shownMarks }: Known): boolean {
  if (!head || shownMarks.includes(shownMarkOf(head.value) ?? "")) return false;
  return hasReplaced(head, mark) || shownMarks.some((shown) => shown.startsWith(`${mark}.`));
}

/** Returns the mark of what a document shows of a record: of its tokens, and of the session that they belong to. */
export function shownMarkOf(value: string): string | undefined {
  const session = shownOf(value)?.session;
  return session && `${markOfTokens(session.tokens)}.${sessionMarkOf(value)}`;
}

/** Returns the mark of a session that was found in the document, and that the next generation will hold. */
export const foundMarkOf = (value: string): string => `~.${sessionMarkOf(value)}`;

/** Returns the mark of a session that is about to be written into the document, if any. */
export function printedMarkOf(value: string): string | undefined {
  const session = shownOf(value)?.session;
  return session && `${markOfTokens(session.tokens)}.~`;
}

const sessionMarkOf = (value: string): string => digestOf(shownOf(value)?.id ?? "");

/** The document is to show a session that it has never shown. */
function statusOfEmpty(text: string | undefined, { head, shownMarks }: Known): EntryStatus {
  if (!head || !shownOf(head.value)?.session) return { kind: "current" };
  const sessionMark = sessionMarkOf(head.value);
  if (shownMarks.some((mark) => mark.endsWith(`.${sessionMark}`))) return { kind: "emptied" };
  return { kind: text?.trim() === "" ? "blank" : "stale" };
}
