import { randomUUID } from "node:crypto";
import { migrate, type Query } from "@unexpired/store-postgres";
import { type ConnectionOptions, missingPostgres, PostgresServer } from "@unexpired-internal/engines/postgres";
import { Pool, type PoolConfig } from "pg";
import { afterAll, beforeAll, beforeEach, onTestFinished } from "vitest";

/** A PostgreSQL server for the tests of a file, with the table `unexpired_sessions`. Its members are there when a test runs. */
export class TestServer {
  #server: PostgresServer | undefined;
  #pool: Pool | undefined;

  /** Starts it before the tests of the file, and stops it afterwards. Skips them if PostgreSQL is missing. */
  static use(): TestServer {
    const server = new TestServer();
    const missing = missingPostgres();
    if (missing === undefined) beforeAll(() => server.#start());
    else beforeEach((ctx) => ctx.skip(missing));
    afterAll(() => server.#stop());
    return server;
  }

  async #start(): Promise<void> {
    this.#server = await PostgresServer.start();
    this.#pool = new Pool({ ...this.connection, max: 3 }).on("error", () => {});
    await migrate(this);
  }

  async #stop(): Promise<void> {
    await this.#pool?.end();
    await this.#server?.[Symbol.asyncDispose]();
  }

  get postgres(): PostgresServer {
    if (!this.#server) throw new Error("The PostgreSQL server has not been started.");
    return this.#server;
  }

  get connection(): ConnectionOptions {
    return this.postgres.connection;
  }

  /** Runs a statement as a superuser. */
  readonly query: Query = async (sql, params) => {
    if (!this.#pool) throw new Error("The PostgreSQL server has not been started.");
    return this.#pool.query(sql, params);
  };

  /** Runs a statement, and resolves to its only row. */
  async row(sql: string, params: string[] = []): Promise<Record<string, unknown>> {
    const { rows } = (await this.query(sql, params)) as { rows: Record<string, unknown>[] };
    return rows[0] ?? {};
  }

  /** Opens a pool of other connections, with settings such as `default_transaction_read_only=on`, until the test ends. */
  pool(...settings: string[]): Pool {
    const options = settings.map((setting) => `-c ${setting}`).join(" ");
    return openPool({ ...this.connection, options });
  }

  /** Opens such a pool as a query function. */
  connect(...settings: string[]): Query {
    return queryOf(this.pool(...settings));
  }

  /** Connects to another database until the test ends. */
  connectTo(database: string): Query {
    return queryOf(openPool({ ...this.connection, database }));
  }
}

function openPool(options: PoolConfig): Pool {
  const pool = new Pool(options).on("error", () => {});
  onTestFinished(() => pool.end());
  return pool;
}

const queryOf =
  (pool: Pool): Query =>
  (sql, params) =>
    pool.query(sql, params);

/** A new key. */
export const freshKey = (): string => `user:${randomUUID()}`;
