/** The clients of PostgreSQL whose query functions the README shows, but for those of the store contract. */
import { createTokenManager } from "@unexpired/core";
import { migrate, postgresKeys, postgresStore, type Query } from "@unexpired/store-postgres";
import { missingPgBouncer, PgBouncer } from "@unexpired-internal/engines/pgbouncer";
import { canary } from "@unexpired-internal/test-support/canary";
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres";
import { drizzle as drizzlePostgres } from "drizzle-orm/postgres-js";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import { Client, Pool } from "pg";
import postgres from "postgres";
import { describe, expect, it, onTestFinished } from "vitest";
import { freshKey, TestServer } from "./support/server.ts";

const server = TestServer.use();

function openPostgres(options: postgres.Options<Record<string, never>> = {}): postgres.Sql {
  const sql = postgres({ ...server.connection, ...options });
  onTestFinished(() => sql.end());
  return sql;
}

/** The query function of each client. */
const clients: Readonly<Record<string, () => Query | Promise<Query>>> = {
  "a single client of pg": async () => {
    const client = new Client(server.connection);
    await client.connect();
    onTestFinished(() => client.end());
    return (sql, params) => client.query(sql, params);
  },
  "postgres with renamed columns and numbers as BigInt": () => {
    const sql = openPostgres({ transform: postgres.camel, types: { bigint: postgres.BigInt } } as object);
    return (text, params) => sql.unsafe(text, params);
  },
  Kysely: () => {
    const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: server.pool() }) });
    return (sql, params) => db.executeQuery<Record<string, unknown>>(CompiledQuery.raw(sql, params));
  },
  "Drizzle with pg": () => {
    const db = drizzlePg({ client: server.pool() });
    return (sql, params) => db.$client.query(sql, params);
  },
  "Drizzle with postgres": () => {
    const db = drizzlePostgres({ client: openPostgres() });
    return (sql, params) => db.$client.unsafe(sql, params);
  },
};

describe.each(Object.entries(clients))("%s", (_, open) => {
  it("serves as the query function of everything", async () => {
    const query = await open();
    const key = freshKey();
    await migrate({ query });
    const store = postgresStore({ query, key });
    const refresh = async () => ({
      accessToken: canary("access", 2),
      refreshToken: canary("refresh", 2),
      expiresIn: 60,
    });
    await using tokens = createTokenManager({ store, refresh });
    await tokens.signIn({ accessToken: canary("access", 1), refreshToken: canary("refresh", 1), expiresAt: 0 });
    expect(await tokens.getAccessToken()).toBe(canary("access", 2));
    await expect(store.save("value", "no version")).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    await expect(store.save("value", undefined)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    const keys: string[] = [];
    for await (const each of postgresKeys({ query, prefix: key })) keys.push(each);
    expect(keys).toEqual([key]);
    await store.remove();
    expect(await store.load()).toBeUndefined();
  });
});

describe("a pool of two connections behind PgBouncer", () => {
  async function startPooler(): Promise<PgBouncer> {
    const pgbouncer = await PgBouncer.start(server.connection, { poolSize: 2, queryWait: 20 });
    onTestFinished(() => pgbouncer[Symbol.asyncDispose]());
    return pgbouncer;
  }

  it("serves many sessions at once", async (ctx) => {
    const missing = missingPgBouncer();
    if (missing !== undefined) ctx.skip(missing);
    const sql = openPostgres({ ...(await startPooler()).connection, max: 50 } as object);
    const stores = Array.from({ length: 200 }, () =>
      postgresStore({ query: (text, params) => sql.unsafe(text, params), key: freshKey() }),
    );
    const versions = await Promise.all(stores.map((store) => store.save("value", undefined)));
    const loaded = await Promise.all(stores.map((store) => store.load()));
    expect(loaded).toEqual(versions.map((version) => ({ value: "value", version })));
  });

  it("is named as the reason if statements are prepared by name", async (ctx) => {
    const missing = missingPgBouncer();
    if (missing !== undefined) ctx.skip(missing);
    const pool = new Pool({ ...(await startPooler()).connection, max: 8 });
    onTestFinished(() => pool.end());
    const query: Query = (text, values) => pool.query({ name: "named", text, values });
    const loads = Array.from({ length: 100 }, () => postgresStore({ query, key: freshKey() }).load());
    const outcomes = await Promise.allSettled(loads);
    const errors = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [String(outcome.reason)] : []));
    expect(errors.join("\n")).toContain("Turn named prepared statements off");
  });
});
