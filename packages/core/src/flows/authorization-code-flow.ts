import * as oauth from "oauth4webapi";
import * as z from "zod/mini";
import { ConfigurationError, SignInFailedError, TokenEndpointError } from "../errors.ts";
import { withoutQuery } from "../token-endpoint/endpoint-url.ts";
import { toEndpointError } from "../token-endpoint/error-response.ts";
import { parametersOf } from "../token-endpoint/request.ts";
import type { Clock, TokenSetInput } from "../types.ts";
import { checkOption, checkOptions, type OptionTable } from "../util/check-options.ts";
import { completeClock } from "../util/clock.ts";
import { clockOption } from "../util/clock-option.ts";
import { ownOption } from "../util/own-options.ts";
import { redact } from "../util/redact.ts";
import { type Client, type ClientOptions, clientTable, connect, requestTokens } from "./client.ts";
import { isEndpointError, toSignInError } from "./failure.ts";

/** Options of {@link authorizationCodeFlow}. */
export interface AuthorizationCodeFlowOptions extends ClientOptions {
  /** The URI to which the server sends the user back. It can also be passed to `start`, if it is known only then. */
  readonly redirectUri?: string | undefined;
  /**
   * Additional parameters of the authorization request, such as `{ prompt: "consent" }`, without which some servers issue no
   * refresh token for the scope `offline_access`, or Google's `{ access_type: "offline" }`.
   */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** Time, for tests. Omitted members use the system clock. */
  readonly clock?: Partial<Clock> | undefined;
}

