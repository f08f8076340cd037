/** Runs the programs of docs/mcp.md. */
import { execFile, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { signInAs } from "@unexpired-internal/mcp-support/browser";
import { type McpServer, startMcpServer } from "@unexpired-internal/mcp-support/mcp-server";
import { afterEach, beforeEach, expect, it } from "vitest";
import { block, readPage } from "./support/pages.ts";

const page = readPage("docs/mcp.md");
let server: McpServer;
let folder: string;

beforeEach(async () => {
  server = await startMcpServer();
  folder = mkdtempSync(join(import.meta.dirname, "mcp-"));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await server[Symbol.asyncDispose]();
});

/** Writes a program for the variable `BROWSER`: a user who logs in and consents. */
function writeBrowser(): string {
  const user = join(folder, "user.ts");
  const source = `import { signInAs } from "@unexpired-internal/mcp-support/browser";
    await fetch(await signInAs("ada", process.argv[2] ?? ""));`;
  writeFileSync(user, source);
  const browser = join(folder, "browser");
  writeFileSync(browser, `#!/bin/sh\nexec "${process.execPath}" "${user}" "$1"\n`);
  chmodSync(browser, 0o700);
  return browser;
}

function write(code: string): string {
  const file = join(folder, "program.ts");
  writeFileSync(file, code);
  return file;
}

/** The variables of a program, as on a machine with a screen. */
const environment = (variables: Readonly<Record<string, string>> = {}) => ({
  ...process.env,
  SSH_CONNECTION: "",
  SSH_TTY: "",
  MCP_SERVER: server.url,
  SESSION: join(folder, "session.json"),
  ...variables,
});

const run = async (file: string, variables?: Readonly<Record<string, string>>) =>
  (await promisify(execFile)(process.execPath, [file], { env: environment(variables) })).stdout;

it("names every block of TypeScript", () => {
  expect(page.blocks.size).toBe(page.text.match(/^```ts$/gm)?.length);
});

const program = block(page, "sign-in");

it.each([
  ["client 2.x", program],
  ["sdk 1.x", program.replace(/^import .*modelcontextprotocol.*\n/, block(page, "imports-of-1.x"))],
])("has a program that signs in with the browser, once for four processes (%s)", async (_, code) => {
  const [file, browser] = [write(code), writeBrowser()];
  const outputs = await Promise.all([1, 2, 3, 4].map(() => run(file, { BROWSER: browser })));
  expect(outputs).toEqual(Array(4).fill("echo, write\n"));
  expect(await run(file, { BROWSER: "no-such-browser" })).toBe("echo, write\n");
  expect(server.authorization.counts).toMatchObject({ prompts: 1, signIns: 1, registrations: 1 });
});

it("has a program whose SDK signs in, and one that goes on without a user", async () => {
  const headless = write(block(page, "headless"));
  const stderr = expect.stringMatching(
    /^Sign in required: there is no session \(.*session\.json\)\. This program cannot ask/,
  );
  await expect(run(headless)).rejects.toMatchObject({ code: 1, stderr });
  const child = spawn(process.execPath, [write(block(page, "redirect"))], { env: environment() });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", async (shown: string) => {
    output += shown;
    const [, url] = /^Sign in: (\S+)$/m.exec(shown) ?? [];
    if (url) await fetch(await signInAs("ada", url));
  });
  expect(await text(child.stderr)).toBe("");
  expect(output).toMatch(/\necho, write\n$/);
  expect(await run(write(block(page, "headless")))).toBe("echo, write\n");
  expect(server.authorization.counts).toMatchObject({ prompts: 1, signIns: 1, registrations: 1 });
});
