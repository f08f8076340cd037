import { createAuthorizer, type Origins, type TokenSource } from "@unexpired/core";
import type { Hooks } from "got";
import { attach, complete, repeat } from "./request-hooks.ts";

/** Options of {@link withTokens}. */
export interface TokenOptions {
  /** Where the tokens may go: origins such as `"https://api.example.com"`, or a predicate over the whole URL. */
  readonly origins: Origins;
}

/**
 * Options for `got.extend(…)`: the session's access token goes with every request to one of `origins`, and a request
 * is sent once more after a 401, with a newer token.
 *
 * Extend with them last: got runs hooks in the order of extension, so what a later `beforeRequest` does to the URL is
 * not seen here.
 *
 * @throws TypeError where `origins` is absent or is not made of origins
 */
export function withTokens(tokens: TokenSource, options: TokenOptions): { hooks: Partial<Hooks> } {
  const authorizer = createAuthorizer(tokens, { origins: options?.origins });
  return {
    hooks: {
      // runs again for each redirect and each try
      beforeRequest: [(request) => attach(request, authorizer)],
      afterResponse: [(response, retry) => repeat({ response, retry, authorizer })],
      beforeError: [complete],
    },
  };
}
