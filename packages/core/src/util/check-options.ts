import * as z from "zod/mini";
import { describeOption, describeType } from "./describe-type.ts";
import { ownOptions } from "./own-options.ts";

/** The schema of each option, and a description of the accepted values for error messages. */
export type OptionTable = Readonly<Record<string, readonly [z.ZodMiniType, string, "required"?]>>;

/** The schema of a function. */
export const functionSchema = z.custom<(...parameters: never[]) => unknown>((value) => typeof value === "function");

/** The schema of a duration in milliseconds. Infinity is allowed. */
export const durationSchema = z.custom<number>((value) => typeof value === "number" && value >= 0);

/** The schema of a deadline in milliseconds: a claim has to outlast it, and readers limit leases to an hour. */
export const timeoutSchema = z.number().check(z.gt(0), z.lte(20 * 60_000));
export const TIMEOUT = "milliseconds above 0, at most 20 minutes";

/**
 * Checks the options of the function `caller`. Returns a copy of its own properties, without a prototype: use that one.
 *
 * @throws TypeError that names the option, what is accepted, and what was passed: a number, or the type of another value
 */
export function checkOptions<T extends object>(caller: string, table: OptionTable, given: T): T {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError(`${caller}: expected an object of options, not ${describeType(given)}.`);
  }
  const options = ownOptions(given);
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(table, name));
  if (unknown !== undefined) {
    throw new TypeError(`${caller}: unknown option "${unknown}". Supported: ${Object.keys(table).join(", ")}.`);
  }
  for (const [name, entry] of Object.entries(table)) checkOption(name, entry, Reflect.get(options, name));
  return options;
}

/**
 * Checks one option.
 *
 * @throws TypeError
 */
export function checkOption(name: string, [schema, accepted, required]: OptionTable[string], value: unknown): void {
  if (value === undefined && !required) return;
  const { error } = value === undefined ? MISSING : schema.safeParse(value);
  if (error) throw toOptionError(name, accepted, { value, path: error.issues[0]?.path });
}

const MISSING = { error: { issues: [] } };

/** `path` leads to the member that is invalid, if it is not the option itself. */
const toOptionError = (
  name: string,
  accepted: string,
  { value, path = [] }: { readonly value: unknown; readonly path: readonly PropertyKey[] | undefined },
): TypeError =>
  path.length === 0
    ? new TypeError(`${name}: expected ${accepted}, not ${describeOption(value, accepted)}.`)
    : new TypeError(`${[name, ...path].join(".")}: invalid. Expected ${name} to be ${accepted}.`);
