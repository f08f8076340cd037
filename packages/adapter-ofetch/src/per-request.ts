import { perRequest as check } from "@unexpired/core";
import type { RequestTokenOptions, WithRequestOptions } from "@unexpired/core/adapter";
import type { FetchOptions } from "./ofetch-types.ts";

/**
 * Options for one request: `{ tokens: false }` sends it without a token, `{ tokens: another }` with that of another
 * manager, to the same origins; `{ retry: false }` leaves its 401 to the caller.
 *
 * @throws TypeError where a setting makes no sense
 */
export const perRequest: (settings: RequestTokenOptions) => Pick<FetchOptions, "retry"> & WithRequestOptions = check;
