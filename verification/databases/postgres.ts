import { migrate, postgresNotifications, postgresStore } from "@unexpired/store-postgres";
import { missingPgBouncer, PgBouncer } from "@unexpired-internal/engines/pgbouncer";
import { missingPostgres, PostgresServer } from "@unexpired-internal/engines/postgres";
import { Client, Pool } from "pg";
import type { Database, DatabaseKind, Stores } from "./database.ts";

const TIMEOUT = 2_000; // ms, for a connection and for a statement

/** PostgreSQL, directly or through PgBouncer in transaction mode, whose connections are the ones that break then. */
class PostgresDatabase implements Database {
  readonly #server: PostgresServer;
  readonly #front: PostgresServer | PgBouncer;

  constructor(server: PostgresServer, front: PostgresServer | PgBouncer) {
    this.#server = server;
    this.#front = front;
  }

  open(connections = 4): Stores {
    const pool = new Pool({
      ...this.#front.connection,
      max: connections,
      connectionTimeoutMillis: connections > 2 ? TIMEOUT : 0, // with few connections, callers wait for one
      query_timeout: TIMEOUT,
    });
    pool.on("error", () => {}); // the next query opens another connection
    const query = (sql: string, params: readonly (string | null)[]) => pool.query(sql, [...params]);
    const notifications = postgresNotifications({
      listen: async (channel, { onMessage, onReady, onClose }) => {
        const client = new Client({ ...this.#server.connection, connectionTimeoutMillis: TIMEOUT });
        client.on("notification", ({ payload = "" }) => onMessage(payload));
        client.on("error", onClose).on("end", onClose);
        await client.connect();
        await client.query(`LISTEN ${channel}`);
        onReady();
        return () => client.end();
      },
    });
    return {
      store: (key) => postgresStore({ query, key, notifications }),
      [Symbol.asyncDispose]: () => pool.end(),
    };
  }

  restart(): Promise<void> {
    return this.#server.restart();
  }

  stop(): Promise<void> {
    return this.#front.stop();
  }

  start(): Promise<void> {
    return this.#front.start();
  }

  pause(): void {
    this.#server.pause();
  }

  resume(): void {
    this.#server.resume();
  }

  async read(key: string): Promise<string> {
    const { rows } = await this.#administer("SELECT value FROM unexpired_sessions WHERE key = $1", [key]);
    return String(rows[0]?.value);
  }

  async swap(one: string, other: string): Promise<void> {
    const values = `(SELECT value FROM unexpired_sessions WHERE key = CASE s.key WHEN $1 THEN $2 ELSE $1 END)`;
    await this.#administer(
      `UPDATE unexpired_sessions s SET version = gen_random_uuid()::text, value = ${values} WHERE key IN ($1, $2)`,
      [one, other],
    );
  }

  async #administer(sql: string, params: readonly string[]) {
    const client = new Client(this.#server.connection);
    await client.connect();
    return client.query<{ value?: unknown }>(sql, [...params]).finally(() => client.end());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#front !== this.#server) await this.#front[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }
}

async function startServer(): Promise<PostgresServer> {
  const server = await PostgresServer.start();
  const client = new Client(server.connection);
  await client.connect();
  await migrate({ query: (sql, params) => client.query(sql, [...params]) });
  await client.end();
  return server;
}

export const postgresKinds: readonly DatabaseKind[] = [
  {
    title: "PostgreSQL",
    missing: missingPostgres,
    async start() {
      const server = await startServer();
      return new PostgresDatabase(server, server);
    },
  },
  {
    title: "PostgreSQL through PgBouncer in transaction mode",
    missing: () => missingPostgres() ?? missingPgBouncer(),
    async start() {
      const server = await startServer();
      return new PostgresDatabase(server, await PgBouncer.start(server.connection, { poolSize: 4, queryWait: 10 }));
    },
  },
];
