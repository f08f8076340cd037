import { createSessions, type Sessions } from "@unexpired/core";
import { migrate, postgresStore } from "@unexpired/store-postgres";
import { missingPostgres, PostgresServer } from "@unexpired-internal/engines/postgres";
import { Pool } from "pg";
import { afterAll, beforeAll, beforeEach } from "vitest";

const START_TIMEOUT = 60_000; // ms

/** A PostgreSQL server for the tests of a file. */
export class Database {
  #server: PostgresServer | undefined;
  #pool = new Pool();

  /** Starts it before the tests, and stops it afterwards. Skips them if PostgreSQL is missing. */
  static use(): Database {
    const database = new Database();
    const missing = missingPostgres();
    if (missing === undefined) beforeAll(() => database.#start(), START_TIMEOUT);
    else beforeEach((context) => context.skip(missing));
    afterAll(() => database.#stop());
    return database;
  }

  async #start(): Promise<void> {
    this.#server = await PostgresServer.start();
    this.#pool = new Pool({ connectionString: this.url }).on("error", () => {});
    await migrate(this);
  }

  async #stop(): Promise<void> {
    await this.#pool.end();
    await this.#server?.[Symbol.asyncDispose]();
  }

  get url(): string {
    return this.#server?.url ?? "";
  }

  readonly query = (sql: string, params: (string | null)[] = []) => this.#pool.query(sql, params);

  /** Makes the access token of a session one of an hour that ends in a minute: it is refreshed in the background. */
  async expireSoon(user: string): Promise<void> {
    const now = Date.now();
    const change = `value::jsonb || $2::jsonb || jsonb_build_object('tokens', value::jsonb -> 'tokens' || $3::jsonb)`;
    const changes = [{ obtainedAt: now - 3_540_000 }, { expiresAt: now + 60_000 }].map((each) => JSON.stringify(each));
    await this.query(`update unexpired_sessions set value = (${change})::text where key = $1`, [user, ...changes]);
  }

  /** Returns the record of a session. */
  async recordOf(user: string) {
    const { rows } = await this.query("select value from unexpired_sessions where key = $1", [user]);
    return JSON.parse(rows[0].value);
  }

  /** Opens the sessions of the table, as another process would. */
  sessions(): Sessions {
    return createSessions({ store: (key) => postgresStore({ query: this.query, key }) });
  }
}
