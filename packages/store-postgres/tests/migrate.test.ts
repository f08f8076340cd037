import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { migrate, postgresKeys, postgresStore, type Query } from "@unexpired/store-postgres";
import { describe, expect, it } from "vitest";
import { TestServer } from "./support/server.ts";

const server = TestServer.use();
const MIGRATIONS = join(import.meta.dirname, "../migrations");

/** Creates an empty database, and connects to it. */
async function createDatabase(name: string): Promise<Query> {
  await server.query(`create database ${name}`, []);
  return server.connectTo(name);
}

/** Lists everything that a table consists of, as the server describes it. */
const COLUMNS = `select column_name, data_type, is_nullable, column_default, collation_name
  from information_schema.columns where table_name = $1::text order by ordinal_position`;
const CONSTRAINTS = `select conname, pg_get_constraintdef(oid) as definition
  from pg_constraint where conrelid = to_regclass($1::text) order by conname`;

async function describeTable(query: Query, table: string): Promise<unknown[]> {
  const results = await Promise.all([COLUMNS, CONSTRAINTS].map((sql) => query(sql, [table])));
  return results.map((result) => ("rows" in result ? result.rows : result));
}

describe("migrate", () => {
  it("creates the same table as the SQL files", async () => {
    const [byFile, byFunction] = [await createDatabase("by_file"), await createDatabase("by_function")];
    for (const file of readdirSync(MIGRATIONS).sort()) await byFile(readFileSync(join(MIGRATIONS, file), "utf8"), []);
    await migrate({ query: byFunction });
    const table = await describeTable(byFunction, "unexpired_sessions");
    expect(table).toEqual(await describeTable(byFile, "unexpired_sessions"));
    expect(table).toMatchObject([{ length: 7 }, { length: 1 }]);
  });

  it("succeeds in many processes at once, and again", async () => {
    const queries = Array.from({ length: 12 }, () => server.connect());
    await Promise.all(queries.map((query) => query("select 1 as one", []))); // all are connected
    for (const table of Array.from({ length: 40 }, (_, index) => `at_once_${index}`)) {
      await Promise.all(queries.map((query) => migrate({ query, table })));
      await expect(postgresStore({ query: server.query, key: "a", table }).load()).resolves.toBeUndefined();
    }
    await migrate({ query: server.query, table: "at_once_1" });
  });

  it("keeps what is stored", async () => {
    const store = postgresStore({ query: server.query, key: "kept" });
    const version = await store.save("value", undefined);
    await migrate({ query: server.query });
    expect(await store.load()).toEqual({ value: "value", version });
  });

  it("causes no notice if the table exists, because clients print them", async () => {
    const notices: string[] = [];
    const pool = server
      .pool()
      .on("connect", (client) => client.on("notice", ({ message }) => notices.push(`${message}`)));
    await migrate({ query: (sql, params) => pool.query(sql, params) });
    await pool.query("do $$ begin raise notice 'last'; end $$");
    expect(notices).toEqual(["last"]);
  });

  it("creates the table in another schema, by its exact name", async () => {
    await server.query("create schema app", []);
    await migrate({ query: server.query, table: "app.Sessions" });
    expect(await server.row(`select to_regclass('app."Sessions"')::text as name`)).toEqual({ name: 'app."Sessions"' });
  });

  it("needs no right to create a table that exists", async () => {
    await server.query("create role reader", []);
    const query = server.connect("role=reader");
    await migrate({ query });
    await expect(migrate({ query, table: "another" })).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("permission denied for schema public). Grant the role"),
    });
  });

  it("reports a schema that does not exist", async () => {
    await expect(migrate({ query: server.query, table: "absent.sessions" })).rejects.toMatchObject({
      message: expect.stringContaining("Create the schema first"),
    });
  });

  it("refuses an invalid name", async () => {
    await expect(migrate({ query: server.query, table: "a;b" })).rejects.toThrow(TypeError);
  });
});

async function collect(keys: AsyncIterable<string>): Promise<string[]> {
  const collected: string[] = [];
  for await (const key of keys) collected.push(key);
  return collected;
}

describe("postgresKeys", () => {
  it("lists the keys page by page, in their order", async () => {
    await migrate({ query: server.query, table: "pages" });
    const insert = `insert into pages (key, version, value) select $1::text || to_char(n, 'FM0000'), '1', '' from generate_series(1, $2::text::int) as n`;
    await server.query(insert, ["user:", "2000"]);
    await server.query(insert, ["User:", "1500"]);
    await server.query(insert, ["üser:", "1"]);
    const statements: string[][] = [];
    const query: Query = (sql, params) => {
      statements.push(params.map(String));
      return server.query(sql, params);
    };
    const list = (prefix?: string) => collect(postgresKeys({ query, table: "pages", prefix }));
    const all = await list();
    expect(all).toHaveLength(3_501);
    expect(all).toEqual([...new Set(all)].sort());
    expect(statements).toEqual([
      ["", ""],
      ["", "User:1000"],
      ["", "user:0500"],
      ["", "user:1500"],
    ]);
    statements.length = 0;
    expect(await list("User:")).toEqual(all.slice(0, 1_500));
    expect(statements).toHaveLength(2);
    expect(await list("user:2")).toEqual(["user:2000"]);
    expect(await list("nothing")).toEqual([]);
  });

  it("reads the keys from the index alone", async () => {
    await server.query("vacuum analyze pages", []);
    let plan = "";
    const query: Query = async (sql, params) => {
      const { rows } = (await server.query(`explain ${sql}`, params)) as { rows: Record<string, string>[] };
      plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      return [];
    };
    await collect(postgresKeys({ query, table: "pages", prefix: "user:1999" }));
    expect(plan).toMatch(/Index Only Scan using pages_pkey.*Index Cond: \(\(key >= /s);
  });

  it("reports a missing table", async () => {
    const keys = collect(postgresKeys({ query: server.query, table: "absent" }));
    await expect(keys).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      message: expect.stringContaining("Run migrate"),
    });
  });
});
