import type { TokenSource } from "@unexpired/core";
import { createAuthorizer, type Origins } from "@unexpired/core/adapter";
import type { HandlerFunction, Response } from "got";
import { Call } from "./call.ts";
import { watch } from "./watch.ts";

/** Options of {@link withTokens}. */
export interface TokenOptions {
  /** Where the tokens may go: origins such as `"https://api.example.com"`, or a predicate over the whole URL. */
  readonly origins: Origins;
  /**
   * Whether the server refused the token, in place of the rule for status 401: for APIs that say it otherwise. The body
   * is what `responseType` makes of it; with `.json()` it is still a text here.
   */
  readonly isUnauthorized?: ((response: Response) => boolean | Promise<boolean>) | undefined;
}

/**
 * Options for `got.extend(…)`: the session's access token goes with every request to one of `origins`, and a request
 * is sent once more after a 401, with a newer token. No error shows the token.
 *
 * @throws TypeError where `origins` is absent or is not made of origins
 */
export function withTokens(tokens: TokenSource, options: TokenOptions): { handlers: HandlerFunction[] } {
  const authorizer = createAuthorizer<Response>(tokens, options);
  const handler: HandlerFunction = (request, next) => {
    const { attach, repeat, complete } = new Call(authorizer);
    const hooks = request?.hooks;
    if (!hooks) return next(request); // got refused the options
    hooks.beforeRequest.push(attach); // the last, which sees where the request goes
    hooks.afterResponse.unshift(repeat); // the first: others need not see what is repeated
    hooks.beforeRetry.unshift(complete as never); // what it returns is ignored
    hooks.beforeError.unshift(complete);
    return watch(next(request), complete);
  };
  return { handlers: [handler] };
}
