import * as oauth from "oauth4webapi";
import * as z from "zod/mini";
import { ConfigurationError, TokenEndpointError } from "../errors.ts";
import { toResponseError, tryJson } from "../token-endpoint/endpoint-response.ts";
import { checkTransport, ENDPOINT, endpointSchema, withoutQuery } from "../token-endpoint/endpoint-url.ts";
import {
  checkOption,
  checkOptions,
  functionSchema,
  type OptionTable,
  TIMEOUT,
  timeoutSchema,
} from "../util/check-options.ts";
import type { AuthorizationServer } from "./authorization-server.ts";
import { isEndpointError, isUnavailable, toSignInError } from "./failure.ts";
import { type SendOptions, sendRequest, without } from "./server-request.ts";

/** Options of {@link discover}. */
export interface DiscoverOptions extends SendOptions {
  /** Ends the discovery: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether the issuer and its endpoints may be plain `http` beyond this machine, for a server that only a private network
   * reaches. Anyone on the way can read and use the tokens. Default `false`.
   */
  readonly allowInsecure?: boolean | undefined;
}

const signalSchema = z.custom<AbortSignal>((value) => typeof Object(value).throwIfAborted === "function");

export const sendTable = {
  fetch: [functionSchema, "a function"],
  timeout: [timeoutSchema, TIMEOUT],
  allowInsecure: [z.boolean(), "true or false"],
} as const satisfies OptionTable;

export const discoverTable = {
  ...sendTable,
  signal: [signalSchema, "an AbortSignal"],
} as const satisfies OptionTable & Record<keyof DiscoverOptions, unknown>;

/**
 * Finds the endpoints of an authorization server by its issuer identifier: with
 * {@link https://www.rfc-editor.org/rfc/rfc8414#section-3 RFC 8414 §3}, then with OpenID Connect Discovery, each with the path
 * of the issuer behind and before the well-known one. Sends up to four requests, until one returns metadata with this issuer, or
 * one times out. Invalid endpoints are left out. If the issuer is `https`, those that are not are invalid, unless
 * `allowInsecure` is set.
 *
 * For Microsoft Entra, name the tenant, as in `https://login.microsoftonline.com/<tenant ID>/v2.0`: the metadata of `common` and
 * `organizations` names another issuer, so that they cannot be discovered.
 *
 * @throws ConfigurationError if there is no metadata, or only that of another issuer, or no valid token endpoint in it
 * @throws SignInFailedError with the reason `unreachable` if the server is failing or out of reach
 * @throws TypeError if an option is invalid
 */
export async function discover(issuer: string | URL, options: DiscoverOptions = {}): Promise<AuthorizationServer> {
  const own = checkOptions("discover", discoverTable, options);
  checkOption("issuer", [endpointSchema, ENDPOINT, "required"], issuer);
  checkTransport({ issuer }, own.allowInsecure);
  const misses: TokenEndpointError[] = [];
  for (const url of metadataUrls(new URL(issuer))) {
    const found = await load(url, own).catch(toMiss);
    if (isEndpointError(found)) misses.push(found);
    else if (sameUrl(found.issuer, issuer)) return toServer(found, own.allowInsecure);
    else misses.push(otherIssuer(found.issuer, url));
  }
  throw notFound(issuer, misses);
}

type Metadata = Readonly<Record<string, unknown>> & { readonly issuer: string };

const KIND = "metadata endpoint";
const WELL_KNOWN = ["oauth-authorization-server", "openid-configuration"];

/** Returns the URLs in order: RFC 8414 §3.1 puts the path of the issuer behind the well-known one, OpenID Connect before it. */
function metadataUrls(issuer: URL): URL[] {
  const path = issuer.pathname.replace(/\/$/, "");
  const behind = WELL_KNOWN.map((name) => `/.well-known/${name}${path}`);
  const before = WELL_KNOWN.map((name) => `${path}/.well-known/${name}`);
  return [...new Set([behind[0], before[1], behind[1], before[0]])].map((each) => new URL(`${issuer.origin}${each}`));
}

