import * as z from "zod/mini";
import type { ParsedTokens, TokenResponse, TokenSet, TokenSetInput } from "../types.ts";
import { toTime } from "../util/clock.ts";
import { setInspectView } from "../util/inspect.ts";
import { expiryOnArrival, fromIsoTime, isInSeconds, readExpiry, refreshExpiryOf, toLifetime } from "./expiry.ts";
import { claimsOf, expiryOf } from "./jwt.ts";

const text = z.string().check(z.minLength(1));

/** Stands for a secret in the JSON of a token set. */
export const PLACEHOLDER = "[secret]";
const isSecret = z.refine((value) => value !== PLACEHOLDER);
const secret = text.check(isSecret);

/** RFC 6749 §5.1. Requires only the access token: a received token must not be lost over another invalid parameter. */
const tokenResponse = z.looseObject({ access_token: secret });

const time = z.number().check(z.overwrite(toTime));

/** The schema of a token set, as passed by callers and as stored. A session without an access token has an empty one. */
export const tokenSetSchema = z.object({
  accessToken: z._default(z.string().check(isSecret), ""),
  refreshToken: z.optional(secret),
  expiresAt: z.optional(time),
  refreshTokenExpiresAt: z.optional(time),
  tokenType: z._default(text, "Bearer"),
  scope: z.optional(z.string()),
  idToken: z.optional(z.string().check(isSecret)),
  extra: z._default(z.record(z.string(), z.unknown()), {}),
});

const timeInput = z.optional(z.pipe(z.transform(fromIsoTime), time));
const tokenSetInput = z.object({
  ...tokenSetSchema.shape,
  accessToken: z.optional(secret),
  expiresAt: timeInput,
  refreshTokenExpiresAt: timeInput,
});

/**
 * Converts a token endpoint's response to a {@link TokenSet} ({@link https://www.rfc-editor.org/rfc/rfc6749#section-5.1
 * RFC 6749 §5.1}). `sentAt` is the time when the request was sent, in epoch milliseconds. The lifetime counts from it: the
 * shorter of `expires_in` and what a JWT tells. An `expires_in` of 0 counts as unknown.
 *
 * @throws TypeError if the response has no `access_token`, or `sentAt` is not a finite number
 */
export function tokenSetFromResponse(response: TokenResponse, options: { readonly sentAt: number }): TokenSet {
  if (!Number.isFinite(options?.sentAt)) {
    throw new TypeError(`sentAt: expected epoch milliseconds, not ${typeof options?.sentAt}.`);
  }
  const tokens = parseTokenResponse(response, options.sentAt);
  if (!tokens) throw new TypeError("response: expected a token endpoint's response with an access_token.");
  return tokens;
}

/** Like {@link tokenSetFromResponse}, but returns `undefined` if the response is not a successful one. */
export function parseTokenResponse(response: unknown, sentAt: number): TokenSet | undefined {
  const parsed = tokenResponse.safeParse(response);
  if (!parsed.success) return undefined;
  const { access_token, token_type, expires_in, refresh_token, scope, id_token, ...extra } = parsed.data;
  return hideSecrets({
    accessToken: access_token,
    refreshToken: secretOf(refresh_token),
    expiresAt: expiryOnArrival(access_token, toLifetime(expires_in), sentAt),
    refreshTokenExpiresAt: refreshExpiryOf(extra, sentAt),
    tokenType: textOf(token_type) ?? "Bearer",
    scope: Array.isArray(scope) ? scope.join(" ") : textOf(scope), // Twitch sends an array
    idToken: secretOf(id_token),
    extra: toPlain(extra),
  });
}

/** The changes by a response without an access token: the refresh token that was presented has been replaced. */
export type TokenUpdate = { readonly refreshToken: string } & Pick<TokenSet, "idToken" | "refreshTokenExpiresAt">;

/**
 * Reads a response, or a returned token set, that holds a refresh token and no access token; returns `undefined` if it is
 * another one.
 */
export function parseTokenUpdate(response: unknown, sentAt: number): TokenUpdate | undefined {
  const given = Object(response) as Readonly<Record<string, unknown>>;
  const refreshToken = secretOf(given.refresh_token) ?? secretOf(given.refreshToken);
  if (refreshToken === undefined) return undefined;
  const refreshTokenExpiresAt = refreshExpiryOf(given, sentAt) ?? readExpiry(given.refreshTokenExpiresAt);
  return { refreshToken, refreshTokenExpiresAt, idToken: secretOf(given.id_token ?? given.idToken) };
}

