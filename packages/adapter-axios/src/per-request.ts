import { type RequestSettings, type SettingsOfRequest, perRequest as settingsOf } from "@unexpired/core";
import type { AxiosRequestConfig } from "axios";

/**
 * A config for one request of an instance that has tokens: `{ tokens: false }` sends it without, `{ tokens: another }`
 * with those of another manager, `{ retry: false }` leaves its 401 to the caller.
 *
 * @throws TypeError where a setting makes no sense
 */
export const perRequest: (settings: RequestSettings) => AxiosRequestConfig & SettingsOfRequest = settingsOf as (
  settings: RequestSettings,
) => SettingsOfRequest;
