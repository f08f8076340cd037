import { migrate } from "@unexpired/store-postgres";
import { Pool } from "pg";

const pool = new Pool({
  connectionString: process.env.DATABASE_URL,
  connectionTimeoutMillis: 5_000, // a server that is out of reach becomes an error
  allowExitOnIdle: true, // for scripts, which end without closing it
});
pool.on("error", (error) => console.error(error.message)); // of idle connections; pg would end the process

export const query = (sql: string, params: (string | null)[]) => pool.query(sql, params);
export const closeDatabase = () => pool.end();

await migrate({ query });
