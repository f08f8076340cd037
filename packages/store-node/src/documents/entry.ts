import {
  ConfigurationError,
  type FormattedSession,
  type ParsedSession,
  type SessionFormat,
  StoreError,
  UnexpiredError,
} from "@unexpired/core";
import { reconcileRecords, recordOfFound, sessionOf, shownOf } from "@unexpired/core/session-record";
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
  /** The document cannot be parsed: another program is writing it, or has spoiled it. `cause`: what its format found. */
  | { readonly kind: "torn"; readonly cause?: UnexpiredError | undefined };

/** When an entry is written that does not show an earlier session. */
export interface Permissions {
  /** Whether it has been blank for long enough. */
  readonly canFill: boolean;
  /** Whether it is the unreadable one that is to be replaced. */
  readonly canReplace: boolean;
  /** Whether it holds what this process has just written: then a session has been published since, and we have hidden it. */
  readonly isOurs: boolean;
}

/** Returns whether an entry is to be written. */
export const needsWrite = ({ kind }: EntryStatus, { canFill, canReplace, isOurs }: Permissions): boolean =>
  kind === "stale" ||
  (kind === "blank" && canFill) ||
  (kind === "torn" && canReplace) ||
  (kind === "emptied" && isOurs);

/** Returns the name of the chain's directory: several entries of one document have a chain each. */
export const chainNameOf = ({ key }: SessionFormat): string => digestOf(key).slice(0, 22);

/** A note that the document has shown a session, or is about to. */
export interface ShownNote {
  /** The generation that was noted to be shown. */
  readonly number: number;
  readonly mark: string;
}

/** Marks of sessions, which are remembered beside a document. */
export interface Marks {
  /** The session that it has shown last; none since the last sign-out. */
  readonly shown: readonly ShownNote[];
  /** The marks of the tokens that processes are writing, or were when they died. */
  readonly writing: readonly string[];
}

export const NO_MARKS: Marks = { shown: [], writing: [] };

/** The latest generation, and what is known about the document. */
export interface Known {
  readonly head: Generation | undefined;
  readonly marks: Marks;
  /** The current time in epoch milliseconds. */
  readonly now: number;
}

/** Identifies a session in a document, whatever surrounds it. */
export const markOfTokens = ({
  accessToken,
  refreshToken,
}: Pick<ParsedSession["tokens"], "accessToken" | "refreshToken">) =>
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
    found = text === undefined ? undefined : assertSynchronous(format.parse(text));
    if (found) record = toRecord(found, known.now);
  } catch (error) {
    return { status: { kind: "torn", cause: toFormatError(error) } };
  }
  if (!found) return { status: statusOfEmpty(text, known) };
  const mark = markOfTokens(found.tokens);
  const { head } = known;
  if (!head) return { status: { kind: "foreign", value: record }, mark };
  const value = isReplaced(format, mark, known) ? head.value : reconcileRecords(head.value, record, known.now);
  if (value !== head.value) return { status: { kind: "foreign", value }, mark };
  return { status: { kind: isShown(format, head.value, text) ? "current" : "stale" }, mark };
}

/** @throws StoreError if a format returned a promise */
function assertSynchronous(found: ParsedSession | undefined): ParsedSession | undefined {
  const { then } = Object(found) as { readonly then?: unknown };
  if (typeof then !== "function") return found;
  Promise.resolve(found).catch(() => {}); // its rejection has no other handler
  throw formatError("returned a promise, not a session: its parse has to be synchronous");
}

/** @throws StoreError if a format returned an invalid session */
function toRecord(found: ParsedSession, now: number): string {
  try {
    return recordOfFound(found, now);
  } catch (error) {
    throw formatError(`returned an invalid session: ${(error as Error).message.replace(/\.$/, "")}`);
  }
}

/** Returns an error of this library as it is. The message of another one might show a part of the document. */
function toFormatError(error: unknown): UnexpiredError {
  if (UnexpiredError.is(error)) return error;
  const { name } = Object(error) as { readonly name?: unknown };
  return formatError(`failed with ${typeof name === "string" && /^\w{1,40}$/.test(name) ? name : "an exception"}`);
}

const formatError = (problem: string): StoreError =>
  new StoreError("STORE_UNREADABLE", { location: "the format", problem, hint: "Correct the format." });

/** Returns the problem with a torn document for an error. The messages of its format name the place, and no values. */
export function reasonOf(status: EntryStatus): {
  readonly problem: string;
  readonly cause: UnexpiredError | undefined;
} {
  const cause = status.kind === "torn" ? status.cause : undefined;
  const details = cause ? `: ${clauseOf(cause)}` : "";
  return { problem: `is not a document that its format can read${details}`, cause };
}

