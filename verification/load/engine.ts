import type { TokenStore } from "@unexpired/core";
import { migrate, postgresStore } from "@unexpired/store-postgres";
import { type ConnectionOptions, PostgresServer } from "@unexpired-internal/engines/postgres";
import { Pool } from "pg";

/** The engines that sessions are kept in. */
export type EngineName = "postgres" | "redis";

/** How processes connect to an engine. */
export interface EngineConfig {
  readonly name: "postgres";
  readonly connection: ConnectionOptions;
}

/** A real server of an engine. Disposing it stops it. */
export interface Engine extends AsyncDisposable {
  readonly config: EngineConfig;
}

/** The stores of a process. Disposing them closes their connections. */
export interface Stores extends AsyncDisposable {
  readonly store: (key: string) => TokenStore;
}

const POOL = 10; // connections of each process

/** Starts an engine that keeps no sessions yet. */
export async function startEngine(): Promise<Engine> {
  const server = await PostgresServer.start();
  const pool = new Pool(server.connection);
  await migrate({ query: (sql, params) => pool.query(sql, params) });
  await pool.end();
  const config = { name: "postgres", connection: server.connection } as const;
  return { config, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Connects this process to an engine. */
export function connect(config: EngineConfig): Stores {
  const pool = new Pool({ ...config.connection, max: POOL });
  pool.on("error", () => {}); // of idle connections
  return {
    store: (key) => postgresStore({ query: (sql, params) => pool.query(sql, params), key }),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}
