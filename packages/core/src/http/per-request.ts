import * as z from "zod/mini";
import type { TokenSource } from "../types.ts";
import { checkOptions, type OptionTable } from "../util/check-options.ts";
import { isTokenSource } from "../util/token-source.ts";

/** Per-request overrides. */
export interface RequestTokenOptions {
  /** `false` sends no token; another manager sends its own token, to the same origins. */
  readonly tokens?: TokenSource | false | undefined;
  /**
   * Whether to retry after a 401. With `false`, the caller gets the 401, and the token is refreshed for the next call.
   * Default `true`.
   */
  readonly retry?: boolean | undefined;
}

/** {@link RequestTokenOptions} as part of the options of a request. */
export interface WithRequestOptions {
  /** Returns the overrides. It is a function, because clients copy and print their options. */
  readonly unexpired: () => RequestTokenOptions;
}

/**
 * Creates options for a single request: `{ tokens: false }` sends it without a token, `{ tokens: other }` with that of
 * another manager, and `{ retry: false }` leaves a 401 to the caller.
 *
 * Pass them to `fetch`. A `Request` keeps no options that it does not know: use `Object.assign(request, perRequest(…))`,
 * as openapi-fetch does by itself. `new Request(url, perRequest(…))` throws a TypeError.
 *
 * @throws TypeError if an option is invalid
 */
export function perRequest(options: RequestTokenOptions): Pick<RequestInit, "keepalive"> & WithRequestOptions {
  const own = checkOptions("perRequest", optionTable, options);
  // `new Request` throws for such a `window`; copies of the options do not have it, because it is not enumerable
  return Object.defineProperty({ unexpired: () => own }, "window", { value: "perRequest" });
}

const optionTable = {
  tokens: [z.custom((given) => given === false || isTokenSource(given)), "a token manager or false"],
  retry: [z.boolean(), "true or false"],
} as const satisfies OptionTable & Record<keyof RequestTokenOptions, unknown>;
