import { ConfigurationError } from "../errors.ts";
import type { RejectingResponse, TokenSource } from "../types.ts";
import { hideResult } from "../util/inspect.ts";
import { ownOptions } from "../util/own-options.ts";
import { settleInTime } from "../util/settle-in-time.ts";
import {
  assertTokenSource,
  isRejectionFor,
  requestReplacement,
  requestTokens,
  sourceOfCall,
} from "../util/token-source.ts";
import { isAboutRights } from "./challenge.ts";
import { headerOf, type ResponseHeaders, toReadable } from "./headers.ts";
import { type OriginOptions, toPredicate } from "./origins.ts";
import type { RequestTokenOptions, WithRequestOptions } from "./per-request.ts";
import { surfaceUseless } from "./surfaced.ts";

/** Options of {@link createAuthorizer}. `Response` is the client's own type. */
export interface AuthorizerOptions<Response> extends OriginOptions {
  /**
   * Returns whether the server rejected the token. Default: the status is 401, or one that the token source names in
   * `isRejection`, and the challenge names none of `insufficient_scope`, `insufficient_user_authentication` and
   * `insufficient_claims`. A promise has 30 seconds to settle.
   */
  readonly isUnauthorized?: ((response: Response) => boolean | Promise<boolean>) | undefined;
}

/** The properties of a request that the policy needs before it is sent. */
export interface OutgoingRequest {
  /**
   * The destination, complete with the base URL and the query that the client adds; `undefined` if the client will reject
   * it, or connects to something that has no origin.
   */
  readonly url: URL | undefined;
  /**
   * The request's own `Host` header, if it has one. If it names another host than `url`, the request is sent without the
   * token: Node.js checks the server's certificate against this header, and a server may pass the request on to the host
   * that it names.
   */
  readonly host?: string | null | undefined;
  /** The caller's signal. Aborts the wait for a token with its reason; the exchange continues for other callers. */
  readonly signal?: AbortSignal | null | undefined;
  /** The option that `perRequest` adds to a request. */
  readonly unexpired?: WithRequestOptions["unexpired"] | undefined;
}

/** The properties of a response that the policy needs. */
export interface ResponseInfo<Response> {
  /** The client's own response, for `isUnauthorized`. */
  readonly response: Response;
  /** The HTTP status. */
  readonly status: number;
  /** The headers, if the client has them: a `Headers` or similar object, or a plain object. */
  readonly headers: ResponseHeaders | undefined;
  /**
   * The URL that the response came from, after redirects, if the client exposes it. If its path or query differs from
   * that of the destination, the request counts as redirected.
   */
  readonly url?: string | undefined;
  /**
   * The request's method, if redirects may have been followed. A redirected request is retried only if it is a GET or
   * HEAD.
   */
  readonly method?: string | undefined;
  /** The request's body, in whatever form the client keeps it. A stream or an iterator can be sent only once. */
  readonly body?: unknown;
}

/** The policy behind every HTTP adapter: which requests get a token, and how a 401 is handled. */
export interface Authorizer<Response> {
  /**
   * Returns the token for a request, or `undefined` if the request must be sent without one: it goes to another origin,
   * its `Host` header names another host, its URL contains user information, or its caller opted out.
   *
   * @throws the errors of `getAccessToken`; ConfigurationError if the token's type needs a proof of possession
   */
  authorize(request: OutgoingRequest): Promise<Authorization<Response> | undefined>;
  /** Returns whether the token may be sent along with a redirect. */
  mayFollow(from: URL, to: URL): boolean;
}

/** The policy of one client. */
interface Policy<Response> {
  readonly isUnauthorized: AuthorizerOptions<Response>["isUnauthorized"];
  mayFollow(from: URL, to: URL): boolean;
  toHeader(accessToken: string): string;
}

/** A request that gets a token. */
interface AuthorizedRequest extends Pick<OutgoingRequest, "signal"> {
  readonly url: URL;
  readonly source: TokenSource;
  /** Whether a 401 is retried. */
  readonly retry: boolean;
}

