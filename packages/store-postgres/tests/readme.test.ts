/** Runs the code of the README. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { postgresStore } from "@unexpired/store-postgres";
import { startIssuer } from "@unexpired/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { freshKey, TestServer } from "./support/server.ts";

const server = TestServer.use();
const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
const blocks = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = ""]) => code);

/** Starts a program in a process of its own. */
function start(program: string, variables: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(import.meta.dirname, "readme-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "program.ts");
  writeFileSync(file, program);
  const { url } = server.postgres;
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, DATABASE_URL: url, DIRECT_DATABASE_URL: url, ...variables },
  });
  onTestFinished(() => void child.kill());
  return { child, errors: text(child.stderr) };
}

async function run(program: string, variables?: Readonly<Record<string, string>>): Promise<string> {
  const { child, errors } = start(program, variables);
  const output = await text(child.stdout);
  expect(await errors).toBe("");
  return output;
}

it("begins with a program that stores a session, and finds it the next time", async () => {
  await using issuer = await startIssuer();
  const [program = ""] = blocks;
  const variables = { TOKEN_ENDPOINT: issuer.tokenEndpoint, API: `${new URL(issuer.tokenEndpoint).origin}/api` };
  const { refreshToken = "" } = issuer.signIn();
  await run(program, { ...variables, REFRESH_TOKEN: refreshToken });
  await run(program, variables);
  expect(issuer).toMatchObject({ exchanges: 1, revoked: 0 });
  expect(await server.row("select key, status from unexpired_sessions")).toEqual({ key: "user:42", status: "alive" });
});

/** How a client of the table is opened and closed. */
const CLIENTS: Readonly<Record<string, readonly [open: string, close: string]>> = {
  pg: [
    'import { Pool } from "pg"; const pool = new Pool({ connectionString: process.env.DATABASE_URL });',
    "pool.end()",
  ],
  postgres: ['import postgres from "postgres"; const sql = postgres(process.env.DATABASE_URL!);', "sql.end()"],
  Kysely: [
    `import { Pool } from "pg"; import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
    const pool = new Pool({ connectionString: process.env.DATABASE_URL });
    const db = new Kysely({ dialect: new PostgresDialect({ pool }) });`,
    "db.destroy()",
  ],
  "Drizzle on `pg`": [
    'import { drizzle } from "drizzle-orm/node-postgres"; const db = drizzle(process.env.DATABASE_URL!);',
    "db.$client.end()",
  ],
  "Drizzle on `postgres`": [
    'import { drizzle } from "drizzle-orm/postgres-js"; const db = drizzle(process.env.DATABASE_URL!);',
    "db.$client.end()",
  ],
};
const UNTESTED = ["Prisma", "Neon over HTTP"];

describe("the query function of", () => {
  const rows = [...readme.matchAll(/^\| `?([\w`][\w ]*?(?:`\w+`)?)`? +\| `(\(.*\) => .*)` +\|$/gm)];

  it("every client is there", () => {
    const names = rows.map(([, name]) => name);
    expect(names).toEqual([...Object.keys(CLIENTS), ...UNTESTED]);
  });

  it.each(rows.filter(([, name = ""]) => name in CLIENTS).map(([, name = "", code = ""]) => [name, code]))(
    "%s stores a session",
    async (name, code) => {
      const [open, close] = CLIENTS[name] ?? [];
      const output = await run(`${open}
        import { postgresStore } from "@unexpired/store-postgres";
        const store = postgresStore({ query: ${code}, key: ${JSON.stringify(freshKey())} });
        await store.save("value", undefined);
        console.log((await store.load())?.value);
        await ${close};`);
      expect(output).toBe("value\n");
    },
  );
});

describe("the notifications of", () => {
  it.each(["pg", "postgres"])(
    "%s let the process exit if they are stopped while they connect",
    async (name) => {
      const block = blocks.find((code) => code.startsWith(`// ${name}\n`));
      const output = await run(`${block}
      setTimeout(notifications.watch("a", () => {}), 1);
      process.on("exit", () => console.log("exits"));`);
      expect(output).toBe("exits\n");
    },
    25_000,
  );

  it.each(["pg", "postgres"])("%s arrive, also after a restart, until no session is watched", async (name) => {
    const block = blocks.find((code) => code.startsWith(`// ${name}\n`));
    const key = freshKey();
    const { child, errors } = start(`${block}
      const stop = notifications.watch(${JSON.stringify(key)}, () => console.log("changed"));
      process.stdin.once("data", () => { stop(); process.stdin.destroy(); });`);
    const changes = child.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
    expect(await changes.next()).toMatchObject({ value: "changed\n" }); // it listens
    const notifications = { channel: "unexpired_sessions", watch: () => () => {} };
    const version = await postgresStore({ query: server.query, key, notifications }).save("1", undefined);
    expect(await changes.next()).toMatchObject({ value: "changed\n" });
    await server.postgres.restart();
    expect(await changes.next()).toMatchObject({ value: "changed\n" });
    await postgresStore({ query: server.query, key, notifications }).save("2", version);
    expect(await changes.next()).toMatchObject({ value: "changed\n" });
    child.stdin.write("stop");
    expect(await changes.next()).toMatchObject({ done: true });
    expect(await errors).toBe("");
  });
});
