import { perRequest as validate } from "@unexpired/core";
import type { RequestTokenOptions, WithRequestOptions } from "@unexpired/core/adapter";
import type { FetchOptions } from "./ofetch-types.ts";

/**
 * Creates options for a single request: `{ tokens: false }` sends it without a token, `{ tokens: other }` with the
 * token of another manager (to the same origins), and `{ retry: false }` does not retry a 401.
 *
 * @throws TypeError if an option is unknown or invalid
 */
export const perRequest: (options: RequestTokenOptions) => Pick<FetchOptions, "retry"> & WithRequestOptions = validate;
