import * as oauth from "oauth4webapi";
import { TokenEndpointError } from "./errors.ts";
import { typeOf } from "./options.ts";
import type { RefreshFunction, TokenResponse, TokenSet } from "./types.ts";

/** How the client proves who it is ({@link https://www.rfc-editor.org/rfc/rfc6749#section-2.3 RFC 6749 §2.3}). */
export type ClientAuth =
  | { readonly method: "none" }
  | { readonly method: "client_secret_basic" | "client_secret_post"; readonly clientSecret: string };

/** Options of {@link oauth2Refresh}. */
export interface OAuth2RefreshOptions {
  /** The token endpoint's URL: `https`, or `http` on this machine's loopback. */
  readonly tokenEndpoint: string | URL;
  readonly clientId: string;
  /** Default `{ method: "none" }`, for public clients. */
  readonly clientAuth?: ClientAuth | undefined;
  /** A narrower scope to ask for, space-separated. Default: what was granted. */
  readonly scope?: string | undefined;
  /** Which resource the token is for ({@link https://www.rfc-editor.org/rfc/rfc8707 RFC 8707}). */
  readonly resource?: string | readonly string[] | undefined;
  /** The revocation endpoint's URL ({@link https://www.rfc-editor.org/rfc/rfc7009 RFC 7009}); with it, `signOut` revokes. */
  readonly revocationEndpoint?: string | URL | undefined;
  /** The `fetch` to send with. Default: the global one. */
  readonly fetch?: typeof fetch | undefined;
  /** The exchange's deadline in milliseconds. Default 30,000. */
  readonly timeout?: number | undefined;
}

/**
 * Makes a refresh function for the refresh token grant ({@link https://www.rfc-editor.org/rfc/rfc6749#section-6 RFC 6749 §6}).
 * One POST per exchange; redirects are not followed.
 *
 * @throws TypeError for an option that makes no sense; it names the option and what is accepted
 */
export function oauth2Refresh(options: OAuth2RefreshOptions): RefreshFunction {
  const client = checkOptions(options);
  const refresh = async (current: TokenSet, { signal }: { signal: AbortSignal }): Promise<TokenResponse> => {
    if (current.refreshToken === undefined) throw new TokenEndpointError({ sent: false, endpoint: client.endpoint });
    const additionalParameters = parametersOf(options);
    const send = { ...client.send, signal, additionalParameters };
    const response = await oauth
      .refreshTokenGrantRequest(client.server, client.client, client.auth, current.refreshToken, send)
      .catch((error: unknown) => Promise.reject(toUnanswered(error, client.endpoint)));
    return readAnswer(response, client.endpoint);
  };
  const revoke = async (tokens: TokenSet): Promise<void> => {
    const signal = AbortSignal.timeout(options.timeout ?? 30_000);
    const token = tokens.refreshToken ?? tokens.accessToken;
    const response = await oauth.revocationRequest(client.server, client.client, client.auth, token, { ...client.send, signal });
    if (!response.ok) await readAnswer(response, client.endpoint);
  };
  return Object.assign(refresh, {
    timeout: options.timeout,
    revoke: options.revocationEndpoint === undefined ? undefined : revoke,
  });
}

const DEFAULT_METHOD: ClientAuth = { method: "none" };

function checkOptions(options: OAuth2RefreshOptions) {
  const { clientId, clientAuth = DEFAULT_METHOD, timeout } = options ?? {};
  const endpoint = checkEndpoint("tokenEndpoint", options?.tokenEndpoint);
  const revocation = options.revocationEndpoint === undefined ? undefined : checkEndpoint("revocationEndpoint", options.revocationEndpoint);
  if (typeof clientId !== "string" || clientId === "") throw new TypeError(`clientId: expected a non-empty string, not ${typeOf(clientId)}.`);
  if (options.fetch !== undefined && typeof options.fetch !== "function") throw new TypeError(`fetch: expected a function, not ${typeOf(options.fetch)}.`);
  if (timeout !== undefined && !(typeof timeout === "number" && timeout > 0 && Number.isFinite(timeout))) {
    throw new TypeError(`timeout: expected milliseconds above 0, not ${typeOf(timeout)}.`);
  }
  return {
    endpoint: endpoint.href,
    server: { issuer: endpoint.origin, token_endpoint: endpoint.href, ...(revocation && { revocation_endpoint: revocation.href }) },
    client: { client_id: clientId },
    auth: toClientAuth(clientAuth),
    send: { [oauth.allowInsecureRequests]: true, ...(options.fetch && { [oauth.customFetch]: options.fetch }) },
  };
}

