/** Runs the programs and the SQL of docs/servers.md that are not files of examples/servers. */
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createSessions, createTokenManager, type TokenStore } from "@unexpired/core";
import { missingRedis, RedisServer } from "@unexpired-internal/engines/redis";
import { CANARY, canary } from "@unexpired-internal/test-support/canary";
import { Database } from "@unexpired-internal/web-servers/database";
import { Program } from "@unexpired-internal/web-servers/program";
import { Provider } from "@unexpired-internal/web-servers/provider";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { block, readPage, root } from "./support/pages.ts";

const page = readPage("docs/servers.md");
const database = Database.use();
const examples = join(root, "examples/servers");
const KEYS = {
  SEALING_KEY: Buffer.alloc(32, 1).toString("base64"),
  NEW_SEALING_KEY: Buffer.alloc(32, 2).toString("base64"),
};
const TOKENS = { accessToken: canary("access", "servers"), refreshToken: canary("refresh", "servers"), expiresAt: 1 };

/** A folder with the files of the examples, for the programs that import them. */
let folder: string;
beforeEach(async () => {
  await database.query("truncate unexpired_sessions");
  folder = mkdtempSync(join(examples, "page-"));
  for (const file of readdirSync(examples).filter((name) => /^[\w-]+\.ts$/.test(name)))
    cpSync(join(examples, file), join(folder, file));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, more = ""): string {
  const file = join(folder, `${name}.ts`);
  writeFileSync(file, `${block(page, name)}${more}`);
  return file;
}

function start(file: string, env: NodeJS.ProcessEnv = {}): Program {
  return new Program(file, { ...KEYS, DATABASE_URL: database.url, ...env });
}

/** Runs a program to its end, and returns what it prints. */
async function run(name: string, env?: NodeJS.ProcessEnv): Promise<string> {
  await using program = start(write(name), env);
  expect(await program.ended(), program.output).toBe(0);
  return program.output;
}

/** Runs the SQL that begins with that comment, and returns its rows. */
async function sql(comment: string) {
  const [, statement = ""] = new RegExp(`^\`\`\`sql\\n-- ${comment}.*?\\n(.*?)^\`\`\``, "ms").exec(page.text) ?? [];
  return (await database.query(statement)).rows;
}

/** Stores a session of a user. */
async function signIn(user: string, tokens = TOKENS): Promise<void> {
  await using sessions = database.sessions();
  await sessions.signIn(user, tokens);
}

it("has options that createSessions accepts", async () => {
  expect(await run("options")).toBe("0 sessions in memory\n");
});

it("keeps the sessions of each provider in a table of its own", async () => {
  expect(await run("several-providers")).toBe("false\n");
  expect((await database.query("select * from google_sessions")).rows).toEqual([]);
});

it("keeps sessions in Redis", async (ctx) => {
  const missing = missingRedis();
  if (missing !== undefined) return ctx.skip(missing);
  await using redis = await RedisServer.start();
  expect(await run("redis", { REDIS_URL: redis.url })).toBe("user-42 true\n");
});

/** Imports the `store` of a program, in this process. */
async function importStore(name: string): Promise<(userId: string) => TokenStore> {
  for (const [variable, value] of Object.entries({ ...KEYS, DATABASE_URL: database.url })) vi.stubEnv(variable, value);
  const { store } = await import(pathToFileURL(write(name)).href);
  return store;
}

const rowOf = async (user: string) =>
  (await database.query("select * from unexpired_sessions where key = $1", [user])).rows[0];

describe("sealing", () => {
  afterEach(async () => {
    const { closeDatabase } = await import(pathToFileURL(join(folder, "database.ts")).href);
    await closeDatabase();
  });

  it("stores sessions that the database cannot read, and that belong to their users", async () => {
    const store = await importStore("sealed");
    await using sessions = createSessions({ store });
    await sessions.signIn("ada", TOKENS);
    expect(await sessions.get("ada").hasSession()).toBe(true);
    const { value, status } = await rowOf("ada");
    expect([value.includes(TOKENS.refreshToken), status]).toEqual([false, null]);
    await database.query("insert into unexpired_sessions (key, version, value) values ('eve', 'v', $1)", [value]);
    await expect(sessions.get("eve").getAccessToken()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
  });

  it("does so with a key management service", async () => {
    const kms = "export const encrypt = async (key: Uint8Array) => key.map((byte) => byte ^ 255);";
    writeFileSync(join(folder, "key-service.ts"), `${kms}\nexport const decrypt = encrypt;`);
    const store = await importStore("kms");
    await using tokens = createTokenManager({ store: store("ada") });
    await tokens.signIn(TOKENS);
    expect((await rowOf("ada")).value).toMatch(/^unexpired-sealed-1\./);
    expect(await store("ada").load()).toMatchObject({ value: expect.stringContaining(TOKENS.refreshToken) });
  });

  it("replaces the key of all sessions, and counts them", async () => {
    const store = await importStore("sealed");
    await using sessions = createSessions({ store });
    for (const user of ["ada", "bob"]) await sessions.signIn(user, TOKENS);
    expect(await sql("sessions by the ID of their key")).toEqual([{ key_id: "2026-12", count: "2" }]);
    expect(await run("rotation")).toBe("");
    expect(await sql("sessions by the ID of their key")).toEqual([{ key_id: "2027-06", count: "2" }]);
    expect(await run("rotation", { SEALING_KEY: KEYS.NEW_SEALING_KEY })).toBe("");
  });
});

it("has queries that find what they are for", async () => {
  for (const user of ["ada", "bob"]) await signIn(user);
  await using sessions = database.sessions();
  await sessions.signOut("bob");
  expect(await sql("how many sessions there are")).toEqual(
    expect.arrayContaining([
      { status: "alive", reason: null, count: "1" },
      { status: "dead", reason: "signed_out", count: "1" },
    ]),
  );
  expect(await sql("sessions that ended today")).toMatchObject([{ key: "bob", reason: "signed_out" }]);
  expect(await sql("the size of a session")).toMatchObject([{ count: "2", bytes_per_row: expect.any(Number) }]);
  const set = (columns: string) => database.query(`update unexpired_sessions set ${columns} where key = 'ada'`);
  await set("updated_at = now() - interval '31 days'");
  expect(await sql("sessions that were not refreshed for a month")).toMatchObject([{ key: "ada" }]);
  await set("status = 'refreshing'");
  expect(await sql("claims that are older than their lease")).toMatchObject([{ key: "ada" }]);
  await set("status = 'retrying', reason = 'server_error'");
  expect(await sql("refreshes that failed")).toMatchObject([{ reason: "server_error", count: "1" }]);
});

describe("with an authorization server", () => {
  let provider: Provider;
  beforeEach(async () => {
    provider = await Provider.start();
  });
  afterEach(() => provider[Symbol.asyncDispose]());

  /** Appended to a program: uses a session that is stored, at a sign, and closes it at another one. */
  const USE = `
    import { once } from "node:events";
    import { close, sessions as users } from "./sessions.ts";
    users.subscribe(({ type }) => type === "session-failed" && console.log("failed"));
    await users.get("ada").hasSession();
    console.log("ready");
    await once(process.stdin, "data");
    await users.get("ada").getAccessToken().catch(() => {});
    await once(process.stdin, "data");
    await close();
    process.stdin.destroy();`;

  /** Runs a program in two processes that use a session at once, which fails. Returns what both print. */
  async function failIn(name: string): Promise<string> {
    await signIn("ada", { ...TOKENS, refreshToken: canary("refresh", "unknown") });
    const file = write(name, USE);
    await using first = start(file, { ISSUER: provider.origin });
    await using second = start(file, { ISSUER: provider.origin });
    const programs = [first, second];
    const seen = (text: string) =>
      vi.waitFor(() => expect(programs.filter(({ output }) => output.includes(text))).toHaveLength(2), 10_000);
    const tell = () => programs.map(({ child }) => child.stdin?.write("go on\n"));
    await seen("ready\n");
    tell();
    await seen("failed\n");
    tell();
    for (const program of programs) expect(await program.ended(), program.output).toBe(0);
    return first.output + second.output;
  }

  it("reports a session that has failed, without its tokens", async () => {
    const output = await failIn("events");
    expect(output).toContain('{"type":"session-failed","key":"ada","session":');
    expect(output).not.toContain(CANARY);
  });

  it("notifies a user once, even if several processes find out", async () => {
    const mail = "export const sendMail = async (user: string, text: string) => console.log(user, text);";
    writeFileSync(join(folder, "mail.ts"), mail);
    const output = await failIn("notify");
    expect(output.match(/^ada .*/gm)).toEqual(["ada Please connect your account again (session_expired)."]);
  });

  it("adopts the tokens of another table, once", async () => {
    await database.query("create table oauth_tokens (user_id text, refresh_token text)");
    const { refreshToken = "" } = provider.signIn("ada");
    await database.query("insert into oauth_tokens values ('ada', $1)", [refreshToken]);
    expect(await run("migration", { ISSUER: provider.origin })).toBe("ada adopted\n");
    expect(await run("migration", { ISSUER: provider.origin })).toBe("ada already there\n");
  });
});
