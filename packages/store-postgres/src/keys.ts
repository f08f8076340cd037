import { toStoreError } from "./errors.ts";
import { type Query, type Row, rowsOf } from "./query.ts";
import { listKeys } from "./statements.ts";
import { DEFAULT_TABLE, quoteTable } from "./table.ts";

/** Options of {@link postgresKeys}. */
export interface PostgresKeysOptions {
  /** Runs a statement. A standby serves as well. See {@link Query}. */
  readonly query: Query;
  /** The table of the sessions. Default `unexpired_sessions`. */
  readonly table?: string | undefined;
  /** Lists only keys that begin with this text. Default: all. */
  readonly prefix?: string | undefined;
}

const PAGE = 1_000; // rows

/**
 * Lists the keys of all sessions of a table, dead ones included, in the order of their characters' codes. Reads 1,000 rows at a
 * time, without a transaction: a session that is created or removed in between may be listed or not.
 *
 * @throws StoreError (`STORE_UNAVAILABLE`) if the database cannot be reached
 * @throws TypeError if `table` is invalid
 */
export async function* postgresKeys(options: PostgresKeysOptions): AsyncGenerator<string, void, undefined> {
  const { query, table = DEFAULT_TABLE, prefix = "" } = options;
  const sql = listKeys(quoteTable(table), PAGE);
  const location = `The PostgreSQL table "${table}"`;
  const pageAfter = async (key: string): Promise<readonly Row[]> => {
    try {
      return rowsOf(await query(sql, [prefix, key]), location);
    } catch (error) {
      throw toStoreError(error, location);
    }
  };
  let keys: string[];
  let last = "";
  do {
    keys = (await pageAfter(last)).map((row) => String(row.key));
    for (const key of keys) {
      if (!key.startsWith(prefix)) return; // in this order, those with the prefix come first
      yield key;
    }
    last = keys.at(-1) ?? "";
  } while (keys.length === PAGE);
}
