import * as z from "zod/mini";
import type { TokenResponse, TokenSet, TokenSetInput } from "../types.ts";
import { toTime } from "../util/clock.ts";
import { printAs } from "../util/inspect.ts";
import { claimsOf, expiryOf, expiryOnArrival } from "./jwt.ts";

const text = z.string().check(z.minLength(1));

/** RFC 6749 §5.1. Only the access token is insisted on: a token that was received is not thrown away for the rest. */
const tokenResponse = z.looseObject({ access_token: text });

/** A token set as it is given to us and as it is stored. */
export const tokenSetSchema = z.object({
  accessToken: text,
  refreshToken: z.optional(text),
  expiresAt: z.optional(z.number()),
  tokenType: z._default(text, "Bearer"),
  scope: z.optional(z.string()),
  idToken: z.optional(z.string()),
  extra: z._default(z.record(z.string(), z.unknown()), {}),
});

/**
 * Makes a {@link TokenSet} of a token endpoint's answer ({@link https://www.rfc-editor.org/rfc/rfc6749#section-5.1 RFC 6749 §5.1}).
 * `sentAt` is when the request was sent, in epoch milliseconds: `expires_in` counts from there. Without `expires_in`,
 * a JWT's `exp` is taken.
 *
 * @throws TypeError where the answer holds no `access_token`, or `sentAt` is no number
 */
export function tokenSetFromResponse(response: TokenResponse, options: { readonly sentAt: number }): TokenSet {
  if (!Number.isFinite(options?.sentAt)) {
    throw new TypeError(`sentAt: expected epoch milliseconds, not ${typeof options?.sentAt}.`);
  }
  const tokens = parseTokenResponse(response, options.sentAt);
  if (!tokens) throw new TypeError("response: expected a token endpoint's answer with an access_token.");
  return tokens;
}

/** As {@link tokenSetFromResponse}; `undefined` where this is no successful answer. */
export function parseTokenResponse(response: unknown, sentAt: number): TokenSet | undefined {
  const parsed = tokenResponse.safeParse(response);
  if (!parsed.success) return undefined;
  const { access_token, token_type, expires_in, refresh_token, scope, id_token, ...extra } = parsed.data;
  const seconds = toSeconds(expires_in);
  return unprintable({
    accessToken: access_token,
    refreshToken: textOf(refresh_token),
    expiresAt: seconds === undefined ? expiryOnArrival(access_token, sentAt) : toTime(sentAt + seconds * 1000),
    tokenType: textOf(token_type) ?? "Bearer",
    scope: Array.isArray(scope) ? scope.join(" ") : textOf(scope), // an array: Twitch
    idToken: textOf(id_token),
    extra: toPlain(extra),
  });
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/** As it will be after it was stored and read again. */
const toPlain = (extra: Record<string, unknown>): Record<string, unknown> => {
  try {
    return JSON.parse(JSON.stringify(extra)) as Record<string, unknown>;
  } catch {
    return {}; // cyclic, or otherwise no answer's JSON
  }
};

/**
 * Checks and completes a token set given by a caller.
 *
 * @throws TypeError which names the field, and never its value
 */
export function parseTokenSet(tokens: TokenSetInput): TokenSet {
  const parsed = tokenSetSchema.safeParse(tokens);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join(".") || "the whole";
    throw new TypeError(`tokens: ${field} is not as a TokenSet has it: give at least { accessToken: string }.`);
  }
  const { accessToken, refreshToken, expiresAt, tokenType, scope, idToken, extra } = parsed.data;
  return unprintable({
    accessToken,
    refreshToken,
    expiresAt: expiresAt ?? expiryOf(accessToken),
    tokenType,
    scope,
    idToken,
    extra,
  });
}

/** The successor of `previous`: what the server left out stays as it was (RFC 6749 §6). */
export const succeed = (previous: TokenSet, next: TokenSet): TokenSet =>
  unprintable({
    ...next,
    refreshToken: next.refreshToken ?? previous.refreshToken,
    scope: next.scope ?? previous.scope,
    idToken: next.idToken ?? previous.idToken,
    extra: { ...previous.extra, ...next.extra },
  });

/** The token set with an `inspect` and a `toJSON` that leave the secrets out. Both are invisible otherwise. */
export function unprintable(tokens: TokenSet): TokenSet {
  const view = () => ({
    accessToken: "[secret]",
    refreshToken: tokens.refreshToken === undefined ? undefined : "[secret]",
    expiresAt: tokens.expiresAt,
    tokenType: tokens.tokenType,
    scope: tokens.scope,
  });
  return Object.freeze(printAs({ ...tokens, extra: Object.freeze({ ...tokens.extra }) }, view));
}

/** Everything in the token set that must not be shown. */
export const secretsOf = (tokens: TokenSet | undefined): string[] =>
  [tokens?.accessToken, tokens?.refreshToken, tokens?.idToken].filter((secret) => secret !== undefined);

/** Who the tokens belong to: `iss` and `sub` of the ID token, or of the access token where that is a JWT. */
export function accountOf(tokens: TokenSet): string | undefined {
  for (const token of [tokens.idToken, tokens.accessToken]) {
    const claims = token === undefined ? undefined : claimsOf(token);
    if (typeof claims?.sub === "string") return `${textOf(claims.iss) ?? ""} ${claims.sub}`;
  }
  return undefined;
}

const toSeconds = (value: unknown): number | undefined => {
  const seconds = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof seconds === "number" && Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
};