/** The token of one request. Hides it from `util.inspect` and `JSON.stringify`. */
export class Authorization<Response> {
  readonly #policy: Policy<Response>;
  readonly #request: AuthorizedRequest;
  /** The token that was sent last. */
  #accessToken: string;
  readonly #header: string;

  /** Adapters obtain instances from {@link Authorizer.authorize}. */
  constructor(policy: Policy<Response>, request: AuthorizedRequest, accessToken: string) {
    this.#policy = policy;
    this.#request = request;
    this.#accessToken = accessToken;
    this.#header = policy.toHeader(accessToken);
  }

  /** The value of the `Authorization` header. */
  get header(): string {
    return this.#header;
  }

  /** Returns whether a response with this status certainly accepts the token: {@link renew} then resolves to `undefined`. */
  accepts(status: number): boolean {
    return !this.#policy.isUnauthorized && !this.#request.source.isRejection && status !== 401;
  }

  /**
   * Returns the header for retrying the request, or `undefined` if the caller should get the response: it is not a 401,
   * or the 401 concerns permissions rather than the token, or the token is too recent for a new one to help, or the
   * request cannot be sent twice (the token is then refreshed for the next call). Call this once per request.
   *
   * @throws SignInRequiredError, RefreshFailedError, ConfigurationError, StoreError if the refresh failed; also the
   * errors of `isUnauthorized`, and a `TimeoutError` if that does not settle within 30 seconds
   */
  renew(info: ResponseInfo<Response>): Promise<string | undefined> {
    return this.accepts(info.status) ? ACCEPTED : hideResult(this.#renew(info));
  }

  async #renew(info: ResponseInfo<Response>): Promise<string | undefined> {
    const { url, source, signal, retry } = this.#request;
    const responseUrl = toUrl(info.url ?? "", url);
    // a redirect to another origin went without the token, so its response says nothing about the token
    if (!this.#policy.mayFollow(url, responseUrl)) return undefined;
    if (!(await settleInTime(this.#isRejected(info), { signal, message: LATE }))) return undefined;
    const renewal = requestReplacement(source, this.#accessToken, { signal, response: toRejecting(info) });
    if (!retry || !canRepeat(info, isRedirect(url, responseUrl))) {
      renewal.catch(() => {}); // the next call runs into the same error, and throws it
      return undefined;
    }
    const renewed = await renewal.catch(surfaceUseless(info.status));
    if (renewed === undefined) return undefined;
    this.#accessToken = renewed;
    return this.#policy.toHeader(renewed);
  }

  #isRejected(info: ResponseInfo<Response>): boolean | Promise<boolean> {
    const { isUnauthorized } = this.#policy;
    if (isUnauthorized) return isUnauthorized(info.response);
    return isInvalidToken(info, this.#request.source, this.#accessToken);
  }

  /**
   * Tells the token source of the response to the retry, which the caller gets in any case: a pool then puts aside the entry of
   * the second token, too, after a 402 or 429. Any other source, and a second 401, are left alone.
   */
  report(info: Pick<ResponseInfo<Response>, "status" | "headers">): void {
    if (this.#policy.isUnauthorized || info.status === 401 || this.accepts(info.status)) return;
    void this.#report(info).catch(() => {}); // the next call runs into the same error
  }

  async #report(info: RejectingInfo): Promise<void> {
    const { source } = this.#request;
    if (!isInvalidToken(info, source, this.#accessToken)) return;
    await requestReplacement(source, this.#accessToken, { response: toRejecting(info) });
  }
}

/**
 * Creates the policy for the requests of one client. Reads `origins` once.
 *
 * @throws TypeError if `tokens` is not a token source, an origin is invalid, neither `origins` nor an absolute `baseURL` is
 * given, or one of them is plain http beyond loopback without `allowInsecure`
 */
export function createAuthorizer<Response>(
  tokens: TokenSource,
  options: AuthorizerOptions<Response>,
): Authorizer<Response> {
  assertTokenSource(tokens, "tokens");
  const own = ownOptions(options);
  const isAllowed = toPredicate(own);
  const mayFollow = (from: URL, to: URL) => from.origin === to.origin && isAllowed(to);
  const policy: Policy<Response> = { isUnauthorized: own.isUnauthorized, mayFollow, toHeader: createToHeader() };
  return {
    mayFollow,
    async authorize({ url, host, signal, unexpired }) {
      const overrides: RequestTokenOptions | undefined = unexpired?.();
      const given = overrides?.tokens ?? tokens;
      if (!url || !isHostOf(url, host) || url.username || url.password || given === false || !isAllowed(url)) {
        return undefined;
      }
      const source = sourceOfCall(given);
      const { accessToken, tokenType } = await requestTokens(source, { signal });
      assertNoProof(tokenType);
      return new Authorization(policy, { url, source, signal, retry: overrides?.retry !== false }, accessToken);
    },
  };
}

/** The result for all responses that do not reject the token. */
const ACCEPTED = Promise.resolve(undefined);

const LATE = "isUnauthorized did not settle within 30 seconds. Check that it reads a clone of the response to its end.";

const toUrl = (given: string, base: URL): URL => new URL(URL.canParse(given, base) ? given : "about:invalid", base);

/**
 * Servers name their Bearer tokens in many ways (`bot`, `jwt-bearer`). Only the types that need a proof of possession
 * are of another kind: such a token is rejected without the proof, so it is not sent.
 */
function assertNoProof(tokenType: string): void {
  if (!/^(dpop|pop|mac)$/i.test(tokenType)) return;
  throw new ConfigurationError(
    `The session's token type is "${tokenType}", which needs a proof of possession with every request. Have the authorization server issue Bearer tokens to this client.`,
  );
}

/** Returns whether a `Host` header, if there is one, names the URL's own host and port. The default port may be spelled out. */
function isHostOf(url: URL, header: string | null | undefined): boolean {
  if (header === undefined || header === null || header === url.host) return true;
  const named = `${url.protocol}//${header}`;
  return URL.canParse(named) && new URL(named).href === `${url.origin}/`;
}

/**
 * Creates a function that returns the header of a token. Rejects characters that clients would quote, with the token, in an
 * error about the header; checks a token only when it is a new one, because it can be long.
 */
function createToHeader(): (accessToken: string) => string {
  let last: { readonly accessToken: string; readonly header: string } | undefined;
  return (accessToken) => {
    if (last?.accessToken === accessToken) return last.header;
    if (!/^[\x20-\x7e\x80-\xff]+$/.test(accessToken)) {
      throw new ConfigurationError(
        "The access token contains characters that are not allowed in an HTTP header. Sign in with a different one.",
      );
    }
    last = { accessToken, header: `Bearer ${accessToken}` };
    return last.header;
  };
}

type RejectingInfo = Pick<ResponseInfo<unknown>, "status" | "headers">;

const isInvalidToken = ({ status, headers }: RejectingInfo, source: TokenSource, accessToken: string): boolean =>
  isRejectionFor(source, status, accessToken) && !isAboutRights(headers && headerOf(headers, "www-authenticate"));

const toRejecting = ({ status, headers }: RejectingInfo): RejectingResponse => ({
  status,
  headers: headers && toReadable(headers),
});

/** Returns whether the URLs differ in path or query. Clients encode a query differently, and may drop an empty one. */
const isRedirect = (requested: URL, final: URL): boolean =>
  requested.pathname !== final.pathname || `${requested.searchParams}` !== `${final.searchParams}`;

/** Returns whether the method is safe (RFC 9110 §9.2.1): GET or HEAD, the only ones that matter here. */
const isSafe = ({ method = "GET" }: Pick<ResponseInfo<unknown>, "method">): boolean => /^(GET|HEAD)$/i.test(method);

/** A redirected request may have taken effect. */
const canRepeat = (info: ResponseInfo<unknown>, isRedirected: boolean): boolean =>
  isReplayable(info.body) && (!isRedirected || isSafe(info));

/** Streams, iterators and async iterables can be read only once. */
const isReplayable = (body: unknown): boolean =>
  typeof body !== "object" ||
  body === null ||
  !["pipe", "getReader", "next", Symbol.asyncIterator].some((key) => typeof Reflect.get(body, key) === "function");
