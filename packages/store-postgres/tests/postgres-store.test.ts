import { createTokenManager, TokenEndpointError } from "@unexpired/core";
import { postgresStore } from "@unexpired/store-postgres";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { freshKey, TestServer } from "./support/server.ts";

const server = TestServer.use();
const HOUR = 3_600_000;

describe("options", () => {
  const query = async () => [];

  it.each([
    ["no query function", { query: undefined as never, key: "a" }, '"query" must be a function.'],
    ["an empty key", { query, key: "" }, '"key" must be 1 to 500 characters'],
    ["a long key", { query, key: "a".repeat(501) }, '"key" must be 1 to 500 characters'],
    ["a key with U+0000", { query, key: "a\0" }, '"key" must be 1 to 500 characters'],
    ["a key with half a surrogate pair", { query, key: "a\uD83D" }, '"key" must be 1 to 500 characters'],
    ["a table that is no name", { query, key: "a", table: 'a"; drop table b; --' }, '"table" must be a name'],
    ["a table with three parts", { query, key: "a", table: "a.b.c" }, '"table" must be a name'],
  ])("refuses %s", (_, options, message) => {
    expect(() => postgresStore(options)).toThrow(message);
    expect(() => postgresStore(options)).toThrow(TypeError);
  });

  it("names the row and the table", () => {
    const store = postgresStore({ query, key: "user:1", table: "app.Sessions" });
    expect(store.describe()).toBe('The PostgreSQL row "user:1" of the table "app.Sessions"');
  });

  it("takes the key and table at the time of the call, even if the options change later", () => {
    const options = { query, key: "user:1", durable: false };
    const store = postgresStore(options);
    options.key = "user:2";
    expect(store.describe()).toContain("user:1");
    expect(store.supports).toEqual({ compareAndSet: "cluster", durable: false });
  });

  it("stores a session under the longest key", async () => {
    const store = postgresStore({ query: server.query, key: "漢".repeat(500) });
    const version = await store.save("value", undefined);
    expect(await store.load()).toEqual({ value: "value", version });
  });

  it("keeps a session in another schema and table, by its exact name", async () => {
    await server.query('create schema "Other-1"', []);
    await server.query('create table "Other-1"."Sessions" (like unexpired_sessions including all)', []);
    const store = postgresStore({ query: server.query, key: "a", table: "Other-1.Sessions" });
    await store.save("value", undefined);
    expect(await server.row('select key, value from "Other-1"."Sessions"')).toEqual({ key: "a", value: "value" });
  });
});

describe("columns for people", () => {
  const columns = (key: string) =>
    server.row("select status, reason, expires_at, updated_at from unexpired_sessions where key = $1", [key]);

  it("show the state and expiry of the session, without its tokens", async () => {
    const key = freshKey();
    const failures = ["temporarily_unavailable", "invalid_grant"];
    const refresh = async () => {
      expect(await columns(key)).toMatchObject({ status: "refreshing", reason: null });
      throw new TokenEndpointError({ error: failures.shift(), status: 400, sent: true });
    };
    const before = Date.now();
    await using tokens = createTokenManager({ store: postgresStore({ query: server.query, key }), refresh });
    await tokens.signIn({
      accessToken: canary("access", 1),
      refreshToken: canary("refresh", 1),
      expiresAt: before + HOUR,
    });
    const row = await columns(key);
    expect(row).toMatchObject({ status: "alive", reason: null, expires_at: new Date(before + HOUR) });
    expect(Number(row.updated_at)).toBeGreaterThanOrEqual(before - 1_000);
    await expect(tokens.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(await columns(key)).toMatchObject({ status: "retrying", reason: "temporarily_unavailable" });
    await tokens.signIn({ accessToken: canary("access", 2), refreshToken: canary("refresh", 2) });
    await expect(tokens.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    const dead = await columns(key);
    expect(dead).toMatchObject({ status: "dead", reason: "session_expired" });
    expect(JSON.stringify(dead)).not.toContain("canary-");
  });

  it.each(["sealed text", '{"schema":1,"unknown', ""])("are NULL if the value is %j", async (value) => {
    const key = freshKey();
    await postgresStore({ query: server.query, key }).save(value, undefined);
    expect(await columns(key)).toMatchObject({ status: null, reason: null, expires_at: null });
  });

  it.each([
    ["at the epoch", 0, new Date(0)],
    ["at the last time of a Date", 8.64e15, new Date(8.64e15)],
    ["with milliseconds", 1_700_000_000_123, new Date(1_700_000_000_123)],
  ])("show an expiry %s", async (_, expiresAt, shown) => {
    const key = freshKey();
    await using tokens = createTokenManager({ store: postgresStore({ query: server.query, key }) });
    await tokens.signIn({ accessToken: canary("access", 1), expiresAt });
    expect((await columns(key)).expires_at).toEqual(shown);
  });

  it("show a reason with U+0000", async () => {
    const store = postgresStore({ query: server.query, key: freshKey() });
    const refresh = () => Promise.reject(new TokenEndpointError({ error: "busy", status: 503, sent: true }));
    await using tokens = createTokenManager({ store, refresh });
    await tokens.signIn({ accessToken: canary("access", 1), refreshToken: canary("refresh", 1), expiresAt: 0 });
    await tokens.getAccessToken().catch(() => {});
    const { value = "" } = (await store.load()) ?? {};
    const key = freshKey();
    await postgresStore({ query: server.query, key }).save(value.replace('"busy"', '"busy\\u0000"'), undefined);
    expect(await columns(key)).toMatchObject({ status: "retrying", reason: "busy\u00100" });
  });
});

it("stores a session as the JSON that it is, so that statements can read it", async () => {
  const key = freshKey();
  await using tokens = createTokenManager({ store: postgresStore({ query: server.query, key }) });
  await tokens.signIn({ accessToken: canary("access", 1), extra: { note: 'a "quoted" \u0010 text' } });
  const sql = "select value::jsonb -> 'tokens' ->> 'accessToken' as token from unexpired_sessions where key = $1";
  expect(await server.row(sql, [key])).toEqual({ token: canary("access", 1) });
});

it("holds no connection, transaction or lock while a token is exchanged", async () => {
  const pool = server.pool("application_name=exchange");
  const key = freshKey();
  const activity = "select count(*) filter (where state <> 'idle') as busy, count(*) as all from pg_stat_activity";
  let seen = {};
  const refresh = async () => {
    const held = await server.row(`${activity} where application_name = 'exchange'`);
    const { locks } = await server.row(
      "select count(*) as locks from pg_locks where locktype in ('tuple', 'advisory', 'transactionid')",
    );
    seen = { ...held, locks, taken: pool.totalCount - pool.idleCount, waiting: pool.waitingCount };
    return { accessToken: canary("access", 2), refreshToken: canary("refresh", 2), expiresIn: 3600 };
  };
  const store = postgresStore({ query: (sql, params) => pool.query(sql, params), key });
  await using tokens = createTokenManager({ store, refresh });
  await tokens.signIn({ accessToken: canary("access", 1), refreshToken: canary("refresh", 1), expiresAt: 0 });
  expect(await tokens.getAccessToken()).toBe(canary("access", 2));
  expect(seen).toEqual({ busy: "0", all: "1", locks: "0", taken: 0, waiting: 0 });
});
