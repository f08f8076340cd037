import * as z from "zod/mini";
import type { TokenSource } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable } from "../util/check-options.ts";

/** What one request wants otherwise than the client's other requests. */
export interface RequestTokenOptions {
  /** `false`: no token. Another manager: its token, to the same origins. */
  readonly tokens?: TokenSource | false | undefined;
  /** `false`: a 401 is the caller's at once; the token is renewed for the next call. Default: `true`. */
  readonly retry?: boolean | undefined;
}

/** {@link RequestTokenOptions} among the options of a request. */
export interface WithRequestOptions {
  /** Returns the settings: a function, because clients copy and print their options. */
  readonly unexpired: () => RequestTokenOptions;
}

/**
 * Options for one request of a client that has tokens: `{ tokens: false }` sends it without, `{ tokens: another }` with
 * those of another manager, `{ retry: false }` leaves its 401 to the caller.
 *
 * @throws TypeError where a setting makes no sense
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
