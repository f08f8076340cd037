import * as z from "zod/mini";
import type { Clock, NamedTokenSource } from "../types.ts";
import { checkOptions, type OptionTable } from "../util/check-options.ts";
import { completeClock } from "../util/clock.ts";
import { clockOption } from "../util/clock-option.ts";
import { describeType } from "../util/describe-type.ts";
import { fixedToken } from "./fixed-token.ts";

/** Options of {@link staticToken}. */
export interface StaticTokenOptions {
  /** Names the token in errors and in `source()`, such as the command-line option `"--token"`. Default `"static token"`. */
  readonly name?: string | undefined;
  /** The time, for tests. Default: the system clock. */
  readonly clock?: Partial<Clock> | undefined;
}

/**
 * Creates a source for one token, which expires only if it is a JWT, is never refreshed and never stored. `undefined` and a
 * blank string are no token, as from a command-line option that was not given. The source rejects in the same way as that of
 * `envToken`.
 *
 * @throws TypeError if the token is not a string, or an option is invalid
 */
export function staticToken(accessToken: string | undefined, options: StaticTokenOptions = {}): NamedTokenSource {
  if (accessToken !== undefined && typeof accessToken !== "string")
    throw new TypeError(`accessToken: expected a string or undefined, not ${describeType(accessToken)}.`);
  const { name = "static token", clock = {} } = checkOptions("staticToken", optionTable, options);
  const hint = "Pass a valid token.";
  return fixedToken({ name, description: name, hint, clock: completeClock(clock), read: () => accessToken });
}

const optionTable = {
  name: [z.string().check(z.minLength(1)), "a non-empty string"],
  clock: clockOption,
} as const satisfies OptionTable & Record<keyof StaticTokenOptions, unknown>;
