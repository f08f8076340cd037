import type { TokenSource } from "@unexpired/core";
import { createAuthorizer, type Origins } from "@unexpired/core/adapter";
import type { ExtendOptions, HandlerFunction, InitHook, Response } from "got";
import { Call } from "./call.ts";
import { KnownConnections } from "./connection.ts";
import { interceptErrors } from "./intercept-errors.ts";

/** Options of {@link withTokens}. */
export interface TokenOptions {
  /** The origins that may receive tokens, such as `"https://api.example.com"`, or a predicate over the whole URL. */
  readonly origins: Origins;
  /**
   * Allows origins with plain `http:` beyond this machine's loopback, for networks that are trusted as a whole. Default
   * `false`.
   */
  readonly allowInsecure?: boolean | undefined;
  /**
   * Whether the server rejected the token; replaces the check for status 401. The body is parsed according to
   * `responseType`; with the shortcut `.json()` it is still text here.
   */
  readonly isUnauthorized?: ((response: Response) => boolean | Promise<boolean>) | undefined;
}

/** Options for `got.extend(…)`. Pass both members on. */
export interface TokenExtension {
  readonly handlers: HandlerFunction[];
  readonly hooks: { init: InitHook[] };
}

/**
 * Creates options for `got.extend(…)`: the instance sends the session's access token with every request to one of
 * `origins`, and retries a request once, with a newer token, after a 401. Errors never contain the token.
 *
 * @throws TypeError if `origins` is missing or invalid, or contains plain http beyond loopback without `allowInsecure`
 */
export function withTokens(tokens: TokenSource, options: TokenOptions): TokenExtension {
  const authorizer = createAuthorizer<Response>(tokens, options);
  const connections = new KnownConnections();
  const handler: HandlerFunction = (request, next) => {
    const hooks = request?.hooks;
    if (!hooks) return next(request); // got rejected the options
    const call = new Call(authorizer, { connections, request });
    const { attach, retry, cleanError } = call;
    if (call.hasForm) hooks.beforeRequest.unshift(call.recordBody); // first, before other hooks may replace the body
    hooks.beforeRequest.push(attach); // last, after other hooks may have changed the URL
    hooks.afterResponse.unshift(retry); // first, so that other hooks do not see a 401 that is retried
    hooks.beforeRetry.unshift(cleanError as never); // its return value is ignored
    hooks.beforeError.unshift(cleanError);
    return interceptErrors(next(request), { cleanError, canAbort: request.signal !== undefined });
  };
  /** got calls this for all options that are merged into others: those of instances, and those of requests. */
  const recordInstance: InitHook = (init, instance) => {
    if (!(init as ExtendOptions).handlers?.includes(handler)) return; // it is not the instance that tokens are attached to
    for (const each of [init, instance]) connections.add(each);
  };
  return { handlers: [handler], hooks: { init: [recordInstance] } };
}
