import { inspect } from "node:util";
import { createTokenManager, type TokenStore } from "@unexpired/core";
import { postgresStore, type Query } from "@unexpired/store-postgres";
import { canary } from "@unexpired-internal/test-support/canary";
import { Pool } from "pg";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { freshKey, TestServer } from "./support/server.ts";

const server = TestServer.use();

/** Each operation of a store, on a version that may exist. */
const operations: Readonly<Record<string, (store: TokenStore) => Promise<unknown>>> = {
  load: (store) => store.load(),
  "first save": (store) => store.save("value", undefined),
  save: (store) => store.save("value", "some version"),
  remove: (store) => store.remove(),
};

const unavailable = (message: string) => ({ code: "STORE_UNAVAILABLE", message: expect.stringContaining(message) });

/** Expects that every operation fails with that message. */
async function expectFailures(store: TokenStore, message: string, names = Object.keys(operations)): Promise<void> {
  for (const name of names) await expect(operations[name]?.(store), name).rejects.toMatchObject(unavailable(message));
}

describe("concurrent changes", () => {
  const ISOLATION = "default_transaction_isolation=repeatable\\ read";

  /** Runs `operation` while another transaction changes the same row, so that it has to wait for its commit. */
  async function during(change: string, key: string, operation: (store: TokenStore) => Promise<unknown>) {
    const pool = server.pool(ISOLATION, "application_name=waiting");
    const other = await server.pool().connect();
    onTestFinished(() => other.release());
    await other.query("begin");
    await other.query(change, [key]);
    const store = postgresStore({ query: (sql, params) => pool.query(sql, params), key });
    const outcome = operation(store).catch((error: unknown) => error);
    const isWaiting =
      "select 1 as waits from pg_stat_activity where application_name = 'waiting' and wait_event_type = 'Lock'";
    await vi.waitFor(async () => expect(await server.row(isWaiting)).toEqual({ waits: 1 }), { timeout: 10_000 });
    await other.query("commit");
    return outcome;
  }

  const UPDATE = "update unexpired_sessions set version = 'theirs' where key = $1";

  it("are a conflict for a save, also if the server reports a serialization failure", async () => {
    const key = freshKey();
    const version = await postgresStore({ query: server.query, key }).save("value", undefined);
    const error = await during(UPDATE, key, (store) => store.save("ours", version));
    expect(error).toMatchObject({ code: "STORE_CONFLICT" });
  });

  it("are a conflict for the first save as well", async () => {
    const insert = "insert into unexpired_sessions (key, version, value) values ($1, 'theirs', 'value')";
    const error = await during(insert, freshKey(), (store) => store.save("ours", undefined));
    expect(error).toMatchObject({ code: "STORE_CONFLICT" });
  });

  it("do not keep remove() from removing", async () => {
    const key = freshKey();
    const store = postgresStore({ query: server.query, key });
    await store.save("value", undefined);
    expect(await during(UPDATE, key, (other) => other.remove())).toBeUndefined();
    expect(await store.load()).toBeUndefined();
  });

  it("are repeated only five times", async () => {
    const query = vi.fn<Query>().mockRejectedValue(Object.assign(new Error("could not serialize"), { code: "40001" }));
    const store = postgresStore({ query, key: "a" });
    await expect(store.load()).rejects.toMatchObject(unavailable("could not serialize"));
    expect(query).toHaveBeenCalledTimes(5);
  });
});

describe("a server that is no primary", () => {
  it("is reported by every operation, even if there is no session", { timeout: 60_000 }, async () => {
    await using standby = await server.postgres.startStandby();
    const pool = new Pool(standby.connection);
    const store = postgresStore({ query: (sql, params) => pool.query(sql, params), key: freshKey() });
    await expectFailures(store, "Pass a query function that reaches the primary server");
    await expect(store.load()).rejects.toMatchObject(
      unavailable("reached a standby server, whose sessions may be old"),
    );
    await pool.end();
  });

  it("is reported by saves, if only the connection is read-only", async () => {
    const store = postgresStore({ query: server.connect("default_transaction_read_only=on"), key: freshKey() });
    expect(await store.load()).toBeUndefined();
    await expectFailures(store, "because the connection is read-only. Pass a query function", [
      "first save",
      "save",
      "remove",
    ]);
  });
});

