import * as z from "zod/mini";
import type { TokenSource } from "../types.ts";
import { checkOptions, func, type OptionTable } from "../util/check-options.ts";
import { createAuthorizer, ORIGINS, type Origins } from "./authorizer.ts";
import type { SettingsOfRequest } from "./per-request.ts";

/** Options of {@link createFetch}. */
export interface FetchOptions {
  /** Where the token may go. */
  readonly origins: Origins;
  /** The `fetch` to send with. Default: the global one. */
  readonly fetch?: typeof fetch | undefined;
  /**
   * Whether the server refused the token, where it says so in another way than with status 401. To read the body, read
   * that of a clone.
   */
  readonly isUnauthorized?: ((response: Response) => boolean | Promise<boolean>) | undefined;
}

/**
 * A `fetch` that attaches the access token to requests to `origins`, and sends a request once more after a 401.
 *
 * A request that carries its own `Authorization` is left alone. A stream body is not sent twice: its 401 is yours, and
 * the token is renewed for the next call, and so it is with a POST that was redirected. `fetch` follows redirects by
 * itself: a function for `origins` is not asked about one within an origin. The body of a `Request` is kept in memory
 * until it was answered. Rejects,
 * besides what `fetch` rejects with, as `getAccessToken` does. `perRequest` makes options for a single request.
 *
 * @throws TypeError where an option makes no sense
 */
export function createFetch(tokens: TokenSource, options: FetchOptions): typeof fetch {
  checkOptions("createFetch", optionTable, options);
  const { fetch: send = fetch } = options;
  const authorizer = createAuthorizer(tokens, options);

  return async (input, init?: RequestInit & Partial<SettingsOfRequest>) => {
    const { target, url, headers, signal } = toCall(input, init);
    const authorization = await authorizer.authorize({ url, signal, unexpired: init?.unexpired });
    if (!authorization) return send(target, init);
    const sendWith = (what: typeof target, header: string) => {
      headers.set("authorization", header);
      return send(what, { ...init, headers });
    };
    const response = await sendWith(copy(target), authorization.header);
    const answer = {
      response,
      status: response.status,
      headers: response.headers,
      url: response.url,
      method: init?.method ?? (isRequest(target) ? target.method : undefined),
      body: init?.body,
    };
    const header = await authorization.renew(answer).catch(async (error: unknown) => {
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
  fetch: [func, "a function"],
  isUnauthorized: [func, "a function from a Response to true or false"],
} as const satisfies OptionTable & Record<keyof FetchOptions, unknown>;

/** What `fetch` would take from its arguments at once. No `url`: the token is not asked for. */
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

/** A request whose body can still be sent after the copy was. */
const copy = (target: Request | string): Request | string =>
  isRequest(target) && target.body ? target.clone() : target;

/** By shape: the `fetch` that was given may come with a Request class of its own. */
const isRequest = (input: RequestInfo | URL): input is Request => typeof input === "object" && "clone" in input;

/** Relative to the page or worker, where there is one; undefined where fetch will complain itself. */
const toUrl = (given: string): URL | undefined => {
  const base = globalThis.location?.href;
  return URL.canParse(given, base) ? new URL(given, base) : undefined;
};

/** Frees the connection. Where that fails, it is free already. */
const discard = async (response: Response): Promise<void> => response.body?.cancel().catch(() => {});
