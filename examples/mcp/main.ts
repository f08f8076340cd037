/**
 * `pnpm example:mcp`: six processes of an MCP client share one session for 30 seconds, with the usual provider of the SDK, and
 * with Unexpired. The authorization server is strict: a refresh token that is presented twice revokes the session.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { startMcpServer } from "@unexpired-internal/mcp-support/mcp-server";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "30" } } });
/** The lines of the SDK. */
const LINES = { "1": "sdk 1.x", "2": "client 2.x" } as const;
type Line = keyof typeof LINES;
const PROCESSES = 6;
const CLIENT = fileURLToPath(new URL("client.ts", import.meta.url));

interface Row {
  readonly client: string;
  readonly provider: string;
  readonly calls: number;
  readonly failures: number;
  readonly exchanges: number;
  readonly revoked: number;
  readonly signIns: number;
}

interface Result {
  readonly calls: number;
  readonly failures: number;
  readonly reasons: Readonly<Record<string, number>>;
}

async function runClient(args: readonly string[]): Promise<Result> {
  const child = spawn(process.execPath, [CLIENT, ...args], {
    stdio: ["ignore", "pipe", process.env.DEBUG ? "inherit" : "ignore"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = await once(child, "close");
  const last = output.trim().split("\n").at(-1);
  if (code !== 0 || !last) throw new Error(`A client process ended with code ${code}: ${output}`);
  return JSON.parse(last) as Result;
}

async function measure(line: Line, provider: "files" | "unexpired"): Promise<Row> {
  await using server = await startMcpServer({ accessTokenSeconds: 3, latency: 20 });
  const folder = mkdtempSync(join(tmpdir(), "unexpired-mcp-"));
  try {
    const args = [line, provider, server.url, folder, values.seconds];
    const results = await Promise.all(Array.from({ length: PROCESSES }, () => runClient(args)));
    const sum = (of: (result: Result) => number) => results.reduce((total, result) => total + of(result), 0);
    if (process.env.DEBUG) console.error(results.map(({ reasons }) => reasons));
    const { exchanges, revoked, prompts } = server.authorization.counts;
    return {
      client: LINES[line],
      provider: provider === "files" ? "in files, by hand" : "Unexpired",
      calls: sum(({ calls, failures }) => calls + failures),
      failures: sum(({ failures }) => failures),
      exchanges,
      revoked,
      signIns: prompts,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const COLUMNS = {
  client: "client",
  provider: "provider",
  calls: "calls",
  failures: "failures",
  exchanges: "exchanges",
  revoked: "grants revoked",
  signIns: "sign-ins",
} as const satisfies Record<keyof Row, string>;

function print(rows: readonly Row[]): void {
  const names = Object.keys(COLUMNS) as (keyof Row)[];
  const widths = names.map((name) => Math.max(COLUMNS[name].length, ...rows.map((row) => String(row[name]).length)));
  const line = (cells: readonly unknown[]) =>
    cells
      .map((cell, index) =>
        typeof cell === "number" ? String(cell).padStart(widths[index] ?? 0) : String(cell).padEnd(widths[index] ?? 0),
      )
      .join("  ");
  console.log(line(Object.values(COLUMNS)));
  for (const row of rows) console.log(line(names.map((name) => row[name])));
}

const rows: Row[] = [];
for (const line of ["1", "2"] as const)
  rows.push(...(await Promise.all([measure(line, "files"), measure(line, "unexpired")])));
print(rows);
const isProved = rows.every(({ provider, calls, failures, revoked, signIns }) =>
  provider === "Unexpired" ? calls > 0 && failures === 0 && revoked === 0 && signIns === 1 : failures + signIns > 1,
);
const verdict = isProved ? "no call failed, no grant was revoked, one sign-in" : "NOT as expected";
console.log(`\nWith Unexpired: ${verdict}.`);
process.exitCode = isProved ? 0 : 1;
