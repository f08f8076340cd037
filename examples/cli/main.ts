/** Runs the command-line tool for 30 seconds, as CI scripts do, with disturbances, and prints what became of them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { writeBrowser } from "@unexpired-internal/demo/browser-program";
import { Disturbances } from "@unexpired-internal/stage/disturbances";
import { Program } from "@unexpired-internal/stage/program";
import { startServers } from "@unexpired-internal/stage/servers";
import { within } from "@unexpired-internal/stage/until";
import { SecretServiceDaemon, secretServiceSkipReason } from "@unexpired-internal/test-support/secret-service-daemon";

const PROGRAM = fileURLToPath(new URL("program.ts", import.meta.url));
/** Longer than five times the refresh window, which is then in force. */
const LONG = 200;
const SHORT = 1;
const DEBUG = /debug: refreshing the access token/;

const home = mkdtempSync(join(tmpdir(), "unexpired-cli-"));
const skipReason = secretServiceSkipReason();
const keyring = skipReason === undefined ? await SecretServiceDaemon.start() : undefined;
const servers = await startServers((_, response) => response.end("{}"), { accessTokenSeconds: LONG, jwt: true });
const { server, gateway } = servers;
const browser = writeBrowser(home, server.issuer);
const table = new Disturbances("cli");

type Env = Readonly<Record<string, string | undefined>>;

/** Starts the tool: `acme("auth refresh")`. */
function start(command: string, env: Env = {}): Program {
  const directories = { HOME: home, XDG_STATE_HOME: join(home, "state"), LOCALAPPDATA: home };
  const { issuer: ISSUER } = server;
  const addresses = { API: servers.api.origin, ISSUER, TOKEN_ENDPOINT: gateway.tokenEndpoint, BROWSER: browser };
  const bus = { DBUS_SESSION_BUS_ADDRESS: keyring?.address ?? "unix:path=/nonexistent" };
  const all = { ...directories, ...addresses, ...bus, ...env };
  return new Program(PROGRAM, { args: command.split(" "), env: all });
}

async function acme(
  command: string,
  env: Env = {},
): Promise<{ readonly code: number | null; readonly output: string }> {
  const program = start(command, env);
  return { code: await program.ended, output: program.output };
}

async function succeed(command: string, env: Env = {}): Promise<string> {
  const { code, output } = await acme(command, env);
  assert.equal(code, 0, `acme ${command}: ${output}`);
  return output;
}

/** Signs in with the browser. The user gets an access token that lives for so many seconds. Later ones live long. */
async function login(seconds: number, env: Env = {}): Promise<void> {
  servers.setLifetime(seconds);
  await succeed("login", env);
  servers.setLifetime(LONG);
  if (seconds === SHORT) await sleep(SHORT * 1000);
}

/** Checks that `act` causes so many exchanges. */
async function expectExchanges<T>(expected: number, act: () => Promise<T>): Promise<T> {
  const before = gateway.exchanges;
  const result = await act();
  assert.equal(gateway.exchanges - before, expected, `${gateway.exchanges - before} exchanges`);
  return result;
}

if (keyring) {
  await table.survive("the keyring has a raw string, of an old release", async () => {
    keyring.store({ service: "acme", account: "default", secret: "raw-token-of-an-old-release" });
    for (const command of ["status", "call /me"]) {
      const { code, output } = await acme(command);
      assert.equal(code, 1);
      assert.match(output, /sign in again/i, output);
      assert.doesNotMatch(output, /\n +at /, "it crashed");
    }
    await login(LONG);
    await succeed("call /me");
    return "it asks for a sign-in, once; then all is well";
  });
} else {
  console.log(`skipped: the rows about the keyring: ${skipReason}`);
  if (process.env.UNEXPIRED_REQUIRE_ALL === "1") process.exitCode = 1;
}

await table.survive("a CI script makes 20 calls at once on an expired token", async () => {
  await login(SHORT);
  const outputs = await expectExchanges(1, () => Promise.all(Array.from({ length: 20 }, () => succeed("call /me"))));
  assert.equal(outputs.filter((output) => DEBUG.test(output)).length, 1);
  return "1 exchange, all 20 succeed, and one of them prints the debug line";
});

