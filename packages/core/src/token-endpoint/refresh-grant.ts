import * as oauth from "oauth4webapi";
import * as z from "zod/mini";
import { TokenEndpointError, UnexpiredError } from "../errors.ts";
import { expiryOf } from "../tokens/jwt.ts";
import { secretsOf } from "../tokens/token-set.ts";
import type { RefreshFunction, TokenResponse, TokenSet } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable, timeoutSchema } from "../util/check-options.ts";
import { systemClock } from "../util/clock.ts";
import { DEFAULT_TIMEOUT } from "../util/deadline.ts";
import { readError, toEndpointError } from "./error-response.ts";

/**
 * The client's authentication at the token endpoint ({@link https://www.rfc-editor.org/rfc/rfc6749#section-2.3 RFC 6749
 * §2.3}).
 */
export type ClientAuth =
  | { readonly method: "none" }
  | { readonly method: "client_secret_basic" | "client_secret_post"; readonly clientSecret: string };

/** Options of {@link oauth2Refresh}. */
export interface OAuth2RefreshOptions {
  /** The token endpoint's URL: `https`, or `http` on this machine's loopback. */
  readonly tokenEndpoint: string | URL;
  /** The client ID. */
  readonly clientId: string;
  /** The client authentication. Default: `{ method: "none" }`, for public clients. */
  readonly clientAuth?: ClientAuth | undefined;
  /** A narrower scope to request, space-separated. Default: the granted scope. */
  readonly scope?: string | undefined;
  /** The resource that the token is for ({@link https://www.rfc-editor.org/rfc/rfc8707 RFC 8707}). */
  readonly resource?: string | readonly string[] | undefined;
  /**
   * The revocation endpoint's URL ({@link https://www.rfc-editor.org/rfc/rfc7009 RFC 7009}). If given, `signOut`
   * revokes the tokens.
   */
  readonly revocationEndpoint?: string | URL | undefined;
  /** The `fetch` implementation to use. Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /** The deadline of an exchange in milliseconds, at most 20 minutes. Default 30,000. */
  readonly timeout?: number | undefined;
}

/**
 * Creates a refresh function for the refresh token grant ({@link https://www.rfc-editor.org/rfc/rfc6749#section-6 RFC
 * 6749 §6}). Each exchange is a single POST request, and redirects are not followed.
 *
 * @throws TypeError if an option is invalid; names the option and what is accepted
 */
export function oauth2Refresh(options: OAuth2RefreshOptions): RefreshFunction {
  const own = checkOptions("oauth2Refresh", optionTable, options);
  const { timeout } = own;
  const { server, client, auth, send, endpoint, revocationEndpoint, secrets } = toClient(own);
  const refresh = (current: TokenSet, { signal }: { signal: AbortSignal }): Promise<TokenResponse> => {
    const token = current.refreshToken;
    if (token === undefined)
      throw new TypeError("refresh: the token set contains no refresh token. Sign in with tokens that include one.");
    return withEndpointErrors([...secrets, ...secretsOf(current)], endpoint, async () => {
      const additionalParameters = parametersOf(own);
      const request = { ...send, signal, additionalParameters };
      return readTokens(await oauth.refreshTokenGrantRequest(server, client, auth, token, request), endpoint);
    });
  };
  const revoke = (tokens: TokenSet): Promise<void> =>
    withEndpointErrors([...secrets, ...secretsOf(tokens)], revocationEndpoint, () =>
      withTimeout(timeout ?? DEFAULT_TIMEOUT, async (signal) => {
        const token = tokens.refreshToken ?? tokens.accessToken;
        const response = await oauth.revocationRequest(server, client, auth, token, { ...send, signal });
        if (!response.ok) throw toError(response, tryJson(await response.text()), revocationEndpoint);
        await response.body?.cancel();
      }),
    );
  return Object.assign(refresh, { timeout, revoke: revocationEndpoint === undefined ? undefined : revoke });
}

/** RFC 6749 §3.2: requires TLS, except on loopback (RFC 8252 §8.3), and no fragment. */
function isEndpoint(given: unknown): boolean {
  const isUrl = typeof given === "string" || typeof Object(given).href === "string"; // a URL may be of another realm
  if (!isUrl || !URL.canParse(String(given))) return false;
  const { protocol, username, password, hash, hostname } = new URL(String(given));
  if (username || password || hash) return false;
  return protocol === "https:" || (protocol === "http:" && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname));
}

const text = z.string().check(z.regex(/^\P{Surrogate}+$/u));
const endpoint = z.custom<string | URL>(isEndpoint);
const ENDPOINT = "an absolute URL, https (or http on loopback), without user information or fragment";

const optionTable = {
  tokenEndpoint: [endpoint, ENDPOINT, "required"],
  clientId: [text, "a non-empty string", "required"],
  clientAuth: [
    z.union([
      z.object({ method: z.literal("none") }),
      z.object({ method: z.enum(["client_secret_basic", "client_secret_post"]), clientSecret: text }),
    ]),
    '{ method: "none" } or { method: "client_secret_basic" | "client_secret_post", clientSecret }',
  ],
  scope: [text, "a non-empty string, space-separated"],
  resource: [z.union([text, z.array(text)]), "a non-empty string, or an array of them"],
  revocationEndpoint: [endpoint, ENDPOINT],
  fetch: [functionSchema, "a function"],
  timeout: [timeoutSchema, "milliseconds above 0"],
} as const satisfies OptionTable & Record<keyof OAuth2RefreshOptions, unknown>;

