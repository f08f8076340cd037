import { ConfigurationError, UnexpiredError } from "../errors.ts";
import type { TokenSource } from "../types.ts";
import { describeType } from "../util/describe-type.ts";
import { hideResult } from "../util/inspect.ts";
import type { RequestTokenOptions, WithRequestOptions } from "./per-request.ts";

/** The origins that may receive tokens, such as `"https://api.example.com"`, or a predicate for the whole URL. */
export type Origins = readonly string[] | ((url: URL) => boolean);

/** Options of {@link createAuthorizer}. `Response` is the client's own type. */
export interface AuthorizerOptions<Response> {
  /** The origins that may receive tokens. Default: the origin of `baseURL`. */
  readonly origins?: Origins | undefined;
  /** The client's current base URL. */
  readonly baseURL?: string | undefined;
  /** Returns whether the server rejected the token. Default: the status is 401, without `insufficient_scope`. */
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
  /** The headers: a `Headers` or similar object, or a plain object with lower-case names. */
  readonly headers: ResponseHeaders;
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

/** Headers in the forms that clients use. */
export type ResponseHeaders = { get(name: string): unknown } | Readonly<Record<string, unknown>>;

/** The policy behind every HTTP adapter: which requests get a token, and how a 401 is handled. */
export interface Authorizer<Response> {
  /**
   * Returns the token for a request, or `undefined` if the request must be sent without one: it goes to another origin,
   * its `Host` header names another host, its URL contains user information, or its caller opted out.
   *
   * @throws the errors of `getAccessToken`; ConfigurationError if the token is not a Bearer token
   */
  authorize(request: OutgoingRequest): Promise<Authorization<Response> | undefined>;
  /** Returns whether the token may be sent along with a redirect. */
  mayFollow(from: URL, to: URL): boolean;
}

/** The token of one request. Hides it from `util.inspect` and `JSON.stringify`. */
export class Authorization<Response> {
  readonly #renew: (info: ResponseInfo<Response>) => Promise<string | undefined>;
  readonly #header: string;

  /** Adapters obtain instances from {@link Authorizer.authorize}. */
  constructor(header: string, renew: (info: ResponseInfo<Response>) => Promise<string | undefined>) {
    this.#header = header;
    this.#renew = renew;
  }

  /** The value of the `Authorization` header. */
  get header(): string {
    return this.#header;
  }

