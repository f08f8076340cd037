import { ConfigurationError, UnexpiredError } from "../errors.ts";
import type { TokenSource } from "../types.ts";
import { typeOf } from "../util/describe-type.ts";
import type { RequestSettings, SettingsOfRequest } from "./per-request.ts";

/** Where tokens may go: origins such as `"https://api.example.com"`, or a predicate over the whole URL. */
export type Origins = readonly string[] | ((url: URL) => boolean);

/** Options of {@link createAuthorizer}. `Response` is the client's own. */
export interface AuthorizerOptions<Response> {
  /** Where the tokens may go. Default: the origin of `baseURL`. */
  readonly origins?: Origins | undefined;
  /** The client's own base URL at this moment. */
  readonly baseURL?: string | undefined;
  /** Whether the server refused the token, in place of the rule that a 401 does. */
  readonly isUnauthorized?: ((response: Response) => boolean | Promise<boolean>) | undefined;
}

/** What the policy has to know of a request before it is sent. */
export interface Outgoing {
  /** Where it goes; `undefined` where the client will refuse it, or connects to something that is no origin. */
  readonly url: URL | undefined;
  /** The caller's. Ends the wait for a token with its reason; the exchange goes on for others. */
  readonly signal?: AbortSignal | null | undefined;
  /** What `perRequest` put among the request's options. */
  readonly unexpired?: SettingsOfRequest["unexpired"] | undefined;
}

/** What the policy has to know of a response. */
export interface Answer<Response> {
  /** The client's own response, for `isUnauthorized`. */
  readonly response: Response;
  /** The HTTP status. */
  readonly status: number;
  /** Its headers: `Headers` or the like, or an object with names in lower case. */
  readonly headers: ResponseHeaders;
  /** Who answered: the last URL, after redirects, as far as the client tells. */
  readonly url?: string | undefined;
  /** The request's method, where redirects may have been followed: what they began is not begun again, unless by GET. */
  readonly method?: string | undefined;
  /** What was sent, in whatever form the client keeps it. A stream or an iterator can be sent only once. */
  readonly body?: unknown;
}

/** Headers as clients have them. */
export type ResponseHeaders = { get(name: string): unknown } | Readonly<Record<string, unknown>>;

/** The policy that every HTTP adapter translates into its client's hooks: who gets a token, and what a 401 leads to. */
export interface Authorizer<Response> {
  /**
   * What to send a request with; `undefined` where it goes without: to another origin, with a user name in its URL, or
   * because its caller said so.
   *
   * @throws what `getAccessToken` throws; ConfigurationError where the token is not a Bearer token
   */
  authorize(request: Outgoing): Promise<Authorization<Response> | undefined>;
  /** Whether a token may follow a redirect. */
  mayFollow(from: URL, to: URL): boolean;
}

/** The token of one request. It does not print. */
export class Authorization<Response> {
  readonly #renew: (answer: Answer<Response>) => Promise<string | undefined>;
  readonly #header: string;

  /** Adapters get theirs from {@link Authorizer.authorize}. */
  constructor(header: string, renew: (answer: Answer<Response>) => Promise<string | undefined>) {
    this.#header = header;
    this.#renew = renew;
  }

  /** The value of the `Authorization` header. */
  get header(): string {
    return this.#header;
  }

  /**
   * The header to send the request once more with; `undefined` where the response is the caller's: it is no 401, or one
   * about rights and not about the token, or the request cannot be sent twice (the token is renewed all the same, for
   * the next call), or the token is so new that another one would not help. Ask once per request.
   *
   * @throws SignInRequiredError, RefreshFailedError, ConfigurationError, StoreError where the renewal failed; what
   * `isUnauthorized` throws
   */
  renew(answer: Answer<Response>): Promise<string | undefined> {
    return this.#renew(answer);
  }
}

