/** Describes the type of a value for messages. Never its contents, which may be secret. */
export const describeType = (value: unknown): string => {
  if (value === null || value === undefined) return String(value);
  if (value === "") return "an empty string";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object of another shape" : `a ${typeof value}`;
};

/** Describes the value of an option: a number as it is, because it is no secret, and of anything else the type. */
export const describeOption = (value: unknown): string =>
  typeof value === "number" ? String(value) : describeType(value);