/** RFC 6749 §3.2: TLS, except where nothing leaves the machine (RFC 8252 §8.3). */
function checkEndpoint(name: string, given: unknown): URL {
  const url = (typeof given === "string" || given instanceof URL) && URL.canParse(String(given)) ? new URL(given) : undefined;
  if (!url) throw new TypeError(`${name}: expected an absolute URL, not ${typeOf(given)}${typeof given === "string" ? " that is none" : ""}.`);
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback)) return url;
  throw new TypeError(`${name}: expected https (http only on loopback), not ${url.protocol}//${url.host}.`);
}

function toClientAuth(given: ClientAuth): oauth.ClientAuth {
  const method: unknown = given?.method;
  if (method === "none") return oauth.None();
  if (method !== "client_secret_basic" && method !== "client_secret_post") {
    throw new TypeError('clientAuth: expected { method: "none" } or { method: "client_secret_basic" | "client_secret_post", clientSecret }.');
  }
  const secret: unknown = "clientSecret" in given ? given.clientSecret : undefined;
  if (typeof secret !== "string" || secret === "") throw new TypeError(`clientAuth.clientSecret: expected a non-empty string, not ${typeOf(secret)}.`);
  return method === "client_secret_basic" ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret);
}

function parametersOf({ scope, resource }: OAuth2RefreshOptions): URLSearchParams {
  const parameters = new URLSearchParams();
  if (scope !== undefined) parameters.set("scope", scope);
  for (const each of resource === undefined ? [] : [resource].flat()) parameters.append("resource", each);
  return parameters;
}

/** The body first, then the status: some servers answer 200 with an error in it, or `invalid_grant` with a 403. */
async function readAnswer(response: Response, endpoint: string): Promise<TokenResponse> {
  const { status } = response;
  const body = await response.text().catch((error: unknown) => Promise.reject(toUnanswered(error, endpoint)));
  const answer = tryJson(body);
  if (response.ok && typeof answer?.access_token === "string") return answer as TokenResponse;
  throw new TokenEndpointError({
    error: textOf(answer?.error) ?? textOf(answer?.error_code),
    description: textOf(answer?.error_description),
    status,
    retryAfter: retryAfterOf(response),
    sent: true,
    endpoint,
    ...(response.ok && { cause: new Error("The answer holds no access_token.") }),
  });
}

const LONGEST_TEXT = 200;

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value.slice(0, LONGEST_TEXT) : undefined;

function tryJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // HTML, or nothing
  }
}

/** RFC 9110 §10.2.3: seconds, or a date, which is compared with the server's own clock. */
function retryAfterOf({ headers }: Response): number | undefined {
  const value = headers.get("retry-after");
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const delay = Date.parse(value) - Date.parse(headers.get("date") ?? "");
  return Number.isFinite(delay) ? Math.max(0, delay) : undefined;
}

/** TLS failures come before any request; their codes carry no system call. */
const NOT_SENT = /^(UND_ERR_CONNECT_TIMEOUT|CERT_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT_)/;

/** `sent` is false only where that is certain. */
const toUnanswered = (error: unknown, endpoint: string): TokenEndpointError =>
  new TokenEndpointError({ sent: !isUnsent(error), endpoint, cause: error });

function isUnsent(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isUnsent);
  const { code, syscall }: { code?: unknown; syscall?: unknown } = error;
  if (syscall === "connect" || syscall === "getaddrinfo") return true;
  return (typeof code === "string" && NOT_SENT.test(code)) || isUnsent(error.cause);
}
