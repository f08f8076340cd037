import type { TokenSource } from "@unexpired/core";
import { createAuthorizer, type Origins } from "@unexpired/core/adapter";
import { Call, type Context, run } from "./call.ts";
import type { FetchContext, FetchOptions, FetchResponse } from "./ofetch-types.ts";

/** Options of {@link withTokens}: ofetch's own, where the tokens may go, and how a server refuses one. */
export interface TokenFetchOptions extends FetchOptions {
  /**
   * Where the tokens may go: origins such as `"https://api.example.com"`, or a predicate over the whole URL. Default:
   * the origin of `baseURL`. A request's own `baseURL` never widens it.
   */
  readonly origins?: Origins | undefined;
  /**
   * Whether the server refused the token, for APIs that say so in another way than with status 401. Asked about every
   * response to a token, whatever its status, with what ofetch read of the body in `_data`.
   */
  readonly isUnauthorized?: ((response: FetchResponse) => boolean | Promise<boolean>) | undefined;
}

/** What {@link withTokens} returns. */
export interface FetchOptionsWithTokens extends FetchOptions {
  /** All that there is of ours: a request with an `onRequest` of its own calls this one at the end. */
  onRequest(context: FetchContext): Promise<void>;
}

/**
 * The options of an ofetch instance that sends the session's access token with every request to one of `origins`, and
 * sends a request once more after a 401, with a newer token. For `ofetch.create(…)`.
 *
 * Hooks of the caller's are called as ever, but those for responses do not see a 401 that is repeated. An `onRequest` of
 * a single request replaces the instance's, and so the token.
 *
 * @throws TypeError where `origins` is absent and `baseURL` is not absolute, or is not made of origins
 */
export function withTokens(
  tokens: TokenSource,
  { origins, isUnauthorized, ...options }: TokenFetchOptions = {},
): FetchOptionsWithTokens {
  const authorizer = createAuthorizer(tokens, { origins, isUnauthorized, baseURL: options.baseURL });
  const key = Symbol("unexpired");
  return {
    ...options,
    async onRequest(context: Context) {
      const call = Call.of(context, key);
      await run(options.onRequest, context);
      await call.begin(context, authorizer);
    },
  };
}