/** Returns a problem within a document as a clause. What to do about it depends on the store. */
const clauseOf = (cause: UnexpiredError): string =>
  UnexpiredError.is(cause) && cause.code === "STORE_UNREADABLE"
    ? `${cause.location} ${cause.problem}`.replace(/^The document /, "it ")
    : cause.message.replace(/\.$/, "");

/**
 * Returns whether a document already shows a record, as far as records like it are shown. What cannot be printed is not:
 * writing it then reports why.
 */
export function isShown(format: SessionFormat, value: string, text: string | undefined): boolean {
  try {
    return !shownOf(value) || printEntry(format, value, text) === text;
  } catch {
    return false;
  }
}

/**
 * Checks, before a record is saved, that a format can hold its session: also one that is not shown yet.
 *
 * @throws ConfigurationError of the format
 */
export function assertHolds(format: SessionFormat, value: string): void {
  try {
    format.print(sessionOf(value), undefined);
  } catch (error) {
    if (UnexpiredError.is(error) && error.code === "CONFIGURATION") throw error;
  }
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
export function printEntry(format: SessionFormat, value: string, text: string | undefined): string | undefined {
  const session = withAccountOf(text === undefined ? undefined : format.parse(text), shownOf(value)?.session);
  const next = format.print(session, text);
  if (!session || text === undefined || next !== undefined) return next;
  throw new ConfigurationError(
    "The session's format returned no text for a session, which would delete the document. Return the text of the document from its print function.",
  );
}

/**
 * Returns the text of a document that shows a record in place of an entry that the format cannot read. `text` is
 * `undefined` if it is not even UTF-8.
 *
 * @throws an error of the format
 */
export const printOver = (format: SessionFormat, value: string, text: string | undefined): string | undefined =>
  format.print(shownOf(value)?.session, text === undefined ? undefined : format.discard?.(text));

/**
 * Returns whether the latest generation replaces a session that the document still shows, or shows again since it was
 * torn: the writer of the generation was slow, or died.
 */
function isReplaced(format: SessionFormat, mark: string, { head, marks }: Known): boolean {
  if (!head) return false;
  const current = shownMarkOf(format, head.value) ?? "";
  if (current.startsWith(`${mark}.`)) return false;
  if (marks.writing.includes(mark)) return true;
  if (marks.shown.some((note) => note.mark === current)) return false;
  return hasReplaced(head, mark) || marks.shown.some((note) => note.mark.startsWith(`${mark}.`));
}

/** Returns the mark of what a document shows of a record: of its tokens, and of the session that they belong to. */
export function shownMarkOf(format: SessionFormat, value: string): string | undefined {
  const mark = writtenMarkOf(format, value);
  return mark && `${mark}.${sessionMarkOf(value)}`;
}

/** Returns the mark of a session that was found in the document, and is yet to be published. */
export const foundMarkOf = (value: string): string => `.${sessionMarkOf(value)}`;

/** Returns the mark of the tokens that a document holds once it shows a record, if any. */
export function writtenMarkOf(format: SessionFormat, value: string): string | undefined {
  const session = shownOf(value)?.session;
  return session && tokensMarkOf(format, session);
}

/** A format may hold only some of the tokens of a session. */
function tokensMarkOf(format: SessionFormat, session: FormattedSession): string {
  try {
    const mark = markOfText(format, format.print(session, undefined));
    if (mark !== undefined) return mark;
  } catch {
    // reported when the session is written
  }
  return markOfTokens(session.tokens);
}

/**
 * Returns the mark of the session in a text, if any.
 *
 * @throws an error of the format
 */
export function markOfText(format: SessionFormat, text: string | undefined): string | undefined {
  const session = text === undefined ? undefined : format.parse(text);
  return session && markOfTokens(session.tokens);
}

const sessionMarkOf = (value: string): string => digestOf(shownOf(value)?.id ?? "");

/** Returns the status of a document that is to show a session and holds none. */
function statusOfEmpty(text: string | undefined, { head, marks }: Known): EntryStatus {
  if (!head || !shownOf(head.value)?.session) return { kind: "current" };
  const sessionMark = sessionMarkOf(head.value);
  if (marks.shown.some(({ mark }) => mark.endsWith(`.${sessionMark}`))) return { kind: "emptied" };
  return { kind: text?.trim() === "" ? "blank" : "stale" };
}
