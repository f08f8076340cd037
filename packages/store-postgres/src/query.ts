import { StoreError } from "@unexpired/core";

/** A row: its values by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * Runs one statement on the primary server, as a transaction of its own, and resolves to its rows, or to an object with them:
 * `pool.query` of `pg`, `sql.unsafe` of `postgres`. The parameters are text or NULL, and stand in the statement as `$1`, `$2`, …
 */
export type Query = (
  sql: string,
  params: (string | null)[],
) => Promise<readonly Row[] | { readonly rows: readonly Row[] }>;

/** Returns the rows of a result. Throws a `StoreError` about `location` if there are none, not even an empty list. */
export function rowsOf(result: unknown, location: string): readonly Row[] {
  const rows: unknown = Array.isArray(result) ? result : Object(result).rows;
  if (Array.isArray(rows)) return rows;
  throw new StoreError("STORE_UNAVAILABLE", {
    location,
    problem: "cannot be used, because the query function returned no rows",
    hint: "Pass a function that resolves to the rows of the statement, or to an object with `rows`.",
  });
}
