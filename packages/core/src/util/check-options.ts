import * as z from "zod/mini";
import { typeOf } from "./describe-type.ts";

/** For each option what it must be, and how to say that. */
export type OptionTable = Readonly<Record<string, readonly [z.ZodMiniType, string, "required"?]>>;

/** The schema of an option that is a function. */
export const func = z.custom<(...parameters: never[]) => unknown>((value) => typeof value === "function");

/** The schema of a deadline in milliseconds: above 0, and finite. */
export const deadline = z.number().check(z.gt(0));

/** @throws TypeError which names the option, the type of what was given, and what is accepted */
export function checkOptions(what: string, table: OptionTable, given: object): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError(`${what}: expected an object of options, not ${typeOf(given)}.`);
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(table, name));
  if (unknown !== undefined) {
    throw new TypeError(`${unknown}: there is no such option. There are ${Object.keys(table).join(", ")}.`);
  }
  for (const [name, [schema, accepted, required]] of Object.entries(table)) {
    const value: unknown = Reflect.get(given, name);
    const isGood = value === undefined ? !required : schema.safeParse(value).success;
    if (!isGood) throw new TypeError(`${name}: expected ${accepted}, not ${typeOf(value)}.`);
  }
}
