import * as z from "zod/mini";
import type { TokenSource } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable } from "../util/check-options.ts";

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
 * @throws TypeError if an option is invalid
 */
export function perRequest(options: RequestTokenOptions): RequestInit & WithRequestOptions {
  checkOptions("perRequest", optionTable, options);
  return { unexpired: () => options };
}

const optionTable = {
  tokens: [
    z.custom((given) => given === false || functionSchema.safeParse(Object(given).replaceRejected).success),
    "a token manager or false",
  ],
  retry: [z.boolean(), "true or false"],
} as const satisfies OptionTable & Record<keyof RequestTokenOptions, unknown>;
