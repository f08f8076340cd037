import { type RequestTokenOptions, perRequest as validate, type WithRequestOptions } from "@unexpired/core";
import type { AxiosRequestConfig } from "axios";

/**
 * Creates a config for a single request of an instance with tokens: `{ tokens: false }` sends it without a token,
 * `{ tokens: other }` with the token of another manager, and `{ retry: false }` does not retry a 401.
 *
 * @throws TypeError if an option is unknown or invalid
 */
export const perRequest: (options: RequestTokenOptions) => AxiosRequestConfig & WithRequestOptions = validate as (
  options: RequestTokenOptions,
) => WithRequestOptions;
