/**
 * The error codes for which another token of the same kind would not help: the token lacks a right, or the user has to
 * authenticate in another way ({@link https://www.rfc-editor.org/rfc/rfc6750#section-3.1 RFC 6750 §3.1},
 * {@link https://www.rfc-editor.org/rfc/rfc9470#section-3 RFC 9470 §3}, and Microsoft Entra's claims challenge).
 */
const NOT_ABOUT_THE_TOKEN = new Set(["insufficient_scope", "insufficient_user_authentication", "insufficient_claims"]);

/**
 * Returns whether a `WWW-Authenticate` header says that the token is valid, but not enough: every error that it names is
 * one of these. Only the `Bearer` challenges count; without any, all of them, because some APIs use other names.
 */
export function isAboutRights(header: unknown): boolean {
  const challenges = parseChallenges(String(header ?? ""));
  const bearer = challenges.filter(({ scheme }) => scheme === "bearer");
  const errors = (bearer.length > 0 ? bearer : challenges).flatMap(({ parameters }) => parameters.error ?? []);
  return errors.length > 0 && errors.every((error) => NOT_ABOUT_THE_TOKEN.has(error.toLowerCase()));
}

/** A challenge of {@link https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1 RFC 9110 §11.6.1}. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** By their names in lower case. The object has no prototype. */
  readonly parameters: { readonly [name: string]: string | undefined };
}

/** A parameter (name, and a quoted value or a token), a scheme, or a stray quoted string. */
const PARTS = /([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^\s",]+))|([^\s",=]+)|"(?:[^"\\]|\\.)*"?/gs;

/**
 * Parses a `WWW-Authenticate` header, without ever failing. Commas are ignored: they separate challenges and parameters alike,
 * and some servers omit them. Of a parameter that is repeated, the last value counts.
 */
export function parseChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  for (const [, name, quoted, token = "", scheme] of header.matchAll(PARTS)) {
    const challenge = challenges.at(-1);
    if (scheme) challenges.push({ scheme: scheme.toLowerCase(), parameters: Object.create(null) });
    else if (challenge && name) challenge.parameters[name.toLowerCase()] = unquote(quoted ?? token);
  }
  return challenges;
}

const unquote = (text: string): string => text.replace(/\\(.)/gs, "$1");