describe("a database that is not set up", () => {
  it("is reported with the remedy", async () => {
    const store = (table: string) => postgresStore({ query: server.query, key: "a", table });
    await expectFailures(store("absent"), 'relation "absent" does not exist). Run migrate({ query }) or the SQL file');
    await expectFailures(store("absent.absent"), "does not exist). Run migrate({ query }) or the SQL file");
    await server.query("create table other (key text primary key)", []);
    await expectFailures(store("other"), "does not exist). Run migrate({ query }) or the SQL file");
  });

  it("is reported if the role has no rights", async () => {
    await server.query("create role powerless", []);
    const store = postgresStore({ query: server.connect("role=powerless"), key: "a" });
    await expectFailures(store, "permission denied for table unexpired_sessions). Grant the role SELECT");
  });
});

describe("a query function", () => {
  it("is reported if it resolves to something other than rows", async () => {
    const store = postgresStore({ query: async () => 1 as never, key: "a" });
    await expectFailures(store, "the query function returned no rows. Pass a function that resolves to the rows");
  });

  it.each([
    ["nothing", undefined, "the query function failed without a message"],
    ["an error without a message", Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }), "(ECONNREFUSED)"],
    ["an error", new Error("Connection terminated"), "(Connection terminated). Check that the query function reaches"],
  ])("is reported if it throws %s", async (_, thrown, message) => {
    const store = postgresStore({ query: () => Promise.reject(thrown), key: "a" });
    await expectFailures(store, message);
  });

  it.each([
    ["as its cause", { cause: Object.assign(new Error("no relation"), { code: "42P01" }) }],
    [
      "as Prisma 7 does",
      {
        code: "P2010",
        meta: { driverAdapterError: { cause: { originalCode: "42P01", originalMessage: "no relation" } } },
      },
    ],
    ["as earlier versions of Prisma do", { code: "P2010", meta: { code: "42P01", message: "no relation" } }],
  ])("may wrap the error of the server %s", async (_, properties) => {
    const thrown = Object.assign(new Error("Failed"), properties);
    const store = postgresStore({ query: () => Promise.reject(thrown), key: "a" });
    await expectFailures(store, "(no relation). Run migrate({ query })");
  });
});

describe("tokens in errors", () => {
  const TOKENS = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1) };
  const shown = (error: unknown) =>
    [inspect(error, { depth: 8, showHidden: true }), JSON.stringify(error), (error as Error).stack].join("\n");

  /** A table whose rows the server refuses, with the whole row in the error's `detail`. */
  async function refusingTable(): Promise<string> {
    const table = `refusing_${freshKey().slice(5, 13)}`;
    await server.query(`create table ${table} (like unexpired_sessions including all, check (value = ''))`, []);
    return table;
  }

  /** Query functions whose errors quote the parameters. */
  const quoting: Readonly<Record<string, (query: Query) => Query>> = {
    "its detail": (query) => query,
    "its properties": (query) => (sql, params) =>
      query(sql, params).catch((error: Error) =>
        Promise.reject(Object.assign(error, { parameters: params, query: sql })),
      ),
    "its message": (query) => (sql, params) =>
      query(sql, params).catch((cause: Error) =>
        Promise.reject(new Error(`Failed query: ${sql}\nparams: ${params}`, { cause })),
      ),
    "its only message": (query) => (sql, params) =>
      query(sql, params).catch(() =>
        Promise.reject(new Error(`Failed: ${JSON.stringify(params)} ${params[2]?.split("-1")[0]}...`)),
      ),
  };

  it.each(Object.entries(quoting))("are hidden if an error quotes them in %s", async (_, wrap) => {
    const store = postgresStore({ query: wrap(server.query), key: freshKey(), table: await refusingTable() });
    const bare = await store
      .save(JSON.stringify({ schema: 1, tokens: TOKENS }), undefined)
      .catch((error: unknown) => error);
    expect(bare).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(shown(bare)).not.toContain("canary-");
    await using tokens = createTokenManager({ store });
    const managed = await tokens.signIn(TOKENS).catch((error: unknown) => error);
    expect(managed).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(shown(managed)).not.toContain("canary-");
  });

  it("leave the rest of the message and the server's code", async () => {
    const store = postgresStore({ query: server.query, key: freshKey(), table: await refusingTable() });
    const error = await store.save(canary("access", 1), undefined).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(unavailable("violates check constraint"));
    expect(error).toMatchObject({ cause: { code: "23514" } });
  });
});
