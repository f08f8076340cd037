import {
  type FoundSession,
  reconcileRecords,
  recordOfFound,
  type ShownSession,
  shownOf,
} from "@unexpired/core/session-record";
import { digestOf, type Generation, hasReplaced } from "../generations.ts";

/** How the session in another program's document relates to the latest generation. */
export type EntryStatus =
  /** It shows the latest generation, or there is nothing to show. */
  | { readonly kind: "current" }
  /** It shows an earlier state, and has to be written again. */
  | { readonly kind: "stale" }
  /** Another program wrote it; `value` is the resulting record. */
  | { readonly kind: "foreign"; readonly value: string }
  /** It held the session, and holds none now. */
  | { readonly kind: "emptied" }
  /** The document cannot be parsed: another program is writing it, or has spoiled it. */
  | { readonly kind: "torn" };

/** Maps a session to a document of another program and back. */
export interface SessionFormat {
  /** Identifies the entry within the document. */
  readonly key: string;
  /** Returns the session that the document holds. Throws if the document is unreadable. */
  parse(text: string): FoundSession | undefined;
  /**
   * Returns the document with the session in it, or without one (`undefined`: signed out), based on the text that was
   * found. Returns `undefined` to delete the document.
   */
  print(session: ShownSession | undefined, found: string | undefined): string | undefined;
}

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
const markOfTokens = ({ accessToken, refreshToken }: Pick<FoundSession["tokens"], "accessToken" | "refreshToken">) =>
  digestOf(JSON.stringify([accessToken ?? "", refreshToken ?? ""]));

/** An entry of a document: its status, and the mark of the session that it holds, if any. */
export interface Entry {
  readonly status: EntryStatus;
  readonly mark?: string | undefined;
}

/** Compares the document's text with the latest generation. A missing document has no text. */
export function readEntry(format: SessionFormat, text: string | undefined, known: Known): Entry {
  let found: FoundSession | undefined;
  let record = "";
  try {
    found = text === undefined ? undefined : format.parse(text);
    if (found) record = recordOfFound(found, known.now);
  } catch {
    return { status: { kind: "torn" } };
  }
  if (!found) return { status: statusOfEmpty(known) };
  const mark = markOfTokens(found.tokens);
  const { head } = known;
  if (!head) return { status: { kind: "foreign", value: record }, mark };
  const value = isReplaced(mark, known) ? head.value : reconcileRecords(head.value, record);
  if (value !== head.value) return { status: { kind: "foreign", value }, mark };
  const shown = shownOf(head.value);
  const isCurrent = !shown || format.print(shown.session, text) === text;
  return { status: { kind: isCurrent ? "current" : "stale" }, mark };
}

/** Returns whether the latest generation replaces a session that the document still shows: its writer was slow, or died. */
const isReplaced = (mark: string, { head, shownMarks }: Known): boolean =>
  head !== undefined && hasReplaced(head, mark) && !shownMarks.includes(shownMarkOf(head.value) ?? "");

/** Returns the mark of the session that a document shows of a record. */
export function shownMarkOf(value: string): string | undefined {
  const session = shownOf(value)?.session;
  return session && markOfTokens(session.tokens);
}

function statusOfEmpty({ head, shownMarks }: Known): EntryStatus {
  if (!head || !shownOf(head.value)?.session) return { kind: "current" };
  return { kind: shownMarks.length === 0 ? "stale" : "emptied" };
}
