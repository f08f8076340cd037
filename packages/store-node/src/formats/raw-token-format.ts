import { ConfigurationError, type FormattedSession, type SessionFormat } from "@unexpired/core";
import { hideTokens } from "./hide-tokens.ts";
import { unreadable } from "./unreadable.ts";

/** The characters of access tokens (RFC 6749 §A.12) without a space, and without those that begin or end JSON or HTML. */
const TOKEN = /^[!#-+\--;=?-Z^-z|~]+$/;

/**
 * Creates the format of a document that is nothing but an access token: what some programs keep in a file or in a
 * keychain. White space around the token, and a byte order mark, stay.
 *
 * Such a document has no room for a refresh token: `print` throws a `ConfigurationError` if the session has one, because
 * it would be lost. To move on to a document that has, pass this format to {@link migratingFormat} as the older one.
 *
 * `parse` and `print` throw a `StoreError` with the code `STORE_UNREADABLE` if the text is more than a token, such as
 * JSON, or the first part of it.
 */
export const rawTokenFormat = (): SessionFormat => Object.freeze({ key: "raw-token", parse, print });

const parse: SessionFormat["parse"] = (text) => {
  const token = text.trim();
  if (token === "") return undefined;
  if (!TOKEN.test(token)) throw unreadable("The document", "is not a bare access token");
  return { tokens: hideTokens({ accessToken: token }) };
};

const print: SessionFormat["print"] = (session, found) => {
  const stated = found === undefined ? undefined : parse(found)?.tokens.accessToken;
  const wanted = toToken(session);
  if (wanted === "") return stated === undefined ? found : undefined;
  if (found === undefined || stated === undefined) return wanted + (found ?? "");
  const start = found.length - found.trimStart().length;
  return found.slice(0, start) + wanted + found.slice(start + stated.length);
};

function toToken(session: FormattedSession | undefined): string {
  const { accessToken, refreshToken } = session?.tokens ?? { accessToken: "" };
  if (refreshToken)
    throw new ConfigurationError(
      "rawTokenFormat: a bare access token has no room for the session's refresh token, which would be lost. Use jsonFormat, with this format as an older one of migratingFormat.",
    );
  if (accessToken === "" || TOKEN.test(accessToken)) return accessToken;
  throw new ConfigurationError(
    "rawTokenFormat: the access token contains characters that a bare token cannot have. Use jsonFormat.",
  );
}
