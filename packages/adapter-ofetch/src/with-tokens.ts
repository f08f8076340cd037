import { createAuthorizer, type Origins, type TokenSource } from "@unexpired/core";
import type { FetchContext, FetchHook, FetchOptions } from "ofetch";
import { attach, begin, detach, grantRetry, isGranted } from "./call.ts";

/** Options of {@link withTokens}: ofetch's own, and where the tokens may go. */
export interface TokenFetchOptions extends FetchOptions {
  /**
   * Where the tokens may go: origins such as `"https://api.example.com"`, or a predicate over the whole URL. Default:
   * the origin of `baseURL`. A request's own `baseURL` never widens it.
   */
  origins?: Origins | undefined;
}

/**
 * The options of an ofetch instance that sends the session's access token with every request to one of `origins`, and
 * sends a request once more after a 401, with a newer token. For `ofetch.create(…)`.
 *
 * Hooks among the options are called as ever, but those for responses do not see a 401 that is repeated.
 *
 * @throws TypeError where `origins` is absent and `baseURL` is not absolute, or is not made of origins
 */
export function withTokens(tokens: TokenSource, { origins, ...options }: TokenFetchOptions = {}): FetchOptions {
  const authorizer = createAuthorizer(tokens, {
    origins: origins === undefined ? [originOf(options.baseURL)] : origins,
  });
  return {
    ...options,
    async onRequest(context) {
      begin(context);
      await runAll(options.onRequest, context);
      await attach(context, authorizer);
    },
    async onRequestError(context) {
      detach(context);
      await runAll(options.onRequestError, context);
    },
    async onResponse(context) {
      await grantRetry(context, authorizer);
      if (!isGranted(context)) await runAll(options.onResponse, context);
    },
    async onResponseError(context) {
      if (!isGranted(context)) await runAll(options.onResponseError, context);
    },
  };
}

async function runAll<Context extends FetchContext>(
  hooks: FetchHook<Context> | FetchHook<Context>[] | undefined,
  context: Context,
): Promise<void> {
  for (const hook of [hooks ?? []].flat()) await hook(context);
}

const originOf = (baseURL: string | undefined): string => {
  if (URL.canParse(baseURL ?? "")) return new URL(baseURL ?? "").origin;
  throw new TypeError(
    `origins: needed, because baseURL is ${baseURL === undefined ? "undefined" : "not an absolute URL"}. Give the origins that may get the token, as in ["https://api.example.com"].`,
  );
};
