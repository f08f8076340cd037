import { assertKnownOptions } from "../known-options.ts";
import { isWithin, type JsonPath, type Step, type Steps, showSteps, toSteps } from "./json-path.ts";
import { duration, idValue, listValue, stringValue, type TimeUnit, timeValue, type ValueType } from "./values.ts";

/** The place of one member of a session: a path from the entry, and the unit of the value. */
export type JsonField<Unit extends string = never> =
  | JsonPath
  | { readonly path: JsonPath; readonly unit?: Unit | undefined };

/** The places of a session's members, each with a path from the entry that `at` leads to. */
export interface JsonFields {
  readonly accessToken?: JsonField | undefined;
  readonly refreshToken?: JsonField | undefined;
  /**
   * The expiry of the access token: epoch milliseconds (`"ms"`, the default), epoch seconds (`"s"`), an ISO 8601 time
   * (`"iso"`), or `"lifetime"`: the seconds from `obtainedAt`, which is then needed.
   */
  readonly expiresAt?: JsonField<TimeUnit | "lifetime"> | undefined;
  /** The scope: a space-separated string (`"string"`, the default), or an array of strings (`"array"`). */
  readonly scope?: JsonField<"string" | "array"> | undefined;
  readonly idToken?: JsonField | undefined;
  /** Whose session it is: a string or an integer. */
  readonly account?: JsonField | undefined;
  /** When the tokens were obtained: `"ms"` (the default), `"s"` or `"iso"`. */
  readonly obtainedAt?: JsonField<TimeUnit> | undefined;
}

export type FieldName = keyof JsonFields;

/** A checked field. */
export interface Field {
  readonly name: FieldName;
  /** The path from the root of the document. */
  readonly steps: Steps;
  readonly type: ValueType;
  /** Whether the value is a duration that begins with `obtainedAt`. */
  readonly isLifetime: boolean;
}

/** For each field, the types of its values by their unit. The first one is the default. */
const TYPES: Readonly<Record<FieldName, Readonly<Record<string, ValueType<string> | ValueType<number>>>>> = {
  accessToken: { string: stringValue },
  refreshToken: { string: stringValue },
  expiresAt: { ms: timeValue("ms"), s: timeValue("s"), iso: timeValue("iso"), lifetime: duration },
  scope: { string: listValue("string"), array: listValue("array") },
  idToken: { string: stringValue },
  account: { string: idValue },
  obtainedAt: { ms: timeValue("ms"), s: timeValue("s"), iso: timeValue("iso") },
};

const NAMES = Object.keys(TYPES) as FieldName[];

/**
 * Checks the fields of an entry.
 *
 * @throws TypeError that names the invalid field
 */
export function toFields(fields: JsonFields, at: Steps): readonly Field[] {
  assertKnownOptions("jsonFormat", fields, NAMES);
  const given = Object(fields) as JsonFields;
  const known = NAMES.filter((name) => Object.hasOwn(given, name) && given[name] !== undefined);
  const checked = known.map((name) => toField(name, given[name], at));
  const has = (name: FieldName) => known.includes(name);
  if (!has("accessToken") && !has("refreshToken"))
    throw new TypeError("jsonFormat: fields needs at least accessToken or refreshToken.");
  if (checked.some(({ isLifetime }) => isLifetime) && !has("obtainedAt"))
    throw new TypeError("jsonFormat: fields.expiresAt is a lifetime, which needs fields.obtainedAt.");
  for (const field of checked) assertSeparate(field, checked);
  return checked;
}

function toField(name: FieldName, given: unknown, at: Steps): Field {
  const option = `fields.${name}`;
  const isPath = typeof given === "string" || Array.isArray(given);
  if (!isPath) assertKnownOptions(`jsonFormat: ${option}`, given, ["path", "unit"]);
  const { path, unit } = isPath
    ? { path: given, unit: undefined }
    : (Object(given) as { path?: unknown; unit?: unknown });
  const units = Object.keys(TYPES[name]);
  const key = unit === undefined ? units[0] : units.find((each) => each === unit);
  const type = TYPES[name][key ?? ""];
  if (!type) throw new TypeError(`jsonFormat: ${option}.unit is unknown. Supported: ${units.join(", ")}.`);
  const steps = [...at, ...toSteps(path, isPath ? option : `${option}.path`)];
  assertPath(steps, option);
  return { name, steps, type: type as ValueType, isLifetime: key === "lifetime" };
}

/** A value is a property of an object, and so is everything inside an entry that is selected. */
function assertPath(steps: Steps, option: string): void {
  const isUnfinished = (step: Step, index: number) => typeof step !== "string" && typeof steps[index + 1] !== "string";
  if (steps.length === 0 || steps.some(isUnfinished))
    throw new TypeError(`jsonFormat: ${option} must lead to a property: a "where" needs a property name after it.`);
}

function assertSeparate(field: Field, fields: readonly Field[]): void {
  const clash = fields.find((other) => other !== field && isWithin(other.steps, field.steps));
  if (clash) throw new TypeError(`jsonFormat: fields.${field.name} and fields.${clash.name} have the same place.`);
  if (isSelector(field.steps))
    throw new TypeError(
      `jsonFormat: fields.${field.name} is a property that "where" selects the entry by. Leave it out.`,
    );
}

/** Returns whether a path leads to one of the properties by which it selects an entry. */
function isSelector(steps: Steps): boolean {
  const selection = steps.at(-2);
  return typeof selection === "object" && selection.some(([name]) => name === steps.at(-1));
}

/**
 * Identifies the entry: by the place of its refresh token, so that programs that know different members of a session, or
 * write the same paths in two ways, agree who may present it.
 */
export function keyOf(fields: readonly Field[]): string {
  const stepsOf = (wanted: FieldName) => fields.find(({ name }) => name === wanted)?.steps;
  return JSON.stringify(stepsOf("refreshToken") ?? stepsOf("accessToken"));
}

/** Describes the place of a field in the document. */
export const placeOf = ({ steps }: Field): string => showSteps(steps);
