import * as z from "zod/mini";
import type { TokenSource } from "../types.ts";
import { checkOptions, func, type OptionTable } from "../util/check-options.ts";

/** What one request wants otherwise than the client's other requests. */
export interface RequestSettings {
  /** `false`: no token. Another manager: its token, to the same origins. */
  readonly tokens?: TokenSource | false | undefined;
  /** `false`: a 401 is the caller's at once; the token is renewed for the next call. Default: `true`. */
  readonly retry?: boolean | undefined;
}

/** {@link RequestSettings} among the options of a request. */
export interface SettingsOfRequest {
  /** Returns the settings: a function, because clients copy and print their options. */
  readonly unexpired: () => RequestSettings;
}

/**
 * Options for one request of a client that has tokens: `{ tokens: false }` sends it without, `{ tokens: another }` with
 * those of another manager, `{ retry: false }` leaves its 401 to the caller.
 *
 * @throws TypeError where a setting makes no sense
 */
export function perRequest(settings: RequestSettings): RequestInit & SettingsOfRequest {
  checkOptions("perRequest", settingsTable, settings);
  return { unexpired: () => settings };
}

const settingsTable = {
  tokens: [
    z.custom((given) => given === false || func.safeParse(Object(given).replaceRejected).success),
    "a token manager or false",
  ],
  retry: [z.boolean(), "true or false"],
} as const satisfies OptionTable & Record<keyof RequestSettings, unknown>;
