import { perRequest as validate } from "@unexpired/core";
import type { RequestTokenOptions, WithRequestOptions } from "@unexpired/core/adapter";

/** The adapter's part of got's `context`. Only a `type`, not an interface, is a `Record<string, unknown>`. */
export type TokenContext = Pick<WithRequestOptions, "unexpired">;

/**
 * Creates options for a single request: `{ tokens: false }` sends it without a token, `{ tokens: other }` with the
 * token of another manager, and `{ retry: false }` does not retry a 401.
 *
 * @throws TypeError if an option is unknown or invalid
 */
export const perRequest = (options: RequestTokenOptions): { context: TokenContext } => ({
  context: { ...validate(options) },
});