await table.survive("the token expires in 40 seconds, and in 20", async () => {
  await expectExchanges(0, () => succeed("call /me", atEndOfToken(40)));
  assert.match(await expectExchanges(1, () => succeed("call /me", atEndOfToken(20))), DEBUG);
  return "it is used with 40 s left, and refreshed before the call with 20 s";
});

await table.survive("acme status on an expired token", async () => {
  await login(SHORT);
  assert.match(await expectExchanges(0, () => succeed("status")), /signed in/);
  return 'it says "signed in", and never refreshes';
});

await table.survive("the token endpoint is down", async () => {
  const comeBack = await gateway.goDown();
  const { code, output } = await acme("call /me");
  assert.equal(code, 1);
  assert.match(output, /could not be refreshed/);
  await comeBack();
  const [, retryAt = ""] = /Try again after ([\w:.-]+Z)/.exec(output) ?? [];
  await sleep(Math.max(0, Date.parse(retryAt) - Date.now()));
  await expectExchanges(1, () => succeed("call /me"));
  return "an error that says when to try again; then the same session works";
});

await table.survive("acme auth refresh, with a valid token", async () => {
  await expectExchanges(1, () => succeed("auth refresh"));
  await expectExchanges(0, () => succeed("call /me"));
  return "1 exchange, and the next run uses its token";
});

await table.survive("a run is killed (SIGKILL) while it refreshes", async () => {
  await login(SHORT);
  const held = gateway.holdNext("request");
  const killed = start("call /me");
  await held.arrive();
  killed.signal("SIGKILL");
  await killed.ended;
  await expectExchanges(1, () => succeed("call /me"));
  return "the next run refreshes";
});

await table.survive("no keyring: no D-Bus", async () => {
  const state = join(home, "without-keyring");
  const env = { DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent", XDG_STATE_HOME: state };
  await login(SHORT, env);
  assert(readdirSync(join(state, "acme")).includes("session.json"));
  assert.equal(statSync(join(state, "acme", "session.json")).mode & 0o777, 0o600);
  await expectExchanges(1, () => succeed("call /me", env));
  return "the session is in a file that only its owner can read";
});

await table.survive("the server ends the session: invalid_grant", async () => {
  await login(SHORT);
  await server.endSessions();
  const { code, output } = await acme("call /me");
  assert.equal(code, 1);
  assert.match(output, /Sign in again: acme login.*ended/);
  assert.match((await acme("status")).output, /signed out/);
  await expectExchanges(0, () => acme("call /me"));
  if (keyring) assert(!hasToken(keyringItems(keyring.address)), "the keyring still has a token");
  return `it asks for a sign-in, and no token is left in the ${keyring ? "keyring" : "file"}`;
});

await table.survive("acme logout", async () => {
  await login(LONG);
  await succeed("call /me");
  await succeed("logout");
  assert.equal((await acme("status")).code, 1);
  return "it is signed out";
});

await table.survive("the CI script goes on for the rest of the 30 seconds", async () => {
  await login(SHORT);
  let runs = 0;
  do {
    servers.setLifetime(3);
    await Promise.all(["call /me", "call /me", "call /me"].map((command) => succeed(command)));
    runs += 3;
  } while (table.remaining > 0);
  assert.equal(server.revokedGrants, 0, "the server revoked a session because of a replay");
  return `all ${runs} runs succeed`;
});
await table.checkOutput(gateway.tokens);
table.end();
await within("the end of the servers", Promise.all([servers[Symbol.asyncDispose](), keyring?.[Symbol.asyncDispose]()]));
rmSync(home, { recursive: true });

function keyringItems(address: string): string {
  const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: address };
  return spawnSync("secret-tool", ["search", "--all", "service", "acme"], { env, encoding: "utf8" }).stdout;
}

function hasToken(text: string): boolean {
  return [...gateway.tokens].some((token) => text.includes(token));
}

/** Returns the environment of a run whose clock says that the latest token has so many seconds left. */
function atEndOfToken(seconds: number): Env {
  const payload = gateway.issued.at(-1)?.split(".")[1] ?? "";
  const { exp } = JSON.parse(Buffer.from(payload, "base64url").toString());
  const shift = (exp - seconds) * 1000 - Date.now();
  const module = `const now = Date.now; Date.now = () => now() + ${shift};`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(module)}` };
}