function toClient(options: OAuth2RefreshOptions) {
  const tokenEndpoint = new URL(options.tokenEndpoint);
  const revocation = options.revocationEndpoint === undefined ? undefined : new URL(options.revocationEndpoint);
  const client = { client_id: options.clientId };
  const server = {
    issuer: tokenEndpoint.origin,
    token_endpoint: tokenEndpoint.href,
    ...(revocation && { revocation_endpoint: revocation.href }),
  };
  const auth = toClientAuth(options.clientAuth ?? { method: "none" });
  // isEndpoint allows http only on loopback
  const isPlain = tokenEndpoint.protocol === "http:" || revocation?.protocol === "http:";
  const send = { [oauth.allowInsecureRequests]: isPlain, ...(options.fetch && { [oauth.customFetch]: options.fetch }) };
  const headers = new Headers();
  void auth(server, client, new URLSearchParams(), headers);
  const { clientSecret } = { clientSecret: undefined, ...options.clientAuth };
  const secrets = [clientSecret, headers.get("authorization")?.replace("Basic ", "")].filter(
    (each) => each !== undefined,
  );
  return {
    server,
    client,
    auth,
    send,
    secrets,
    endpoint: withoutQuery(tokenEndpoint),
    revocationEndpoint: revocation && withoutQuery(revocation),
  };
}

/** Returns the URL for use in messages, without its query, which may contain keys. */
const withoutQuery = ({ origin, pathname }: URL): string => `${origin}${pathname}`;

function toClientAuth(given: ClientAuth): oauth.ClientAuth {
  switch (given.method) {
    case "none":
      return oauth.None();
    case "client_secret_basic":
      return oauth.ClientSecretBasic(given.clientSecret);
    case "client_secret_post":
      return oauth.ClientSecretPost(given.clientSecret);
  }
}

function parametersOf({ scope, resource }: OAuth2RefreshOptions): URLSearchParams {
  const parameters = new URLSearchParams();
  if (scope !== undefined) parameters.set("scope", scope);
  for (const each of resource === undefined ? [] : [resource].flat()) parameters.append("resource", each);
  return parameters;
}

/** Turns every failure of `run` into a `TokenEndpointError` that contains none of the secrets. */
async function withEndpointErrors<T>(
  secrets: readonly string[],
  endpoint: string | undefined,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const isKnown = UnexpiredError.is(error) && error.code === "TOKEN_ENDPOINT";
    const known = isKnown ? error : new TokenEndpointError({ sent: !isUnsent(error), endpoint, cause: error });
    throw toEndpointError(known, secrets);
  }
}

async function withTimeout<T>(milliseconds: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(new DOMException(`No response within ${milliseconds} ms.`, "TimeoutError"));
  const cancel = systemClock.setTimer(stop, milliseconds, true);
  return run(controller.signal).finally(cancel);
}

/** Checks the body before the status: some servers send errors with status 200, or `invalid_grant` with status 403. */
async function readTokens(response: Response, endpoint: string): Promise<TokenResponse> {
  const body = tryJson(await response.text());
  if (response.ok && typeof body?.access_token === "string") {
    return { expires_in: lifetimeByServer(body.access_token, response), ...body } as TokenResponse;
  }
  throw toError(response, body, endpoint);
}

/**
 * Returns the lifetime of a JWT in seconds, as the difference between its `exp` and the `Date` header. Both follow the
 * server's clock, so the result does not depend on ours.
 */
function lifetimeByServer(accessToken: string, { headers }: Response): number | undefined {
  const lifetime = (expiryOf(accessToken) ?? Number.NaN) - Date.parse(headers.get("date") ?? "");
  return lifetime > 0 ? lifetime / 1000 : undefined;
}

function toError(response: Response, body: unknown, endpoint: string | undefined): TokenEndpointError {
  const { ok, status } = response;
  const details = readError(body);
  const cause = ok && details.error === undefined ? new Error("The response contains no access_token.") : undefined;
  return new TokenEndpointError({
    ...details,
    status,
    retryAfter: retryAfterOf(response),
    sent: true,
    endpoint,
    cause,
  });
}

function tryJson(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // HTML, or an empty body
  }
}

/** Reads the delay in milliseconds (RFC 9110 §10.2.3). A date is compared with the server's own clock. */
function retryAfterOf({ headers }: Response): number | undefined {
  const value = headers.get("retry-after");
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const delay = Date.parse(value) - Date.parse(headers.get("date") ?? "");
  return Number.isFinite(delay) ? Math.max(0, delay) : undefined;
}

/** Codes of connection and TLS failures that precede any request. Such errors have no `syscall`. */
const NOT_SENT =
  /^(UND_ERR_CONNECT_TIMEOUT|CERT_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS_CERT_|ERR_SSL_(WRONG_VERSION|UNSUPPORTED_PROTOCOL|.*ALERT_(HANDSHAKE|PROTOCOL)))/;
const NO_TLS = /before secure TLS connection was established/; // the code, ECONNRESET, also occurs after sending
const CAUSES = 5;

/** Returns whether the request was certainly not sent. */
function isUnsent(error: unknown, depth = 0): boolean {
  if (typeof error !== "object" || error === null || depth > CAUSES) return false;
  const [code, syscall, cause, errors, message] = ["code", "syscall", "cause", "errors", "message"].map(
    (key): unknown => Reflect.get(error, key),
  );
  if (Array.isArray(errors)) return errors.length > 0 && errors.every((each) => isUnsent(each, depth + 1));
  if (syscall === "connect" || syscall === "getaddrinfo") return true;
  return NOT_SENT.test(String(code)) || NO_TLS.test(String(message)) || isUnsent(cause, depth + 1);
}
