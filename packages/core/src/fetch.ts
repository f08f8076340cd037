import * as z from "zod/mini";
import { createAuthorizer, ORIGINS, type Origins, type TokenSource } from "./authorize.ts";
import { checkOptions, func, type OptionTable } from "./options.ts";

/** Options of {@link createFetch}. */
export interface FetchOptions {
  /** Where the token may go. */
  readonly origins: Origins;
  /** The `fetch` to send with. Default: the global one. */
  readonly fetch?: typeof fetch | undefined;
}

/**
 * A `fetch` that attaches the access token to requests to `origins`, and sends a request once more after a 401.
 *
 * A request that carries its own `Authorization` is left alone. A stream body is not sent twice: its 401 is yours, and
 * the token is renewed for the next call. The body of a `Request` is kept in memory until it was answered. Rejects,
 * besides what `fetch` rejects with, as `getAccessToken` does.
 *
 * @throws TypeError where `origins` or `fetch` makes no sense
 */
export function createFetch(tokens: TokenSource, options: FetchOptions): typeof fetch {
  checkOptions("createFetch", optionTable, options);
  const send = options.fetch ?? fetch;
  const authorizer = createAuthorizer(tokens, options);

  return async (input, init) => {
    const { target, url, headers, signal } = toCall(input, init);
    const accessToken = url && (await authorizer.tokenFor(url, { signal }));
    if (!url || accessToken === undefined) return send(target, init);
    const sendWith = (what: typeof target, token: string) => {
      headers.set("authorization", `Bearer ${token}`);
      return send(what, { ...init, headers });
    };
    const response = await sendWith(copy(target), accessToken);
    if (isFromElsewhere(response, url)) return response;
    const answer = { ...describe(response), url, accessToken, replayable: !isStream(init?.body) };
    const next = await authorizer.tokenAfter(answer, { signal }).catch(async (error: unknown) => {
      await discard(response);
      throw error;
    });
    if (next === undefined) return response;
    await discard(response);
    return sendWith(target, next);
  };
}

const optionTable = {
  origins: [z.unknown(), ORIGINS, "required"],
  fetch: [func, "a function"],
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

/** A redirect to another origin drops the token, so that the answer says nothing about it. */
const isFromElsewhere = (response: Response, asked: URL): boolean =>
  URL.canParse(response.url) && new URL(response.url).origin !== asked.origin;

/** Relative to the page or worker, where there is one; undefined where fetch will complain itself. */
const toUrl = (given: string): URL | undefined => {
  const base = globalThis.location?.href;
  return URL.canParse(given, base) ? new URL(given, base) : undefined;
};

const describe = ({ status, headers }: Response) => ({ status, wwwAuthenticate: headers.get("www-authenticate") });

/** Frees the connection. Where that fails, it is free already. */
const discard = async (response: Response): Promise<void> => response.body?.cancel().catch(() => {});

/** Bodies that can be read only once: streams and async iterables. */
const isStream = (body: unknown): boolean =>
  typeof body === "object" && body !== null && (body instanceof ReadableStream || Symbol.asyncIterator in body);
