import type { SessionFormat } from "@unexpired/core";

/**
 * Checks that a value is a format. `name` names it, such as `fileStore: "format"`.
 *
 * @throws TypeError
 */
export function assertFormat(format: unknown, name: string): asserts format is SessionFormat {
  const { key, parse, print } = Object(format) as { readonly [Name in keyof SessionFormat]?: unknown };
  if (typeof key === "string" && typeof parse === "function" && typeof print === "function") return;
  throw new TypeError(`${name} must be a SessionFormat, such as jsonFormat(…) of @unexpired/store-node.`);
}

/**
 * Returns the option `format`, if there is one.
 *
 * @throws TypeError if it is not a format
 */
export function formatOption(caller: string, options: object): SessionFormat | undefined {
  const { format }: { format?: unknown } = { format: undefined, ...options }; // not from Object.prototype
  if (format === undefined) return undefined;
  assertFormat(format, `${caller}: "format"`);
  return format;
}
