/** Describes the type of a value for messages. Never its contents, which may be secret. */
export const describeType = (value: unknown): string => {
  if (value === null || value === undefined) return String(value);
  if (value === "") return "an empty string";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "another object" : `a ${typeof value}`;
};

/**
 * Describes the value of an option that accepts what `accepted` says: a number as it is, because it is no secret, and of
 * anything else the type.
 */
export function describeOption(value: unknown, accepted: string): string {
  if (typeof value === "number") return String(value);
  const acceptsStrings = /\bURL\b|non-empty string/.test(accepted);
  return typeof value === "string" && value !== "" && acceptsStrings ? "a string of another form" : describeType(value);
}
