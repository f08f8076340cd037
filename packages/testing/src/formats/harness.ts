import type { FormattedSession, SessionFormat } from "@unexpired/core";

/** A member of a session that a format can own. */
export type FormatField = "accessToken" | "refreshToken" | "expiresAt" | "scope" | "idToken" | "account" | "obtainedAt";

/** A document of the other program. */
export interface FormatDocument {
  /** A description, for messages: `a file with comments`. */
  readonly name: string;
  /**
   * Returns the text of the document with this session, byte for byte as the other program or its user would have it. The
   * session has all members that the format owns.
   */
  text(session: FormattedSession): string;
  /** Parts of the text that a sign-out, or `discard`, has to leave: comments, fields that the format does not know, other entries. */
  readonly keeps?: readonly string[] | undefined;
}

/** Gives the kit access to the format under test. */
export interface FormatHarness {
  readonly format: SessionFormat;
  /** The members of a session that the format owns. */
  readonly fields: readonly FormatField[];
  /** Documents that hold a session; at least one. */
  readonly documents: readonly FormatDocument[];
  /** The precision of times in milliseconds, such as 1,000 if the document states seconds. Default 1. */
  readonly precision?: number | undefined;
  /**
   * Two sessions or more to print, with different tokens and all members that the format owns, if it cannot hold those of
   * the kit.
   */
  readonly sessions?: readonly FormattedSession[] | undefined;
  /** Formats of other entries of the same documents. */
  readonly neighbors?: readonly SessionFormat[] | undefined;
  /** Texts that are unreadable, and contain the tokens of the session if possible. */
  readonly unreadable?: readonly UnreadableText[] | undefined;
}

/**
 * Returns a text that is unreadable; or describes a document of which only the entry is unreadable: then `keeps` lists parts
 * that `discard` of the format has to leave.
 */
export type UnreadableText = FormatDocument["text"] | FormatDocument;
