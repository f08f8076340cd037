import * as oauth from "oauth4webapi";
import * as z from "zod/mini";
import { secretsOf } from "../tokens/token-set.ts";
import type { RefreshFunction, TokenResponse, TokenSet } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable, TIMEOUT, timeoutSchema } from "../util/check-options.ts";
import { DEFAULT_TIMEOUT } from "../util/deadline.ts";
import { discardBody } from "../util/discard-body.ts";
import { CLIENT_AUTH, type ClientAuth, clientAuthSchema, toClientAuth } from "./client-auth.ts";
import { deferRefresh } from "./deferred-refresh.ts";
import { toResponseError, withEndpointErrors } from "./endpoint-response.ts";
import { checkTransport, ENDPOINT, endpointSchema, secretsInQuery, withoutQuery } from "./endpoint-url.ts";
import { parametersOf, readTokens, withFetch, withTimeout } from "./request.ts";

/** Options of {@link oauth2Refresh}. */
export interface OAuth2RefreshOptions {
  /** The token endpoint's URL: `https`, or `http` on this machine. */
  readonly tokenEndpoint: string | URL;
  /** The client ID. */
  readonly clientId: string;
  /** The client's authentication. Default: `{ method: "none" }`, for public clients. */
  readonly clientAuth?: ClientAuth | undefined;
  /**
   * The issuer of the authorization server ({@link https://www.rfc-editor.org/rfc/rfc8414 RFC 8414}): the audience of a
   * signed client authentication. Default: the origin of the token endpoint.
   */
  readonly issuer?: string | undefined;
  /**
   * Whether endpoints may be plain `http` beyond this machine, for a server that only a private network reaches. Anyone on
   * the way can read and use the tokens. Default `false`.
   */
  readonly allowInsecure?: boolean | undefined;
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
 * Instead of options, you can pass a function that returns a promise of them, for a configuration that is known only after
 * discovery ({@link https://www.rfc-editor.org/rfc/rfc8414 RFC 8414}). It is called before the first exchange or
 * revocation, and its result is kept. It has 15 seconds. If it rejects, takes longer, or returns an invalid option, nothing
 * is sent: the exchange fails with the reason as its cause, and the next one calls the function again. The option `timeout`
 * then applies from the second exchange on; the first one has 30,000 ms, together with the function.
 *
 * @throws TypeError if an option is invalid; names the option and what is accepted
 */
export function oauth2Refresh(options: OAuth2RefreshOptions | (() => Promise<OAuth2RefreshOptions>)): RefreshFunction {
  return typeof options === "function" ? deferRefresh(async () => refreshAt(await options())) : refreshAt(options);
}

function refreshAt(options: OAuth2RefreshOptions): RefreshFunction {
  const own = checkOptions("oauth2Refresh", optionTable, options);
  const { timeout, tokenEndpoint, allowInsecure } = own;
  checkTransport({ tokenEndpoint, revocationEndpoint: own.revocationEndpoint }, allowInsecure);
  const { server, client, auth, send, endpoint, revocationEndpoint, secrets } = toClient(own);
  const refresh = (current: TokenSet, { signal }: { signal: AbortSignal }): Promise<TokenResponse> => {
    const token = current.refreshToken;
    if (token === undefined)
      throw new TypeError("refresh: the token set contains no refresh token. Sign in with tokens that include one.");
    return withEndpointErrors(
      () => [...secrets(), ...secretsOf(current)],
      { endpoint, timeout, signal },
      async (onSend) => {
        const additionalParameters = parametersOf(own);
        const request = { ...withFetch(send, onSend), signal, additionalParameters };
        return readTokens(await oauth.refreshTokenGrantRequest(server, client, auth, token, request), { endpoint });
      },
    );
  };
  const revocation = { endpoint: revocationEndpoint, kind: "revocation endpoint" };
  const revoke = (tokens: TokenSet): Promise<void> =>
    withTimeout(timeout ?? DEFAULT_TIMEOUT, (signal) =>
      withEndpointErrors(
        () => [...secrets(), ...secretsOf(tokens)],
        { ...revocation, timeout, signal },
        async (onSend) => {
          const token = tokens.refreshToken ?? tokens.accessToken;
          const request = { ...withFetch(send, onSend), signal };
          const response = await oauth.revocationRequest(server, client, auth, token, request);
          if (!response.ok) throw toResponseError(response, await response.text(), revocation);
          discardBody(response.body);
        },
      ),
    );
  const tokenOrigin = new URL(tokenEndpoint).origin;
  return Object.assign(refresh, {
    timeout,
    tokenOrigin,
    revoke: revocationEndpoint === undefined ? undefined : revoke,
  });
}

const text = z.string().check(z.regex(/^\P{Surrogate}+$/u));
const optionTable = {
  tokenEndpoint: [endpointSchema, ENDPOINT, "required"],
  clientId: [text, "a non-empty string", "required"],
  clientAuth: [clientAuthSchema, CLIENT_AUTH],
  issuer: [text, "a non-empty string"],
  allowInsecure: [z.boolean(), "true or false"],
  scope: [text, "a non-empty string, space-separated"],
  resource: [z.union([text, z.array(text)]), "a non-empty string, or an array of them"],
  revocationEndpoint: [endpointSchema, ENDPOINT],
  fetch: [functionSchema, "a function"],
  timeout: [timeoutSchema, TIMEOUT],
} as const satisfies OptionTable & Record<keyof OAuth2RefreshOptions, unknown>;

function toClient(options: OAuth2RefreshOptions) {
  const tokenEndpoint = new URL(options.tokenEndpoint);
  const revocation = options.revocationEndpoint === undefined ? undefined : new URL(options.revocationEndpoint);
  const client = { client_id: options.clientId };
  const server = {
    issuer: options.issuer ?? tokenEndpoint.origin,
    token_endpoint: tokenEndpoint.href,
    ...(revocation && { revocation_endpoint: revocation.href }),
  };
  const { auth, secrets } = toClientAuth(options.clientAuth ?? { method: "none" });
  const queries = [tokenEndpoint, ...(revocation ? [revocation] : [])].flatMap(secretsInQuery);
  const isPlain = tokenEndpoint.protocol === "http:" || revocation?.protocol === "http:"; // see checkTransport
  const send = { [oauth.allowInsecureRequests]: isPlain, [oauth.customFetch]: options.fetch };
  return {
    server,
    client,
    auth,
    send,
    secrets: () => [...queries, ...secrets],
    endpoint: withoutQuery(tokenEndpoint),
    revocationEndpoint: revocation && withoutQuery(revocation),
  };
}
