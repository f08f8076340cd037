import { createAuthorizer, type Origins, type TokenSource } from "./authorize.ts";

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
 * the token is renewed for the next call. The body of a `Request` is kept in memory until it was answered. Rejects, besides what `fetch` rejects with, as `getAccessToken` does.
 *
 * @throws TypeError where `origins` or `fetch` makes no sense
 */
export function createFetch(tokens: TokenSource, options: FetchOptions): typeof fetch {
  const send = options.fetch ?? fetch;
  if (typeof send !== "function") throw new TypeError(`fetch: expected a function, not ${typeof send}.`);
  const authorizer = createAuthorizer(tokens, options);

  return async (input, init) => {
    const request = input instanceof Request ? input : undefined;
    const url = new URL(request?.url ?? String(input));
    const signal = init?.signal ?? request?.signal;
    const headers = new Headers(init?.headers ?? request?.headers);
    const accessToken = headers.has("authorization") ? undefined : await authorizer.tokenFor(url, { signal });
    if (accessToken === undefined) return send(input, init);
    const sendWith = (target: typeof input, token: string) => {
      headers.set("authorization", `Bearer ${token}`);
      return send(target, { ...init, headers });
    };
    const response = await sendWith(request?.body ? request.clone() : input, accessToken);
    const answer = { ...describe(response, url), accessToken, replayable: !isStream(init?.body) };
    const next = await authorizer.tokenAfter(answer, { signal });
    if (next === undefined) return response;
    await response.body?.cancel();
    return sendWith(input, next);
  };
}

const describe = (response: Response, asked: URL) => ({
  status: response.status,
  wwwAuthenticate: response.headers.get("www-authenticate"),
  url: response.url ? new URL(response.url) : asked,
});

/** Bodies that can be read only once: streams and async iterables. */
const isStream = (body: unknown): boolean =>
  typeof body === "object" && body !== null && (body instanceof ReadableStream || Symbol.asyncIterator in body);
