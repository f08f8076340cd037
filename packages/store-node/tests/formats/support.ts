import type { FormattedSession, ParsedSession, SessionFormat, TokenSet } from "@unexpired/core";

/** Parts of a session, for {@link session}. */
export type Parts = Partial<TokenSet> & { readonly obtainedAt?: number; readonly account?: string };

/** Returns a session with these parts. */
export const session = ({ obtainedAt = 1_700_000_000_000, account, ...tokens }: Parts = {}): FormattedSession => ({
  tokens: { accessToken: "access-2", tokenType: "Bearer", extra: {}, ...tokens },
  obtainedAt,
  ...(account !== undefined && { account }),
});

/** Returns what a format found, as a caller passes it on to `print`. */
export const asFound = (parsed: ParsedSession | undefined): FormattedSession | undefined =>
  parsed && {
    tokens: { accessToken: "", tokenType: "Bearer", extra: {}, ...(parsed.tokens as Partial<TokenSet>) }, // no ISO 8601
    obtainedAt: parsed.obtainedAt ?? Number.NaN,
    ...(parsed.account !== undefined && { account: parsed.account }),
  };

/** Returns the message of the error that `parse` throws. */
export function problemOf(format: SessionFormat, text: string): string {
  try {
    format.parse(text);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return code === "STORE_UNREADABLE" ? message : `another error: ${message}`;
  }
  return "no error";
}
