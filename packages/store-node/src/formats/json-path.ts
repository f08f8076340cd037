/** A value by which an entry of an array is selected. */
export type Scalar = string | number | boolean;

/** A step into a JSON document: the name of a property, or the properties that select one entry of an array. */
export type JsonPathStep = string | { readonly where: Readonly<Record<string, Scalar>> };

/** A path into a JSON document. A string is the name of one property, even if it contains a dot. */
export type JsonPath = string | readonly JsonPathStep[];

/** A step of a checked path: a name, or the properties of an entry, sorted by their names. */
export type Step = string | readonly (readonly [name: string, value: Scalar])[];

export type Steps = readonly Step[];

const PATH = 'a property name, or a list of property names and steps such as { where: { id: "34ee18" } }';

/**
 * Checks a path, and returns a copy of its steps.
 *
 * @throws TypeError that names the option
 */
export function toSteps(path: unknown, option: string): Steps {
  if (typeof path === "string") return [path];
  if (!Array.isArray(path)) throw new TypeError(`jsonFormat: ${option} must be ${PATH}.`);
  return path.map((step: unknown, index) =>
    typeof step === "string" ? step : toSelection(step, `${option}[${index}]`),
  );
}

function toSelection(step: unknown, option: string): Step {
  const { where, ...others } = Object(step) as { where?: unknown };
  const selection = Object.entries(Object(where) as Readonly<Record<string, unknown>>);
  const isValid = selection.length > 0 && Object.keys(others).length === 0 && typeof where === "object";
  if (!isValid) throw new TypeError(`jsonFormat: ${option} must be a property name, or { where: { … } }.`);
  return selection.map(([name, value]) => [name, toScalar(value, `${option}.where.${name}`)] as const).sort(byName);
}

const byName = ([one]: readonly [string, Scalar], [other]: readonly [string, Scalar]): number => (one < other ? -1 : 1);

function toScalar(value: unknown, option: string): Scalar {
  if (typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return value as Scalar;
  throw new TypeError(`jsonFormat: ${option} must be a string, a number or a boolean.`);
}

/** Describes a place in a document: `accounts[id = "34ee18"].access_token`. */
export const showSteps = (steps: Steps): string =>
  steps.length === 0 ? "The document" : steps.map(showStep).join("").replace(/^\./, "");

function showStep(step: Step): string {
  if (typeof step === "string") return /^[\w$-]+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  return `[${step.map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join(", ")}]`;
}

/** Returns whether a place is another one, or lies inside it. */
export const isWithin = (inner: Steps, outer: Steps): boolean =>
  outer.every((step, index) => JSON.stringify(step) === JSON.stringify(inner[index]));
