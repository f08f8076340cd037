/** Runs the programs of docs/signing-in.md. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { type AuthorizationServer, startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { Browser } from "@unexpired-internal/demo/browser";
import { writeBrowser } from "@unexpired-internal/demo/browser-program";
import { type LoopbackServer, listenOnLoopback } from "@unexpired-internal/demo/loopback";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { block, readPage } from "./support/pages.ts";

const page = readPage("docs/signing-in.md");
let server: AuthorizationServer;
let api: LoopbackServer;
let folder: string;

beforeAll(async () => {
  server = await startAuthorizationServer({ accessTokenSeconds: 60, signIn: true });
  api = await listenOnLoopback(async ({ headers }, response) => {
    const isValid = await server.verify(headers.authorization?.slice("Bearer ".length) ?? "");
    response.writeHead(isValid ? 200 : 401).end(isValid ? "ada's album" : "");
  });
});
afterAll(() => Promise.all([server.close(), api.close()]));
beforeEach(() => {
  folder = mkdtempSync(join(import.meta.dirname, "signing-in-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string): string {
  const file = join(folder, "program.ts");
  writeFileSync(file, block(page, name));
  return file;
}

/** The variables of a program, as on a machine with a screen. */
const environment = (variables: Readonly<Record<string, string>>) => ({
  ...process.env,
  SSH_CONNECTION: "",
  SSH_TTY: "",
  ISSUER: server.issuer,
  API: api.origin,
  SESSION: join(folder, "session.json"),
  ...variables,
});

const run = (file: string, variables: Readonly<Record<string, string>>) =>
  promisify(execFile)(process.execPath, [file], { env: environment(variables) });

it("names every block of TypeScript", () => {
  expect(page.blocks.size).toBe(page.text.match(/^```ts$/gm)?.length);
});

it("has a program that signs in with the browser at its first start, and goes on with the session at the next", async () => {
  const program = write("sign-in");
  const first = await run(program, { BROWSER: writeBrowser(folder, server.issuer) });
  expect(first.stdout).toBe("200 ada's album\n");
  expect(first.stderr).toMatch(/^Opening your browser to sign in\. [^\n]*\n\n {2}http:/);
  expect(await run(program, { BROWSER: "no-such-browser" })).toEqual({ stdout: "200 ada's album\n", stderr: "" });
});

it("says why it is not signed in", async () => {
  const browser = writeBrowser(folder, server.issuer, "refuse");
  const stderr = expect.stringContaining("The sign-in failed: the user refused it");
  await expect(run(write("sign-in"), { BROWSER: browser })).rejects.toMatchObject({ code: 1, stdout: "", stderr });
});

it("has a program that signs out, and revokes the tokens", async () => {
  await run(write("sign-in"), { BROWSER: writeBrowser(folder, server.issuer) });
  expect((await run(write("sign-out"), {})).stdout).toBe("Signed out.\n");
  expect((await run(write("sign-out"), {})).stdout).toContain("Signed out on this machine.");
});

it("ends at Ctrl-C, and reports it", async () => {
  const child = spawn(process.execPath, [write("sign-in")], { env: environment({ BROWSER: "true" }) });
  const shown = text(child.stderr);
  await once(child.stderr, "data");
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([1, null]);
  expect(await shown).toContain("Cancelled.");
});

it("shows a code over SSH", async () => {
  const env = environment({ SSH_CONNECTION: "192.0.2.1 50000 192.0.2.2 22" });
  const child = spawn(process.execPath, [write("sign-in")], { env });
  const [shown] = await once(child.stderr.setEncoding("utf8"), "data");
  const [, url = "", code = ""] = /^ {2}(http\S+)$.*^ {2}(\S+)$/ms.exec(shown) ?? [];
  await new Browser(server.issuer).decideForDevice(`${url}?user_code=${code}`);
  expect(await text(child.stdout)).toBe("200 ada's album\n");
});

it("has a fixed port, and a flow for the URL scheme of a desktop app", async () => {
  expect(await run(write("fixed-port"), {})).toEqual({ stdout: "", stderr: "" });
  const electron = `
    import { EventEmitter } from "node:events";
    export const app = new EventEmitter();
    export const shell = { openExternal: async (url: string) => app.emit("open-url", {}, await redirectOf(url)) };
    async function redirectOf(url: string) {
      const { searchParams } = new URL(url);
      const response = new URLSearchParams({ code: "c", state: searchParams.get("state") ?? "", iss: process.env.ISSUER ?? "" });
      return searchParams.get("redirect_uri") + "?" + response;
    }`;
  writeFileSync(join(folder, "electron.ts"), electron);
  // the code is made up: that the server rejects it shows that all else is right
  await expect(run(write("own-flow"), {})).rejects.toMatchObject({ stderr: expect.stringContaining("invalid_grant") });
});
