import type { Query } from "@unexpired/store-postgres";
import type { ConnectionOptions } from "@unexpired-internal/engines/postgres";
import { Pool } from "pg";
import postgres from "postgres";

/** A client of PostgreSQL as a query function. Disposing it closes its connections. */
export interface Connected extends AsyncDisposable {
  readonly query: Query;
}

const CONNECT_TIMEOUT = 5; // seconds

/** The clients with which the store contract is tested. */
export const drivers = {
  pg(connection: ConnectionOptions): Connected {
    const pool = new Pool({ ...connection, max: 4, connectionTimeoutMillis: CONNECT_TIMEOUT * 1_000 });
    pool.on("error", () => {}); // a connection of the pool was lost; the next query opens another one
    return { query: (sql, params) => pool.query(sql, params), [Symbol.asyncDispose]: () => pool.end() };
  },
  postgres(connection: ConnectionOptions): Connected {
    const sql = postgres({ ...connection, max: 4, connect_timeout: CONNECT_TIMEOUT });
    return { query: (text, params) => sql.unsafe(text, params), [Symbol.asyncDispose]: () => sql.end() };
  },
} satisfies Record<string, (connection: ConnectionOptions) => Connected>;

/** The name of one of the {@link drivers}. */
export type Driver = keyof typeof drivers;
