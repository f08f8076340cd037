import { perRequest as settingsOf } from "@unexpired/core";
import type { RequestTokenOptions, WithRequestOptions } from "@unexpired/core/adapter";

/** A `type`, and not an interface: only that is a `Record<string, unknown>`. */
export type SettingsInContext = Pick<WithRequestOptions, "unexpired">;

/**
 * Options for one request: `{ tokens: false }` sends it without the token, `{ tokens: another }` with that of another
 * manager, `{ retry: false }` leaves its 401 to the caller.
 *
 * @throws TypeError where a setting makes no sense
 */
export const perRequest = (settings: RequestTokenOptions): { context: SettingsInContext } => ({
  context: { ...settingsOf(settings) },
});