/** The policy for the tokens of one client. `origins` is fixed here. */
export function createAuthorizer<Response>(
  tokens: TokenSource,
  options: AuthorizerOptions<Response>,
): Authorizer<Response> {
  const { isUnauthorized } = options;
  const isAllowed = toPredicate(options.origins === undefined ? [originOf(options.baseURL)] : options.origins);
  const mayFollow = (from: URL, to: URL) => from.origin === to.origin && isAllowed(to);
  const isRejection = (answer: Answer<Response>) =>
    isUnauthorized ? isUnauthorized(answer.response) : isInvalidToken(answer);
  return {
    mayFollow,
    async authorize({ url, signal, unexpired }) {
      const settings: RequestSettings = unexpired?.() ?? {};
      const source = settings.tokens ?? tokens;
      if (!url || url.username || url.password || source === false || !isAllowed(url)) return undefined;
      const { accessToken, tokenType } = await source.getTokenSet({ signal });
      if (tokenType.toLowerCase() !== "bearer") {
        throw new ConfigurationError(`The session's token type is "${tokenType}"; only Bearer tokens can be attached.`);
      }
      return new Authorization(toHeader(accessToken), async (answer) => {
        const by = new URL(answer.url ?? "", url);
        // a redirect to another origin went without the token, so that its answer says nothing about it
        if (!mayFollow(url, by) || !(await isRejection(answer))) return undefined;
        const renewal = source.replaceRejected(accessToken, { signal });
        if (settings.retry === false || !isReplayable(answer.body) || (isRedirect(url, by) && !isSafe(answer))) {
          renewal.catch(() => {}); // the next call meets the same error, and throws it
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
    `origins: needed, because ${baseURL === undefined ? "there is no base URL" : "the base URL is not absolute"}. Give the origins that may get the token, as in ["https://api.example.com"].`,
  );
};

const toOrigin = (given: unknown, index: number): string => {
  const url = typeof given === "string" && URL.canParse(given) ? new URL(given) : undefined;
  const isBare = url && url.origin !== "null" && `${url.origin}/` === url.href && !/[?#]/.test(String(given));
  if (isBare) return url.origin;
  throw new TypeError(
    `origins[${index}]: expected scheme, host and port, as in "https://api.example.com", not ${typeOf(given)}${url ? " with more in it" : ""}.`,
  );
};

/** @throws TypeError which names the origin that is none, and never its value */
const toPredicate = (origins: Origins): ((url: URL) => boolean) => {
  // only `true`: a promise, as an asynchronous function returns it, would let every origin pass
  if (typeof origins === "function") return (url) => origins(url) === true;
  if (!Array.isArray(origins)) throw new TypeError(`origins: expected ${ORIGINS}, not ${typeOf(origins)}.`);
  const allowed = new Set(origins.map(toOrigin));
  return (url) => allowed.has(url.origin);
};

/** A client that is given any other character for a header quotes it in its error. */
const toHeader = (accessToken: string): string => {
  if (/^[\x20-\x7e\x80-\xff]+$/.test(accessToken)) return `Bearer ${accessToken}`;
  throw new ConfigurationError("The access token holds characters that no header can carry. Sign in with another one.");
};

/** RFC 6750 §3.1: `insufficient_scope` is about rights, which a new token would not change. */
const isInvalidToken = ({ status, headers }: Pick<Answer<unknown>, "status" | "headers">): boolean =>
  status === 401 && !/\berror\s*=\s*"?insufficient_scope\b/i.test(String(headerOf(headers, "www-authenticate")));

const headerOf = (headers: ResponseHeaders, name: string): unknown =>
  typeof headers.get === "function" ? headers.get(name) : Reflect.get(headers, name);

/** But for the fragment, which servers do not see. */
const isRedirect = (asked: URL, by: URL): boolean => asked.href.split("#")[0] !== by.href.split("#")[0];

/** RFC 9110 §9.2.1, as far as it matters here. */
const isSafe = ({ method = "GET" }: Pick<Answer<unknown>, "method">): boolean => /^(GET|HEAD)$/i.test(method);

/** Streams, iterators and async iterables can be read only once. */
const isReplayable = (body: unknown): boolean =>
  typeof body !== "object" ||
  body === null ||
  !["pipe", "getReader", "next", Symbol.asyncIterator].some((key) => typeof Reflect.get(body, key) === "function");

const ignoreJustObtained = (error: unknown): undefined => {
  if (UnexpiredError.is(error) && error.code === "REFRESH_FAILED" && error.because === "just_obtained")
    return undefined;
  throw error;
};