/** Options of one sign-in. */
export interface StartOptions {
  /** Replaces the option of the flow. */
  readonly redirectUri?: string | undefined;
  /** Ends the discovery: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A sign-in that has begun. It cannot be stored: only the program that began it can finish it. */
export interface AuthorizationRequest {
  /** The URL to open in the user's browser. */
  readonly url: string;
  /**
   * Finishes the sign-in with the URL to which the server has sent the user back, complete or relative to the redirect URI.
   * Rejects for the response to another sign-in, without an effect, and after the first response to this one.
   *
   * @throws SignInFailedError, ConfigurationError, or the signal's reason
   */
  finish(callbackUrl: string | URL, options?: { readonly signal?: AbortSignal | undefined }): Promise<TokenSetInput>;
}

/** Created by {@link authorizationCodeFlow}. */
export interface AuthorizationCodeFlow {
  /** Begins a sign-in. Each has a state and a PKCE verifier of its own. */
  start(options?: StartOptions): Promise<AuthorizationRequest>;
}

const redirectSchema = z.custom<string>((value) => typeof value === "string" && URL.canParse(value));
const redirectOption = [redirectSchema, "an absolute URL"] as const;

const table = {
  ...clientTable,
  redirectUri: redirectOption,
  parameters: [z.record(z.string(), z.string()), "an object of strings"],
  clock: clockOption,
} as const satisfies OptionTable & Record<keyof AuthorizationCodeFlowOptions, unknown>;

/**
 * Creates sign-ins with the authorization code grant: always with PKCE
 * ({@link https://www.rfc-editor.org/rfc/rfc7636 RFC 7636}, S256) and a `state`, with a `nonce` if the scope contains `openid`,
 * and with the `resource` in both requests ({@link https://www.rfc-editor.org/rfc/rfc8707 RFC 8707}). The `iss` of the response
 * is checked whenever it is present, and required if the server's metadata says that it sends one
 * ({@link https://www.rfc-editor.org/rfc/rfc9207 RFC 9207}).
 *
 * `finish` rejects with a `SignInFailedError` whose reason is `refused`, `mismatched` (another or no `state`, another `iss`,
 * redirect URI or ID token, or the second response), `rejected` or `unreachable`, or with a `ConfigurationError` if the server
 * rejects the client or its request.
 *
 * @throws TypeError if an option is invalid
 */
export function authorizationCodeFlow(options: AuthorizationCodeFlowOptions): AuthorizationCodeFlow {
  const own = checkOptions("authorizationCodeFlow", table, options);
  const reserved = Object.keys(own.parameters ?? {}).find((name) => RESERVED.includes(name));
  if (reserved !== undefined)
    throw new TypeError(`parameters: expected no ${reserved}, because the flow sends it itself. Leave it out.`);
  const clock = completeClock(own.clock ?? {});
  return {
    async start(startOptions) {
      const redirectUri = ownOption(startOptions, "redirectUri") ?? own.redirectUri;
      checkOption("redirectUri", [...redirectOption, "required"], redirectUri);
      const client = await connect(own, ownOption(startOptions, "signal"));
      return begin(client, { ...own, redirectUri: redirectUri as string, clock });
    },
  };
}

/** The parameters that protect the response, or that options set. */
const RESERVED = [
  "response_type",
  "response_mode",
  "client_id",
  "redirect_uri",
  "scope",
  "resource",
  "state",
  "nonce",
  "code_challenge",
  "code_challenge_method",
  "request",
  "request_uri",
];

type BeginOptions = Omit<AuthorizationCodeFlowOptions, "redirectUri" | "clock"> & {
  readonly redirectUri: string;
  readonly clock: Clock;
};

/** The values that tie the response to its request. */
interface Secrets {
  readonly state: string;
  readonly verifier: string;
  /** With the scope `openid`. */
  readonly nonce: string | undefined;
}

async function begin(client: Client, options: BeginOptions): Promise<AuthorizationRequest> {
  const { scope = "", redirectUri, clock, resource } = options;
  const secrets: Secrets = {
    state: oauth.generateRandomState(),
    verifier: oauth.generateRandomCodeVerifier(),
    nonce: scope.split(" ").includes("openid") ? oauth.generateRandomNonce() : undefined,
  };
  const url = await authorizationUrl(client, options, secrets);
  let isFinished = false;
  return {
    url: url.href,
    async finish(callbackUrl, finishOptions) {
      const signal = ownOption(finishOptions, "signal");
      signal?.throwIfAborted();
      const response = readCallback(client, callbackUrl, { redirectUri, secrets });
      if (isFinished) throw mismatch("its response has already been used");
      isFinished = true;
      if ("error" in response) throw response.error;
      const { parameters, code } = response;
      const request = { signal, clock, nonce: secrets.nonce, secrets: [code, ...hidden(secrets)] };
      return exchange(client, request, (send) => {
        const additionalParameters = parametersOf({ resource });
        const grant = [client.as, client.client, client.auth, parameters, redirectUri, secrets.verifier] as const;
        return oauth.authorizationCodeGrantRequest(...grant, { ...send, additionalParameters });
      });
    },
  };
}

const hidden = ({ state, verifier, nonce }: Secrets): string[] => [
  state,
  verifier,
  ...(nonce === undefined ? [] : [nonce]),
];

const KIND = "authorization endpoint";

async function authorizationUrl({ server, client }: Client, options: BeginOptions, secrets: Secrets): Promise<URL> {
  if (server.authorizationEndpoint === undefined)
    throw new ConfigurationError(
      `The authorization server ${server.issuer} has no valid authorization endpoint. Sign in with deviceFlow instead.`,
    );
  const url = new URL(server.authorizationEndpoint);
  const fixed = {
    response_type: "code",
    client_id: client.client_id,
    redirect_uri: options.redirectUri,
    state: secrets.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(secrets.verifier),
    code_challenge_method: "S256",
    ...(secrets.nonce !== undefined && { nonce: secrets.nonce }),
  };
  for (const [name, value] of Object.entries({ ...options.parameters, ...fixed })) url.searchParams.set(name, value);
  for (const [name, value] of parametersOf(options)) url.searchParams.append(name, value);
  return url;
}

interface ExpectedCallback {
  readonly redirectUri: string;
  readonly secrets: Secrets;
}

type Callback =
  | { readonly parameters: URLSearchParams; readonly code: string }
  /** The error for the response to this sign-in, which ends it. */
  | { readonly error: Error };

/**
 * Reads the response of the authorization endpoint.
 *
 * @throws SignInFailedError if it is not the response to this sign-in
 */
function readCallback(client: Client, callbackUrl: string | URL, { redirectUri, secrets }: ExpectedCallback): Callback {
  const url = toCallback(callbackUrl, redirectUri);
  const { searchParams } = url;
  const [error, description] = ["error", "error_description"].map((each) => searchParams.get(each) ?? undefined);
  const known = [...searchParams].filter(([name]) => !name.startsWith("error")).map(([, value]) => value);
  const said = responseError(client, { error, description, secrets: [...known, ...hidden(secrets)] });
  try {
    const parameters = oauth.validateAuthResponse(client.as, client.client, searchParams, secrets.state);
    const code = parameters.get("code");
    return code ? { parameters, code } : { error: toSignInError(responseError(client, { description: "no code" })) };
  } catch (thrown) {
    const { code, message = "" } = Object(thrown) as { readonly code?: unknown; readonly message?: string };
    if (code === oauth.AUTHORIZATION_RESPONSE_ERROR) return { error: toSignInError(said) };
    throw mismatch(withError(message, said), redact(thrown, [...searchParams.values(), ...hidden(secrets)]));
  }
}

/** Adds what the response says to a text, so that a refusal can be told from an attack. */
const withError = (text: string, { error, description }: TokenEndpointError): string =>
  error === undefined
    ? text
    : `${text}. It says: ${[error, description?.replace(/\.$/, "")].filter(Boolean).join(", ")}`;

/** Returns the URL of the response, which may be relative, as servers receive it. */
function toCallback(callbackUrl: string | URL, redirectUri: string): URL {
  if (!URL.canParse(String(callbackUrl), redirectUri))
    throw new TypeError("callbackUrl: expected the URL to which the server has redirected the user.");
  const [url, expected] = [new URL(String(callbackUrl), redirectUri), new URL(redirectUri)];
  const isSame = (["protocol", "host", "pathname"] as const).every((part) => url[part] === expected[part]);
  if (isSame) return url;
  const place = ({ protocol, host, pathname }: URL) => `${protocol}//${host}${pathname}`;
  throw mismatch(`it arrived at ${place(url)} instead of ${place(expected)}`);
}

const mismatch = (detail: string, cause?: Error): SignInFailedError =>
  new SignInFailedError("mismatched", { problem: `the response does not belong to it: ${detail}`, cause });

interface ResponseFlaw {
  readonly error?: string | undefined;
  readonly description?: string | undefined;
  readonly secrets?: readonly string[];
}

function responseError({ server, secrets }: Client, flaw: ResponseFlaw): TokenEndpointError {
  const endpoint = withoutQuery(new URL(server.authorizationEndpoint ?? server.issuer));
  const said = new TokenEndpointError({ ...flaw, sent: true, endpoint, endpointKind: KIND });
  return toEndpointError(said, [...secrets(), ...(flaw.secrets ?? [])]);
}

/** Exchanges the code. */
async function exchange(...[client, request, run]: Parameters<typeof requestTokens>): Promise<TokenSetInput> {
  try {
    return await requestTokens(client, request, run);
  } catch (error) {
    throw isEndpointError(error) ? toSignInError(error) : error;
  }
}
