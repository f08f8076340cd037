import type { ParsedTokens, TokenSet } from "./types.ts";

/** A session as a {@link SessionFormat} prints it. */
export interface FormattedSession {
  readonly tokens: TokenSet;
  /** When the tokens were obtained, in epoch milliseconds. */
  readonly obtainedAt: number;
  /** Whose session it is; `undefined` if unknown. */
  readonly account?: string | undefined;
}

/** A session as a {@link SessionFormat} finds it in a document: whatever that document states of it. */
export interface ParsedSession {
  readonly tokens: ParsedTokens;
  /** When the tokens were obtained, in epoch milliseconds; `undefined` if the document does not state it. */
  readonly obtainedAt?: number | undefined;
  /** Whose session it is; `undefined` if the document does not state it. */
  readonly account?: string | undefined;
}

/**
 * Maps a session to its place in a document of another program, such as one entry of a JSON file. Its functions are pure
 * and synchronous, and read no clock. `describeSessionFormat` of `@unexpired/testing` checks these laws, up to the
 * precision in which the document states a time:
 *
 * - Printing a session into the document that it was parsed from changes nothing.
 * - Parsing a printed document returns the printed session, in the fields that the format owns.
 * - Every byte that the format does not own stays.
 * - A document without its session parses to `undefined`.
 * - Discarding an unreadable entry leaves no session, and everything else.
 */
export interface SessionFormat {
  /** Identifies the entry within the document: formats of different entries have different keys. No secrets. */
  readonly key: string;
  /**
   * Returns the session that `text` holds, or `undefined` if it holds none.
   *
   * @throws StoreError, or another error without secrets, if the text is unreadable: this is never `undefined`
   */
  parse(text: string): ParsedSession | undefined;
  /**
   * Returns the text of the document `found` with this session in place of its own; without a session (`undefined`), the
   * text after a sign-out. `found` is `undefined` if the document does not exist yet, and the result if it has to be
   * deleted.
   *
   * @throws StoreError, or another error without secrets, if `found` is unreadable
   */
  print(session: FormattedSession | undefined, found: string | undefined): string | undefined;
  /**
   * Returns the document without an entry that `parse` cannot read, for a sign-in over unreadable data: everything else stays.
   * Returns `undefined` if the document as a whole is unreadable: then a new one takes its place. Without this function, it
   * always does.
   *
   * @throws StoreError, or another error without secrets, if the entry cannot be told from the rest
   */
  discard?(found: string): string | undefined;
}
