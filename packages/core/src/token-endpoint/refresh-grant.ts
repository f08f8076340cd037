import * as oauth from "oauth4webapi";
import * as z from "zod/mini";
import { TokenEndpointError } from "../errors.ts";
import { expiryOf } from "../tokens/jwt.ts";
import { secretsOf } from "../tokens/token-set.ts";
import type { RefreshFunction, TokenResponse, TokenSet } from "../types.ts";
import { checkOptions, deadline, func, type OptionTable } from "../util/check-options.ts";
import { systemClock } from "../util/clock.ts";
import { readError, toEndpointError } from "./error-response.ts";

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

const DEADLINE = 30_000;

/**
 * Makes a refresh function for the refresh token grant ({@link https://www.rfc-editor.org/rfc/rfc6749#section-6 RFC 6749 §6}).
 * One POST per exchange; redirects are not followed.
 *
 * @throws TypeError for an option that makes no sense; it names the option and what is accepted
 */
export function oauth2Refresh(options: OAuth2RefreshOptions): RefreshFunction {
  checkOptions("oauth2Refresh", optionTable, options);
  const { timeout } = options;
  const { server, client, auth, send, endpoint, revocationEndpoint, secrets } = toClient(options);
  const refresh = (current: TokenSet, { signal }: { signal: AbortSignal }): Promise<TokenResponse> => {
    const token = current.refreshToken;
    if (token === undefined) throw new TypeError("refresh: the token set holds no refresh token to present.");
    return reporting([...secrets, ...secretsOf(current)], endpoint, async () => {
      const additionalParameters = parametersOf(options);
      const request = { ...send, signal, additionalParameters };
      return readTokens(await oauth.refreshTokenGrantRequest(server, client, auth, token, request), endpoint);
    });
  };
  const revoke = (tokens: TokenSet): Promise<void> =>
    reporting([...secrets, ...secretsOf(tokens)], revocationEndpoint, () =>
      within(timeout ?? DEADLINE, async (signal) => {
        const token = tokens.refreshToken ?? tokens.accessToken;
        const response = await oauth.revocationRequest(server, client, auth, token, { ...send, signal });
        if (!response.ok) throw toError(response, tryJson(await response.text()), revocationEndpoint);
        await response.body?.cancel();
      }),
    );
  return Object.assign(refresh, { timeout, revoke: revocationEndpoint === undefined ? undefined : revoke });
}

/** RFC 6749 §3.2: TLS, except where nothing leaves the machine (RFC 8252 §8.3); no fragment. */
function isEndpoint(given: unknown): boolean {
  if (!(typeof given === "string" || given instanceof URL) || !URL.canParse(given)) return false;
  const { protocol, username, password, hash, hostname } = new URL(given);
  if (username || password || hash) return false;
  return protocol === "https:" || (protocol === "http:" && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname));
}

const text = z.string().check(z.regex(/^\P{Surrogate}+$/u));
const endpoint = z.custom<string | URL>(isEndpoint);
const ENDPOINT = "an absolute URL, https or, on loopback, http, without user information or fragment";

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
  fetch: [func, "a function"],
  timeout: [deadline, "milliseconds above 0"],
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
  const isPlain = tokenEndpoint.protocol === "http:" || revocation?.protocol === "http:"; // on loopback, as was checked
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
    endpoint: nameOf(tokenEndpoint),
    revocationEndpoint: revocation && nameOf(revocation),
  };
}

/** The address for messages. A query may hold keys. */
const nameOf = ({ origin, pathname }: URL): string => `${origin}${pathname}`;

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

/** Whatever goes wrong becomes a TokenEndpointError that holds none of the secrets. */
async function reporting<T>(
  secrets: readonly string[],
  endpoint: string | undefined,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof TokenEndpointError) throw toEndpointError(error, secrets);
    throw toEndpointError(new TokenEndpointError({ sent: !isUnsent(error), endpoint, cause: error }), secrets);
  }
}

async function within<T>(milliseconds: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort(new DOMException(`No answer within ${milliseconds} ms.`, "TimeoutError"));
  const cancel = systemClock.setTimer(stop, milliseconds, true);
  return run(controller.signal).finally(cancel);
}

/** The body first, then the status: some servers answer 200 with an error in it, or `invalid_grant` with a 403. */
async function readTokens(response: Response, endpoint: string): Promise<TokenResponse> {
  const answer = tryJson(await response.text());
  if (response.ok && typeof answer?.access_token === "string") {
    return { expires_in: lifetimeByServer(answer.access_token, response), ...answer } as TokenResponse;
  }
  throw toError(response, answer, endpoint);
}

/** A JWT's `exp` is by the server's clock, as is its `Date`: what lies between them does not depend on ours. In seconds. */
function lifetimeByServer(accessToken: string, { headers }: Response): number | undefined {
  const lifetime = (expiryOf(accessToken) ?? Number.NaN) - Date.parse(headers.get("date") ?? "");
  return lifetime > 0 ? lifetime / 1000 : undefined;
}

function toError(response: Response, answer: unknown, endpoint: string | undefined): TokenEndpointError {
  const { ok, status } = response;
  const said = readError(answer);
  const cause = ok && said.error === undefined ? new Error("The answer holds no access_token.") : undefined;
  return new TokenEndpointError({ ...said, status, retryAfter: retryAfterOf(response), sent: true, endpoint, cause });
}

function tryJson(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
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

/** No connection, or no TLS: failures that come before any request. Their codes carry no system call. */
const NOT_SENT =
  /^(UND_ERR_CONNECT_TIMEOUT|CERT_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS_CERT_|ERR_SSL_(WRONG_VERSION|UNSUPPORTED_PROTOCOL|.*ALERT_(HANDSHAKE|PROTOCOL)))/;
const NO_TLS = /before secure TLS connection was established/; // its code is ECONNRESET, as later on
const CAUSES = 5;

/** Whether the request certainly did not leave. */
function isUnsent(error: unknown, depth = 0): boolean {
  if (typeof error !== "object" || error === null || depth > CAUSES) return false;
  const [code, syscall, cause, errors, message] = ["code", "syscall", "cause", "errors", "message"].map(
    (part): unknown => Reflect.get(error, part),
  );
  if (Array.isArray(errors)) return errors.length > 0 && errors.every((each) => isUnsent(each, depth + 1));
  if (syscall === "connect" || syscall === "getaddrinfo") return true;
  return NOT_SENT.test(String(code)) || NO_TLS.test(String(message)) || isUnsent(cause, depth + 1);
}
