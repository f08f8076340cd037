import * as z from "zod/mini";
import { ConfigurationError } from "../errors.ts";
import type { Clock, NamedTokenSource } from "../types.ts";
import { checkOptions, type OptionTable } from "../util/check-options.ts";
import { completeClock } from "../util/clock.ts";
import { clockOption } from "../util/clock-option.ts";
import { describeType } from "../util/describe-type.ts";
import { redact } from "../util/redact.ts";
import { fixedToken } from "./fixed-token.ts";

/** Options of {@link envToken}. */
export interface EnvTokenOptions {
  /** The variables, such as the `env` that a worker is called with. Default: `process.env`; without it, none is set. */
  readonly env?: object | undefined;
  /** The time, for tests. Default: the system clock. */
  readonly clock?: Partial<Clock> | undefined;
}

/**
 * Creates a source for the token in an environment variable. It is read at each call, so that a change is seen at once. It
 * expires only if it is a JWT, is never refreshed and never stored. A variable that is unset, or contains only white space,
 * holds no token; white space around a token is ignored.
 *
 * The source rejects with a `SignInRequiredError` that names the variable: with the reason `no_session` without a token,
 * with `session_expired` if the token has expired, or a server rejected it and the variable still holds it. If the
 * variable cannot be read, it rejects with a `ConfigurationError`.
 *
 * @throws TypeError if the name or an option is invalid
 */
export function envToken(name: string, options: EnvTokenOptions = {}): NamedTokenSource {
  if (typeof name !== "string" || name === "")
    throw new TypeError(`name: expected the name of an environment variable, not ${describeType(name)}.`);
  const { env, clock = {} } = checkOptions("envToken", optionTable, options);
  const isMissing = (env ?? processEnv()) === undefined;
  return fixedToken({
    name,
    description: `environment variable ${name}`,
    hint: isMissing
      ? "This runtime has no process.env: pass the variables in the option `env`."
      : `Set ${name} to a valid token.`,
    clock: completeClock(clock),
    read: () => readVariable(name, env ?? processEnv() ?? {}),
  });
}

const optionTable = {
  env: [z.custom((value) => typeof value === "object" && value !== null), "an object of variables"],
  clock: clockOption,
} as const satisfies OptionTable & Record<keyof EnvTokenOptions, unknown>;

function processEnv(): object | undefined {
  const { process } = globalThis as { readonly process?: { readonly env?: object } };
  return process?.env;
}

/** Reads a variable. Deno throws if the program may not read it. */
function readVariable(name: string, env: object): string | undefined {
  try {
    const value: unknown = Reflect.get(env, name);
    return typeof value === "string" ? value : undefined;
  } catch (error) {
    throw unreadable(name, redact(error, []));
  }
}

const unreadable = (name: string, cause: Error): ConfigurationError =>
  new ConfigurationError(`The environment variable ${name} cannot be read. Allow the program to read it.`, { cause });
