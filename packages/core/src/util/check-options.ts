import * as z from "zod/mini";
import { describeOption, describeType } from "./describe-type.ts";
import { ownOptions } from "./own-options.ts";

/** The schema of each option, and a description of the accepted values for error messages. */
export type OptionTable = Readonly<Record<string, readonly [z.ZodMiniType, string, "required"?]>>;

/** The schema of a function. */
export const functionSchema = z.custom<(...parameters: never[]) => unknown>((value) => typeof value === "function");

/** The schema of a deadline in milliseconds: above 0, and finite. */
export const timeoutSchema = z.number().check(z.gt(0));

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
  for (const [name, [schema, accepted, required]] of Object.entries(table)) {
    const value: unknown = Reflect.get(options, name);
    const isValid = value === undefined ? !required : schema.safeParse(value).success;
    if (!isValid) throw new TypeError(`${name}: expected ${accepted}, not ${describeOption(value)}.`);
  }
  return options;
}
