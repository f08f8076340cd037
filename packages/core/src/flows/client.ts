import * as oauth from "oauth4webapi";
import * as z from "zod/mini";
import { ConfigurationError, SignInFailedError } from "../errors.ts";
import { CLIENT_AUTH, type ClientAuth, clientAuthSchema, toClientAuth } from "../token-endpoint/client-auth.ts";
import { ENDPOINT, endpointSchema } from "../token-endpoint/endpoint-url.ts";
import { readTokens } from "../token-endpoint/request.ts";
import { withTokenOrigin } from "../tokens/token-origin.ts";
import { tokenSetFromResponse } from "../tokens/token-set.ts";
import type { Clock, TokenResponse, TokenSet } from "../types.ts";
import type { OptionTable } from "../util/check-options.ts";
import { redact } from "../util/redact.ts";
import { type AuthorizationServer, checkServer } from "./authorization-server.ts";
import { discover, sendTable } from "./discovery.ts";
import { checkIdToken } from "./id-token.ts";
import { type OAuthOptions, type SendOptions, sendRequest } from "./server-request.ts";

/** Options of every flow: the client, and its server. */
export interface ClientOptions extends SendOptions {
  /** The issuer identifier, which is then discovered, or the server itself. */
  readonly issuer: string | URL | AuthorizationServer;
  /** The client ID. */
  readonly clientId: string;
  /** The client's authentication. Default: `{ method: "none" }`, for public clients. */
  readonly clientAuth?: ClientAuth | undefined;
  /**
   * The scope to request, space-separated. With `openid`, `authorizationCodeFlow` demands an ID token. An ID token is validated
   * in any case.
   */
  readonly scope?: string | undefined;
  /** The resource that the tokens are for ({@link https://www.rfc-editor.org/rfc/rfc8707 RFC 8707}). */
  readonly resource?: string | readonly string[] | undefined;
  /**
   * Whether endpoints may be plain `http` beyond this machine, for a server that only a private network reaches. Anyone on the
   * way can read and use the tokens. Default `false`.
   */
  readonly allowInsecure?: boolean | undefined;
}

export const textSchema = z.string().check(z.regex(/^\P{Surrogate}+$/u));
export const isServer = (given: unknown): given is AuthorizationServer =>
  typeof Object(given).tokenEndpoint === "string" && typeof Object(given).issuer === "string";

export const issuerOption = [
  z.union([endpointSchema, z.custom<AuthorizationServer>(isServer)]),
  `${ENDPOINT}, or { issuer, tokenEndpoint, ..., metadata }`,
  "required",
] as const satisfies OptionTable[string];

export const clientTable = {
  ...sendTable,
  issuer: issuerOption,
  clientId: [textSchema, "a non-empty string", "required"],
  clientAuth: [clientAuthSchema, CLIENT_AUTH],
  scope: [textSchema, "a non-empty string, space-separated"],
  resource: [z.union([textSchema, z.array(textSchema)]), "a non-empty string, or an array of them"],
} as const satisfies OptionTable & Record<keyof ClientOptions, unknown>;

/** Returns the server that an option names, after its discovery if necessary. */
export async function resolveServer(
  { issuer, fetch, timeout, allowInsecure }: Pick<ClientOptions, "issuer" | "allowInsecure" | keyof SendOptions>,
  signal: AbortSignal | undefined,
): Promise<AuthorizationServer> {
  if (isServer(issuer)) return checkServer(issuer, allowInsecure);
  return discover(issuer, { fetch, timeout, allowInsecure, signal });
}

/** A client of an authorization server whose endpoints are known. */
export interface Client {
  readonly server: AuthorizationServer;
  /** The same for `oauth4webapi`. */
  readonly as: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly auth: oauth.ClientAuth;
  /** Returns the secrets with which the client has authenticated. */
  readonly secrets: () => readonly string[];
  readonly send: SendOptions;
}

/** Finds the server, and prepares the client. */
export async function connect(options: ClientOptions, signal: AbortSignal | undefined): Promise<Client> {
  const { clientId, clientAuth = { method: "none" }, fetch, timeout } = options;
  const server = await resolveServer(options, signal);
  const { auth, secrets } = toClientAuth(clientAuth);
  return {
    server,
    as: {
      issuer: server.issuer,
      token_endpoint: server.tokenEndpoint,
      ...(server.deviceAuthorizationEndpoint !== undefined && {
        device_authorization_endpoint: server.deviceAuthorizationEndpoint,
      }),
      authorization_response_iss_parameter_supported:
        server.metadata.authorization_response_iss_parameter_supported === true,
    },
    client: { client_id: clientId },
    auth,
    secrets: () => secrets,
    send: { fetch, timeout },
  };
}

/** A request for tokens. */
export interface TokensRequest {
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  /** The secrets of the request, such as its code. */
  readonly secrets: readonly string[];
  /** The nonce that the ID token has to contain; with it, there has to be an ID token. */
  readonly nonce?: string | undefined;
}

interface Received {
  readonly body: TokenResponse;
  /** The time by the server's own clock in epoch milliseconds; `NaN` if it does not tell it. */
  readonly serverTime: number;
}

/**
 * Sends the request for tokens, and returns them with the origin of the token endpoint.
 *
 * @throws TokenEndpointError if the response holds no tokens
 * @throws SignInFailedError if its ID token is invalid
 */
export async function requestTokens(
  { server, as, client, secrets, send }: Client,
  request: TokensRequest,
  run: (options: OAuthOptions) => Promise<Response>,
): Promise<TokenSet> {
  const url = new URL(server.tokenEndpoint);
  let sentAt = 0;
  const { body, serverTime } = await sendRequest<Received>(
    { ...send, url, kind: "token endpoint", secrets: () => [...secrets(), ...request.secrets], signal: request.signal },
    async (options, { endpoint }) => {
      const response = await run(options);
      return {
        body: await readTokens(response, { endpoint }),
        serverTime: Date.parse(response.headers.get("date") ?? ""),
      };
    },
    () => {
      sentAt = request.clock.now();
    },
  );
  if (body.access_token === undefined) throw incomplete(url);
  await checkIdToken(body, { issuer: as.issuer, client, nonce: request.nonce, serverTime }).catch((error: unknown) => {
    throw invalidIdToken(error, [...secrets(), ...request.secrets, ...secretsIn(body)]);
  });
  return withTokenOrigin(tokenSetFromResponse(body, { sentAt }), url.origin);
}

const secretsIn = ({ access_token, refresh_token, id_token }: TokenResponse): string[] =>
  [access_token, refresh_token, id_token].filter((each) => typeof each === "string");

const incomplete = ({ host }: URL): ConfigurationError =>
  new ConfigurationError(
    `The token endpoint of ${host} returned a refresh token, but no access token. Request a scope of an API, besides those of OpenID Connect.`,
  );

/** The ID token of another issuer, client or sign-in is a sign of a mix-up; any other flaw is the server's. */
function invalidIdToken(error: unknown, secrets: readonly string[]): SignInFailedError {
  const { code, message } = Object(error) as { readonly code?: unknown; readonly message?: string };
  const reason = code === oauth.JWT_CLAIM_COMPARISON ? "mismatched" : "rejected";
  const hint = "The tokens were discarded. Check the issuer, the client ID and the clock of this machine.";
  const problem = `the server returned no valid ID token: ${message}`;
  return new SignInFailedError(reason, { problem, hint, cause: redact(error, secrets) });
}
