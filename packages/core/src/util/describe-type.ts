/** Describes the type of a value for messages. Never its contents, which may be secret. */
export const describeType = (value: unknown): string => {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return typeOfNumber(value);
  return typeof value === "object" ? "an object of another shape" : `a ${typeof value}`;
};

const typeOfNumber = (value: number): string =>
  Number.isNaN(value) ? "NaN" : value < 0 ? "a negative number" : "a number";