const load = (url: URL, own: DiscoverOptions): Promise<Metadata> =>
  sendRequest({ ...own, url, kind: KIND, signal: own.signal }, async ({ signal, [oauth.customFetch]: send }, name) => {
    const headers = { accept: "application/json" };
    const response = await send(url.href, { headers, redirect: "manual", signal });
    const text = await response.text();
    const metadata = tryJson(text);
    if (!response.ok) throw toResponseError(response, text, name);
    if (typeof metadata?.issuer !== "string" || !URL.canParse(metadata.issuer)) throw without("issuer", response, name);
    return metadata as Metadata;
  });

/**
 * Returns an error after which the next URL is worth a try: a response that is no metadata, or none at all. A browser hides a
 * response without CORS headers, and some servers cut the connection for paths that they do not know. After a time-out, the
 * other URLs would only take as long again.
 */
function toMiss(thrown: unknown): TokenEndpointError {
  if (!isEndpointError(thrown)) throw thrown;
  if (thrown.status === undefined && isTimeout(thrown.cause)) throw toSignInError(thrown);
  return thrown;
}

/** Returns whether an error, or one of its causes, is a time-out: that of the request, of `undici`, or of the system. */
function isTimeout(error: unknown): boolean {
  const { name, code, cause } = Object(error) as { readonly [member: string]: unknown };
  return /timed?out/i.test(`${name} ${code}`) || (cause !== undefined && isTimeout(cause));
}

export const sameUrl = (found: string, expected: string | URL): boolean =>
  new URL(found).href === new URL(expected).href;

const otherIssuer = (found: string, url: URL): TokenEndpointError =>
  new TokenEndpointError({
    status: 200,
    sent: true,
    endpoint: withoutQuery(url),
    endpointKind: KIND,
    description: `the metadata of another issuer, ${withoutQuery(new URL(found))}`,
  });

function notFound(issuer: string | URL, misses: readonly TokenEndpointError[]): Error {
  const failing = misses.find(isUnavailable);
  if (failing) return toSignInError(failing);
  const cause = misses.find(({ status }) => status === 200) ?? misses[0];
  return new ConfigurationError(
    `No metadata of the issuer ${withoutQuery(new URL(issuer))} was found. ${cause?.message}. Check the issuer. If the server publishes no metadata, pass its endpoints instead: { issuer, tokenEndpoint, ..., metadata: {} }.`,
    { cause },
  );
}

/** The members of the metadata that hold an endpoint. */
const ENDPOINTS = {
  tokenEndpoint: "token_endpoint",
  authorizationEndpoint: "authorization_endpoint",
  deviceAuthorizationEndpoint: "device_authorization_endpoint",
  registrationEndpoint: "registration_endpoint",
  revocationEndpoint: "revocation_endpoint",
} as const;

function toServer(metadata: Metadata, allowInsecure: boolean | undefined): AuthorizationServer {
  const { issuer } = metadata;
  const flawOf = (member: string) => flawOfEndpoint(member, metadata, allowInsecure);
  const flaw = flawOf(ENDPOINTS.tokenEndpoint);
  if (flaw) throw new ConfigurationError(`The metadata of ${issuer} is invalid: ${flaw.message}`, { cause: flaw });
  const valid = Object.entries(ENDPOINTS).filter(([, member]) => !flawOf(member));
  const endpoints: unknown = Object.fromEntries(valid.map(([name, member]) => [name, metadata[member]]));
  return { issuer, ...(endpoints as Record<"tokenEndpoint", string>), metadata };
}

/** Returns why a member of the metadata holds no endpoint that can be used. */
function flawOfEndpoint(member: string, metadata: Metadata, allowInsecure: boolean | undefined): TypeError | undefined {
  const { issuer, [member]: given } = metadata;
  try {
    checkOption(member, [endpointSchema, ENDPOINT, "required"], given);
    checkTransport({ [member]: given as string }, allowInsecure);
    if (!allowInsecure && isPlain(given as string) && !isPlain(issuer))
      throw new TypeError(
        `${member}: expected https, because the issuer is not on this machine. Such metadata could reach the programs here. If it is right, pass allowInsecure: true.`,
      );
    return undefined;
  } catch (error) {
    return error as TypeError;
  }
}

const isPlain = (url: string): boolean => new URL(url).protocol === "http:";
