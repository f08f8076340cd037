import { sqlStateOf, toStoreError } from "./errors.ts";
import { type Query, rowsOf } from "./query.ts";
import { createTable } from "./statements.ts";
import { DEFAULT_TABLE, quoteTable } from "./table.ts";

/** Options of {@link migrate}. */
export interface MigrateOptions {
  /** Runs a statement on the primary server, as a role that may create tables. See {@link Query}. */
  readonly query: Query;
  /** The table: `name` or `schema.name`, in a schema that exists. Default `unexpired_sessions`. */
  readonly table?: string | undefined;
}

/** The SQLSTATEs of a table that another process has created in the meantime: duplicate_table, unique_violation. */
const CREATED_CONCURRENTLY = ["42P07", "23505"];

/**
 * Creates the table of {@link postgresStore} unless it exists, like the SQL files of this package. Safe in several processes at
 * once. If the table exists, the role needs no right to create one.
 *
 * @throws StoreError (`STORE_UNAVAILABLE`) if the database cannot be reached or refuses it
 * @throws TypeError if `table` is invalid
 */
export async function migrate({ query, table = DEFAULT_TABLE }: MigrateOptions): Promise<void> {
  const name = quoteTable(table);
  const location = `The PostgreSQL table "${table}"`;
  try {
    const [row] = rowsOf(await query("select to_regclass($1::text)::text as found", [name]), location);
    if (typeof row?.found !== "string") await query(createTable(name), []);
  } catch (error) {
    if (!CREATED_CONCURRENTLY.includes(sqlStateOf(error) ?? "")) throw toStoreError(error, location);
  }
}