  /**
   * Returns the header for retrying the request, or `undefined` if the caller should get the response: it is not a 401,
   * or the 401 concerns permissions rather than the token, or the token is too recent for a new one to help, or the
   * request cannot be sent twice (the token is then refreshed for the next call). Call this once per request.
   *
   * @throws SignInRequiredError, RefreshFailedError, ConfigurationError, StoreError if the refresh failed; also the
   * errors of `isUnauthorized`
   */
  renew(info: ResponseInfo<Response>): Promise<string | undefined> {
    return hideResult(this.#renew(info));
  }
}

/**
 * Creates the policy for the requests of one client. Reads `origins` once.
 *
 * @throws TypeError if an origin is invalid, or neither `origins` nor an absolute `baseURL` is given
 */
export function createAuthorizer<Response>(
  tokens: TokenSource,
  options: AuthorizerOptions<Response>,
): Authorizer<Response> {
  const { isUnauthorized } = options;
  const isAllowed = toPredicate(options.origins === undefined ? [originOf(options.baseURL)] : options.origins);
  const mayFollow = (from: URL, to: URL) => from.origin === to.origin && isAllowed(to);
  const isRejection = (info: ResponseInfo<Response>) =>
    isUnauthorized ? isUnauthorized(info.response) : isInvalidToken(info);
  return {
    mayFollow,
    async authorize({ url, host, signal, unexpired }) {
      const overrides: RequestTokenOptions = unexpired?.() ?? {};
      const source = overrides.tokens ?? tokens;
      if (!url || !isHostOf(url, host) || url.username || url.password || source === false || !isAllowed(url)) {
        return undefined;
      }
      const { accessToken, tokenType } = await source.getTokenSet({ signal });
      if (tokenType.toLowerCase() !== "bearer") {
        throw new ConfigurationError(
          `The session's token type is "${tokenType}"; only Bearer tokens can be attached. Have the authorization server issue Bearer tokens to this client.`,
        );
      }
      return new Authorization(toHeader(accessToken), async (info) => {
        const responseUrl = new URL(info.url ?? "", url);
        // a redirect to another origin went without the token, so its response says nothing about the token
        if (!mayFollow(url, responseUrl) || !(await isRejection(info))) return undefined;
        const renewal = source.replaceRejected(accessToken, { signal });
        if (overrides.retry === false || !isReplayable(info.body) || (isRedirect(url, responseUrl) && !isSafe(info))) {
          renewal.catch(() => {}); // the next call runs into the same error, and throws it
          return undefined;
        }
        return renewal.then(toHeader, ignoreJustObtained);
      });
    },
  };
}

export const ORIGINS = "an array of origins or a function";

const originOf = (baseURL: string | undefined): string => {
  if (baseURL && URL.canParse(baseURL)) return new URL(baseURL).origin;
  throw new TypeError(
    `origins: needed, because ${baseURL === undefined ? "there is no base URL" : "the base URL is not absolute"}. Pass the origins that may receive the token, as in ["https://api.example.com"].`,
  );
};

const toOrigin = (given: unknown, index: number): string => {
  const url = typeof given === "string" && URL.canParse(given) ? new URL(given) : undefined;
  const isBare = url && url.origin !== "null" && `${url.origin}/` === url.href && !/[?#]/.test(String(given));
  if (isBare) return url.origin;
  throw new TypeError(
    `origins[${index}]: expected scheme, host and port, as in "https://api.example.com", not ${url ? "a URL with more than these parts" : describeType(given)}.`,
  );
};

/**
 * Converts the option to a predicate.
 *
 * @throws TypeError that names the invalid entry, never its value
 */
const toPredicate = (origins: Origins): ((url: URL) => boolean) => {
  // compared with `true`, because the promise of an asynchronous function would allow every origin
  if (typeof origins === "function") return (url) => origins(url) === true;
  if (!Array.isArray(origins)) throw new TypeError(`origins: expected ${ORIGINS}, not ${describeType(origins)}.`);
  const allowed = new Set(origins.map(toOrigin));
  return (url) => allowed.has(url.origin);
};

/** Returns whether a `Host` header names the URL's own host and port. The scheme's default port may be spelled out. */
const isHostOf = ({ protocol, host, origin }: URL, header: string | null | undefined): boolean => {
  const named = `${protocol}//${header}`;
  return (header ?? host) === host || (URL.canParse(named) && new URL(named).href === `${origin}/`);
};

/** Builds the header. Rejects characters that clients would quote, with the token, in an error about the header. */
const toHeader = (accessToken: string): string => {
  if (/^[\x20-\x7e\x80-\xff]+$/.test(accessToken)) return `Bearer ${accessToken}`;
  throw new ConfigurationError(
    "The access token contains characters that are not allowed in an HTTP header. Sign in with a different one.",
  );
};

/** RFC 6750 §3.1: `insufficient_scope` concerns permissions, which a new token would not change. */
const isInvalidToken = ({ status, headers }: Pick<ResponseInfo<unknown>, "status" | "headers">): boolean =>
  status === 401 && !/\berror\s*=\s*"?insufficient_scope\b/i.test(String(headerOf(headers, "www-authenticate")));

const headerOf = (headers: ResponseHeaders, name: string): unknown =>
  typeof headers.get === "function" ? headers.get(name) : Reflect.get(headers, name);

/** Returns whether the URLs differ in path or query. Clients encode a query differently, and may drop an empty one. */
const isRedirect = (requested: URL, final: URL): boolean =>
  requested.pathname !== final.pathname || `${requested.searchParams}` !== `${final.searchParams}`;

/** Returns whether the method is safe (RFC 9110 §9.2.1): GET or HEAD, the only ones that matter here. */
const isSafe = ({ method = "GET" }: Pick<ResponseInfo<unknown>, "method">): boolean => /^(GET|HEAD)$/i.test(method);

/** Streams, iterators and async iterables can be read only once. */
const isReplayable = (body: unknown): boolean =>
  typeof body !== "object" ||
  body === null ||
  !["pipe", "getReader", "next", Symbol.asyncIterator].some((key) => typeof Reflect.get(body, key) === "function");

const ignoreJustObtained = (error: unknown): undefined => {
  if (UnexpiredError.is(error) && error.code === "REFRESH_FAILED" && error.reason === "just_obtained") return undefined;
  throw error;
};
