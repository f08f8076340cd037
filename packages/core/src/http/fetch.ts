import * as z from "zod/mini";
import type { TokenSource } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable } from "../util/check-options.ts";
import { createAuthorizer, ORIGINS, type Origins } from "./authorizer.ts";
import type { WithRequestOptions } from "./per-request.ts";

/** Options of {@link createFetch}. */
export interface FetchOptions {
  /** The origins that may receive the token. */
  readonly origins: Origins;
  /** The `fetch` implementation to use. Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /**
   * Returns whether the server rejected the token, for APIs that do not signal this with a 401. To read the body, clone
   * the response first.
   */
  readonly isUnauthorized?: ((response: Response) => boolean | Promise<boolean>) | undefined;
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
  checkOptions("createFetch", optionTable, options);
  const { fetch: send = fetch } = options;
  const authorizer = createAuthorizer(tokens, options);

  return async (input, init?: RequestInit & Partial<WithRequestOptions>) => {
    const { target, url, headers, signal } = toCall(input, init);
    const authorization = await authorizer.authorize({
      url,
      host: headers.get("host"),
      signal,
      unexpired: init?.unexpired,
    });
    if (!authorization) return send(target, init);
    const sendWith = (request: typeof target, header: string) => {
      headers.set("authorization", header);
      return send(request, { ...init, headers });
    };
    const response = await sendWith(copy(target), authorization.header);
    const info = {
      response,
      status: response.status,
      headers: response.headers,
      url: response.url,
      method: init?.method ?? (isRequest(target) ? target.method : undefined),
      body: init?.body,
    };
    const header = await authorization.renew(info).catch(async (error: unknown) => {
      await discard(response);
      throw error;
    });
    if (header === undefined) return response;
    await discard(response);
    return sendWith(target, header);
  };
}

const optionTable = {
  origins: [z.unknown(), ORIGINS, "required"],
  fetch: [functionSchema, "a function"],
  isUnauthorized: [functionSchema, "a function from a Response to true or false"],
} as const satisfies OptionTable & Record<keyof FetchOptions, unknown>;

/** Reads the arguments as `fetch` would. `url` is `undefined` if the request has its own `Authorization` header. */
function toCall(input: RequestInfo | URL, init: RequestInit | undefined) {
  const target = isRequest(input) ? input : String(input);
  const request = isRequest(target) ? target : undefined;
  const headers = new Headers(init?.headers ?? request?.headers);
  return {
    target,
    headers,
    url: headers.has("authorization") ? undefined : toUrl(request?.url ?? String(target)),
    signal: init?.signal === undefined ? request?.signal : init.signal,
  };
}

/** Returns a copy to send first, so that the body of the original can still be sent. */
const copy = (target: Request | string): Request | string =>
  isRequest(target) && target.body ? target.clone() : target;

/** Checks the shape, because a custom `fetch` may come with its own `Request` class. */
const isRequest = (input: RequestInfo | URL): input is Request => typeof input === "object" && "clone" in input;

/** Resolves a URL relative to the page or worker, if any. Returns `undefined` if `fetch` will reject it anyway. */
const toUrl = (given: string): URL | undefined => {
  const base = globalThis.location?.href;
  return URL.canParse(given, base) ? new URL(given, base) : undefined;
};

/** Frees the connection. A failure means that it is already free. */
const discard = async (response: Response): Promise<void> => response.body?.cancel().catch(() => {});