/** Returns the tokens of such a response, which belong to another account, so that they can be revoked. */
export const tokensOf = (update: TokenUpdate): TokenSet =>
  hideSecrets({ accessToken: "", tokenType: "Bearer", extra: {}, ...update });

/**
 * Reads a {@link TokenSetInput} that a refresh function returned; returns `undefined` if there is no access token.
 * Ignores every other member that is invalid: a received token must not be lost over it.
 */
export function parseReturnedTokens(returned: unknown): TokenSet | undefined {
  const given = Object(returned) as { readonly [Name in keyof TokenSetInput]?: unknown };
  const accessToken = secretOf(given.accessToken);
  if (accessToken === undefined) return undefined;
  return hideSecrets({
    accessToken,
    refreshToken: secretOf(given.refreshToken),
    expiresAt: readExpiry(given.expiresAt) ?? expiryOf(accessToken),
    refreshTokenExpiresAt: readExpiry(given.refreshTokenExpiresAt),
    tokenType: textOf(given.tokenType) ?? "Bearer",
    scope: textOf(given.scope),
    idToken: secretOf(given.idToken),
    extra: toPlain(Object(given.extra)),
  });
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/** Reads a token. The placeholder stands for one that was left out. */
const secretOf = (value: unknown): string | undefined => (value === PLACEHOLDER ? undefined : textOf(value));

/** Returns the parameters as they will be after storing and loading. */
const toPlain = (extra: Record<string, unknown>): Record<string, unknown> => {
  try {
    return JSON.parse(JSON.stringify(extra)) as Record<string, unknown>;
  } catch {
    return {}; // cyclic, or otherwise not from a JSON response
  }
};

/**
 * Validates a token set passed by a caller, and applies defaults.
 *
 * @throws TypeError that names the invalid field, never its value
 */
export function parseTokenSet(tokens: ParsedTokens): TokenSet {
  checkForms(tokens);
  const parsed = tokenSetInput.safeParse(tokens);
  if (!parsed.success) throw toFieldError(parsed.error.issues[0]);
  if (!(parsed.data.accessToken ?? parsed.data.refreshToken))
    throw new TypeError(`tokens: both accessToken and refreshToken are undefined. ${NEEDS_TOKEN}`);
  const { accessToken = "", expiresAt } = parsed.data;
  return hideSecrets({ ...parsed.data, accessToken, expiresAt: expiresAt ?? expiryOf(accessToken) });
}

const NEEDS_TOKEN = "A TokenSet needs at least an accessToken or a refreshToken.";

function toFieldError(issue: { readonly code?: string; readonly path: readonly PropertyKey[] } | undefined): TypeError {
  const field = issue?.path.join(".") || "the value";
  if (issue?.code === "custom")
    return new TypeError(
      `tokens: ${field} is the placeholder "${PLACEHOLDER}", because JSON.stringify(tokenSet) leaves out the secrets. Copy the token set first: JSON.stringify({ ...tokenSet }).`,
    );
  const hint =
    field === "expiresAt" || field === "refreshTokenExpiresAt"
      ? "Pass epoch milliseconds, such as Date.now() + 3_600_000, or a date and time of ISO 8601 with its time zone."
      : NEEDS_TOKEN;
  return new TypeError(`tokens: ${field} is invalid. ${hint}`);
}

/** Names of an expiry in other libraries: `expires_at`, `expiry_date`, `exp`. */
const OTHER_EXPIRY = /^(?:exp$|expir(?!esAt$))/i;

/** Recognizes what is easily taken for a token set: a token endpoint's response, and another name or unit of the expiry. */
function checkForms(tokens: ParsedTokens): void {
  const given = Object(tokens) as Readonly<Record<string, unknown>>;
  const { access_token, refresh_token } = given;
  if (access_token !== undefined || refresh_token !== undefined)
    throw new TypeError(
      "tokens: expected a TokenSet, not a token endpoint's response. Pass tokenSetFromResponse(response, { sentAt }).",
    );
  const other = given.expiresAt === undefined && Object.keys(given).find((name) => OTHER_EXPIRY.test(name));
  if (other && given[other] !== undefined)
    throw new TypeError(`tokens: ${other} is unknown. Pass expiresAt, in epoch milliseconds.`);
  const field = ["expiresAt", "refreshTokenExpiresAt"].find((name) => isInSeconds(given[name]));
  if (field) throw new TypeError(`tokens: ${field} is in seconds. Pass epoch milliseconds: multiply it by 1,000.`);
}

/**
 * Returns `next`, with everything that the server omitted taken from `previous` (RFC 6749 §6). The expiry of a refresh token
 * that has been replaced is not that of the new one.
 */
export function mergeTokenSets(previous: TokenSet, next: TokenSet): TokenSet {
  const refreshToken = next.refreshToken ?? previous.refreshToken;
  const knownExpiry = refreshToken === previous.refreshToken ? previous.refreshTokenExpiresAt : undefined;
  return hideSecrets({
    ...next,
    refreshToken,
    refreshTokenExpiresAt: next.refreshTokenExpiresAt ?? knownExpiry,
    scope: next.scope ?? previous.scope,
    idToken: next.idToken ?? previous.idToken,
    extra: { ...previous.extra, ...next.extra },
  });
}

type Secret = "accessToken" | "refreshToken" | "idToken" | "extra";

/** Keeps the secrets of a token set, and shows nothing of them in any output. */
class Secrets {
  readonly #secrets: Pick<TokenSet, Secret>;

  constructor(secrets: Pick<TokenSet, Secret>) {
    this.#secrets = secrets;
  }

  get(name: Secret): unknown {
    return this.#secrets[name];
  }
}

const SECRETS = Symbol("secrets");

interface Hidden {
  readonly [SECRETS]: Secrets;
}

const reading = (name: Secret) => ({
  enumerable: true,
  get(this: Hidden) {
    return this[SECRETS].get(name);
  },
});

/** Shared by all token sets, because a server holds thousands. */
const HIDING = {
  accessToken: reading("accessToken"),
  refreshToken: reading("refreshToken"),
  idToken: reading("idToken"),
  extra: reading("extra"),
  [SECRETS]: { enumerable: false },
};

function view(this: TokenSet) {
  const { expiresAt, refreshTokenExpiresAt, tokenType, scope } = this;
  const refreshToken = this.refreshToken === undefined ? undefined : PLACEHOLDER;
  return { accessToken: PLACEHOLDER, refreshToken, expiresAt, refreshTokenExpiresAt, tokenType, scope };
}

/**
 * Returns the frozen token set with non-enumerable `inspect` and `toJSON` methods that leave out the secrets. The
 * secrets are getters, because `console.dir` ignores these methods. Copying the token set copies their values.
 */
export function hideSecrets(tokens: TokenSet): TokenSet {
  const { accessToken, refreshToken, idToken, expiresAt, refreshTokenExpiresAt, tokenType, scope } = tokens;
  const secrets = { accessToken, refreshToken, idToken, extra: Object.freeze({ ...tokens.extra }) };
  const shown = { expiresAt, refreshTokenExpiresAt, tokenType, scope, [SECRETS]: new Secrets(secrets) };
  for (const name of Object.keys(tokens)) // those of a later release
    if (!Object.hasOwn(shown, name) && !Object.hasOwn(secrets, name))
      Reflect.set(shown, name, Reflect.get(tokens, name));
  return Object.freeze(setInspectView(Object.defineProperties(shown, HIDING) as typeof shown & TokenSet, view));
}

/** Returns the secrets of the token set, which must not appear in any output. */
export const secretsOf = (tokens: TokenSet | undefined): string[] =>
  [tokens?.accessToken, tokens?.refreshToken, tokens?.idToken].filter(
    (secret): secret is string => secret !== undefined && secret !== "",
  );

/** Returns the account of the tokens: `iss` and `sub` of the ID token, or of the access token if it is a JWT. */
export function accountOf(tokens: TokenSet): string | undefined {
  for (const token of [tokens.idToken, tokens.accessToken]) {
    const claims = token === undefined ? undefined : claimsOf(token);
    if (typeof claims?.sub === "string") return `${textOf(claims.iss) ?? ""} ${claims.sub}`;
  }
  return undefined;
}
