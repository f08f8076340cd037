import type { TokenSource } from "@unexpired/core";
import { createAuthorizer, type Origins } from "@unexpired/core/adapter";
import { Call, type Context, runHooks } from "./call.ts";
import type { FetchContext, FetchOptions, FetchResponse } from "./ofetch-types.ts";

/** Options of {@link withTokens}: all options of ofetch, and those of the adapter. */
export interface TokenFetchOptions extends FetchOptions {
  /**
   * The origins that may receive tokens, such as `"https://api.example.com"`, or a predicate over the whole URL.
   * Default: the origin of `baseURL`. The `baseURL` of a single request never extends it.
   */
  readonly origins?: Origins | undefined;
  /**
   * Allows plain `http:` beyond this machine's loopback, where everyone on the way can read the token: for networks that
   * are trusted as a whole, such as that of a cluster. Without it, such an origin or `baseURL` is a `TypeError`, and a
   * predicate is not asked about such a URL. Default `false`.
   */
  readonly allowInsecure?: boolean | undefined;
  /**
   * Whether the server rejected the token; replaces the check for status 401. Called once for each response to a
   * request that carried the token, regardless of its status, with the parsed body in `_data`. If a promise does not settle within 30 seconds,
   * the call rejects with a `TimeoutError`.
   */
  readonly isUnauthorized?: ((response: FetchResponse) => boolean | Promise<boolean>) | undefined;
}

/** The options that {@link withTokens} returns. */
export interface FetchOptionsWithTokens extends FetchOptions {
  /** Attaches the token. A request with its own `onRequest` has to call this one at its end. */
  onRequest(context: FetchContext): Promise<void>;
}

/**
 * Creates options for `ofetch.create(…)`: the instance sends the session's access token with every request to one of
 * `origins`, and retries a request once, with a newer token, after a 401.
 *
 * The caller's hooks run as usual, but response hooks do not see a 401 that is retried. An `onRequest` of a single
 * request replaces that of the instance, so that no token is attached: call `onRequest` of the returned options in it.
 *
 * @throws TypeError if `origins` is invalid, or if it is omitted and `baseURL` is not absolute, or if one of them is plain
 * http beyond loopback without `allowInsecure`
 */
export function withTokens(tokens: TokenSource, options: TokenFetchOptions = {}): FetchOptionsWithTokens {
  const authorizer = createAuthorizer<FetchResponse>(tokens, options);
  const { origins, allowInsecure, isUnauthorized, ...own } = options;
  const key = Symbol("unexpired");
  return {
    ...own,
    onRequest(context: Context) {
      const call = Call.of(context, key);
      if (!own.onRequest) return call.begin(context, authorizer);
      return runHooks(own.onRequest, context).then(() => call.begin(context, authorizer));
    },
  };
}
