import { toStoreError } from "./errors.ts";
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
  const exists = async () => {
    const [row] = rowsOf(await query("select to_regclass($1::text)::text as found", [name]), location);
    return typeof row?.found === "string";
  };
  try {
    if (!(await exists())) await query(createTable(name), []).catch(unless(exists));
  } catch (error) {
    throw toStoreError(error, location);
  }
}

/** Handles the error of a statement that does the same as another process at that moment: it fails in one of several ways. */
const unless = (isDone: () => Promise<boolean>) => async (error: unknown) => {
  if (!(await isDone())) throw error;
};
