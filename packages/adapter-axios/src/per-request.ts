import { type RequestTokenOptions, perRequest as settingsOf, type WithRequestOptions } from "@unexpired/core";
import type { AxiosRequestConfig } from "axios";

/**
 * A config for one request of an instance that has tokens: `{ tokens: false }` sends it without, `{ tokens: another }`
 * with those of another manager, `{ retry: false }` leaves its 401 to the caller.
 *
 * @throws TypeError where a setting makes no sense
 */
export const perRequest: (settings: RequestTokenOptions) => AxiosRequestConfig & WithRequestOptions = settingsOf as (
  settings: RequestTokenOptions,
) => WithRequestOptions;
