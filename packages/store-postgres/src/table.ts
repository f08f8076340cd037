/** The name of the table, unless another one is given. */
export const DEFAULT_TABLE = "unexpired_sessions";

const NAME = /^[\w-]{1,63}(\.[\w-]{1,63})?$/;

/**
 * Returns the name of a table for use in a statement: each part quoted, because names are case-sensitive in our API.
 *
 * @throws TypeError if it is not `name` or `schema.name`
 */
export function quoteTable(table: string): string {
  if (typeof table === "string" && NAME.test(table))
    return table
      .split(".")
      .map((part) => `"${part}"`)
      .join(".");
  throw new TypeError(
    '"table" must be a name or schema.name of letters, digits, underscores and hyphens, with up to 63 characters each.',
  );
}
