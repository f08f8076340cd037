import { createAuthorizer, type Origins, type TokenSource } from "./authorize.ts";
import { typeOf } from "./options.ts";

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
  const { fetch: send = fetch } = options;
  if (typeof send !== "function") throw new TypeError(`fetch: expected a function, not ${typeOf(send)}.`);
  const authorizer = createAuthorizer(tokens, options);

  return async (input, init) => {
    const target = input instanceof Request ? input : String(input); // a URL object may change while we wait
    const request = target instanceof Request ? target : undefined;
    const url = toUrl(request?.url ?? String(target));
    const headers = new Headers(init?.headers ?? request?.headers);
    if (!url || headers.has("authorization")) return send(target, init);
    const signal = init?.signal === undefined ? request?.signal : init.signal;
    const accessToken = await authorizer.tokenFor(url, { signal });
    if (accessToken === undefined) return send(target, init);
    const sendWith = (what: typeof input, token: string) => {
      headers.set("authorization", `Bearer ${token}`);
      return send(what, { ...init, headers });
    };
    const response = await sendWith(request?.body ? request.clone() : target, accessToken);
    if (toUrl(response.url)?.origin !== url.origin && response.url) return response; // redirected: without the token
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
