import * as z from "zod/mini";
import { UnexpiredError } from "../errors.ts";
import type { TokenSource } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable } from "../util/check-options.ts";
import { discardBody } from "../util/discard-body.ts";
import { parseUrl } from "../util/parse-url.ts";
import { createAuthorizer } from "./authorizer.ts";
import { ORIGINS, type Origins } from "./origins.ts";
import type { WithRequestOptions } from "./per-request.ts";

/** Options of {@link createFetch}. */
export interface FetchOptions {
  /** The origins that may receive the token. */
  readonly origins: Origins;
  /**
   * Allows plain `http:` beyond this machine's loopback, where everyone on the way can read the token: for networks that
   * are trusted as a whole, such as that of a cluster. Without it, such an origin is a `TypeError`, and a function for
   * `origins` is not asked about such a URL. Default `false`.
   */
  readonly allowInsecure?: boolean | undefined;
  /** The `fetch` implementation to use. Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /**
   * Returns whether the server rejected the token, for APIs that do not signal this with a 401. To read the body, clone
   * the response first. If a promise does not settle within 30 seconds, the call rejects with a `TimeoutError`.
   */
  readonly isUnauthorized?: ((response: Response) => boolean | Promise<boolean>) | undefined;
  /**
   * A token that counts as none: for a client that insists on one, and sends `Authorization: Bearer <placeholder>`. Such a
   * header is removed from every request, whether the session's token replaces it or not. Default: none.
   */
  readonly placeholder?: string | undefined;
  /**
   * For a request that needs a sign-in: `"throw"` rejects with the `SignInRequiredError`. `"send"` sends the request
   * without a token, or returns the 401 that ended the session: for a client that retries whatever `fetch` throws.
   * Default `"throw"`.
   */
  readonly whenSignedOut?: "throw" | "send" | undefined;
}

/**
 * Creates a `fetch` that attaches the access token to requests to `origins`, and retries a request once after a 401.
 *
 * A request with its own `Authorization` header is sent unchanged. A request with a stream body is not sent twice, nor
 * is a redirected POST: the caller gets the 401, and the token is refreshed for the next call. `fetch` itself follows
 * redirects, so a function for `origins` is not consulted about redirects within an origin. The body of a `Request` is
 * kept in memory until the response arrives. `perRequest` creates options for a single request.
 *
 * The returned function rejects like `fetch`, and also like `getAccessToken`.
 *
 * @throws TypeError if an option is invalid
 */
export function createFetch(tokens: TokenSource, options: FetchOptions): typeof fetch {
  const own = checkOptions("createFetch", optionTable, options);
  const { fetch: send = fetch, placeholder, whenSignedOut = "throw" } = own;
  const authorizer = createAuthorizer<Response>(tokens, own);

  return async (...given: FetchArguments) => {
    const [input, init] = withoutRequestAsInit(...given);
    const { target, headers, outgoing, isPlaceholder } = toCall(input, init, placeholder);
    const authorizing = authorizer.authorize(outgoing);
    const authorization = await (whenSignedOut === "send" ? authorizing.catch(ignoreSignedOut) : authorizing);
    if (!authorization) return send(target, isPlaceholder ? { ...init, headers } : init && { ...init });
    const sendWith = (request: typeof target, header: string) => {
      headers.set("authorization", header);
      return send(request, { ...init, headers });
    };
    const first = copy(target);
    const response = await sendWith(first, authorization.header);
    const { status, url } = response;
    const info = { response, status, headers: response.headers, url, ...toSent(first, target, init) };
    const header = await authorization.renew(info).catch((error: unknown) => {
      if (whenSignedOut === "send" && isSignedOut(error)) return undefined;
      discardBody(response.body);
      throw error;
    });
    if (header === undefined) return response;
    discardBody(response.body);
    const again = await sendWith(target, header);
    authorization.report(again);
    return again;
  };
}

const optionTable = {
  origins: [z.unknown(), ORIGINS, "required"],
  allowInsecure: [z.boolean(), "true or false"],
  fetch: [functionSchema, "a function"],
  isUnauthorized: [functionSchema, "a function from a Response to true or false"],
  placeholder: [z.string().check(z.minLength(1)), "a non-empty string"],
  whenSignedOut: [z.enum(["throw", "send"]), '"throw" or "send"'],
} as const satisfies OptionTable & Record<keyof FetchOptions, unknown>;

type FetchArguments = [input: RequestInfo | URL, init?: (RequestInit & Partial<WithRequestOptions>) | undefined];

const isSignedOut = (error: unknown): boolean => UnexpiredError.is(error) && error.code === "SIGN_IN_REQUIRED";

const ignoreSignedOut = (error: unknown): undefined => {
  if (!isSignedOut(error)) throw error;
};

/** A `Request` can also be the second argument of `fetch`. A copy of it would lose its members, which are getters. */
function withoutRequestAsInit(...[input, init]: FetchArguments): FetchArguments {
  if (init === undefined || !isRequest(init)) return [input, init];
  const unexpired = overridesOf(init) ?? overridesOf(isRequest(input) ? input : undefined);
  return [Object.assign(new Request(input, init), unexpired && { unexpired })];
}

/** Reads the arguments as `fetch` would. `url` is `undefined` if the request has its own `Authorization` header. */
function toCall(input: RequestInfo | URL, init: RequestInit | undefined, placeholder: string | undefined) {
  const target = isRequest(input) ? input : String(input);
  const request = isRequest(target) ? target : undefined;
  const headers = new Headers(init?.headers ?? request?.headers);
  const isPlaceholder = placeholder !== undefined && tokenOf(headers) === placeholder;
  if (isPlaceholder) headers.delete("authorization");
  const outgoing = {
    // relative to the page or worker, if any; `fetch` itself rejects an invalid one
    url: headers.has("authorization") ? undefined : parseUrl(request?.url ?? String(target), globalThis.location?.href),
    host: headers.get("host"),
    signal: init?.signal === undefined ? request?.signal : init.signal,
    unexpired: overridesOf(init) ?? overridesOf(request),
  };
  return { target, headers, outgoing, isPlaceholder };
}

/** Returns the token of the `Authorization` header, without the scheme: most clients call it `Bearer`, some `token`. */
const tokenOf = (headers: Headers): string | undefined => headers.get("authorization")?.replace(/^[\w-]+ +/, "");

/** Returns the option of `perRequest`, which some clients (openapi-fetch) assign to the `Request`. */
const overridesOf = (holder: (object & Partial<WithRequestOptions>) | undefined) =>
  holder && Object.hasOwn(holder, "unexpired") ? holder.unexpired : undefined;

/**
 * Returns a copy to send first, so that the body of the original can still be sent. Not every runtime tells whether a
 * `Request` has a body. The copy of a Node.js stream (node-fetch) would stall: it waits until the original is read.
 */
const copy = (target: Request | string): Request | string =>
  isRequest(target) && target.body !== null && !isNodeStream(target.body) ? target.clone() : target;

const isNodeStream = (body: unknown): boolean => typeof Object(body).pipe === "function";

/** Returns the method and, unless a copy of it was sent, the body. */
function toSent(sent: Request | string, target: Request | string, init: RequestInit | undefined) {
  const request = isRequest(target) ? target : undefined;
  const body = init?.body ?? (sent === target ? request?.body : undefined);
  return { method: init?.method ?? request?.method, body };
}

/** Checks the shape, because a custom `fetch` may come with its own `Request` class. */
const isRequest = (input: RequestInfo | URL | RequestInit): input is Request =>
  typeof input === "object" && input !== null && "clone" in input;
