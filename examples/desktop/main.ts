/** Runs the desktop app for 30 seconds, with disturbances, and prints what became of them. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { writeBrowser } from "@unexpired-internal/demo/browser-program";
import { Disturbances } from "@unexpired-internal/stage/disturbances";
import { Program } from "@unexpired-internal/stage/program";
import { startServers } from "@unexpired-internal/stage/servers";
import { until, within } from "@unexpired-internal/stage/until";

const PROGRAM = fileURLToPath(new URL("program.ts", import.meta.url));
const SHORT = 3;
const LONG = 10;
const LAUNCHED = /^launch: 50 albums/;
const FAILED = /failed: |please sign in/;

const folder = mkdtempSync(join(tmpdir(), "unexpired-desktop-"));
const path = join(folder, "session.json");
const servers = await startServers((_, response) => response.end("{}"), { accessTokenSeconds: LONG });
const { server, gateway, api } = servers;
const table = new Disturbances("desktop");
const browser = writeBrowser(folder, server.issuer);
let app: Program | undefined;

const stored = () => JSON.parse(readFileSync(path, "utf8"));
const write = (session: object) => writeFileSync(path, JSON.stringify({ theme: "dark", ...session }), { mode: 0o600 });

function running(): Program {
  if (!app) throw new Error("The app is not running.");
  return app;
}

async function launch(): Promise<void> {
  app = new Program(PROGRAM, {
    env: {
      API: api.origin,
      ISSUER: server.issuer,
      TOKEN_ENDPOINT: gateway.tokenEndpoint,
      USER_DATA: folder,
      BROWSER: browser,
    },
  });
  await until("the launch", () => running().count(LAUNCHED) > 0);
}

async function quit(): Promise<void> {
  running().signal("SIGTERM");
  assert.equal(await running().ended, 0, "it did not quit");
}

/** Waits until the app has worked on for a moment. */
async function work(): Promise<void> {
  const changes = running().count(/^change \d+:/);
  await until("two more changes", () => running().count(/^change \d+:/) >= changes + 2);
}

/** Signs in with the browser, and waits until the app uses the new session. */
async function signIn(): Promise<void> {
  const before = stored().accessToken;
  running().write("sign in");
  await until("the app uses the new session", () => {
    const { accessToken } = stored();
    return accessToken !== before && api.accepted(accessToken) > 0;
  });
}

/** Waits until the token that was issued last is in the file. */
const saved = () => until("the new tokens are saved", () => stored().accessToken === gateway.issued.at(-1));

/** Waits until tokens are issued and saved. */
async function refreshed(): Promise<void> {
  const issued = gateway.issued.length;
  await until("new tokens", () => gateway.issued.length > issued);
  await saved();
}

/** Checks that `act` causes so many exchanges, and that no call fails. */
async function expectExchanges(expected: number, act: () => Promise<unknown>): Promise<void> {
  const exchanges = gateway.exchanges;
  const failures = app?.count(FAILED) ?? 0;
  const acting = app;
  await act();
  assert.equal(gateway.exchanges - exchanges, expected, `${gateway.exchanges - exchanges} exchanges`);
  assert.equal(app?.count(FAILED), app === acting ? failures : 0, "a call failed");
}

await table.survive("launch with an expired token: 50 calls at once", async () => {
  const expiresAt = new Date(Date.now() - 60_000).toISOString();
  write({ accessToken: "expired", refreshToken: await server.mintRefreshToken(), expiresAt });
  await expectExchanges(1, launch);
  return "1 exchange, and all 50 succeed";
});

await table.survive("quit and launch again", async () => {
  await saved();
  assert(Date.parse(stored().expiresAt) > Date.now(), "no expiry was saved");
  await quit();
  servers.setLifetime(60);
  await launch();
  assert.equal(running().count(FAILED), 0, "a call failed");
  return "the rotated pair and its expiry (ISO 8601) are in the file, and work";
});

await table.survive("a file that was written before the expiry was stored", async () => {
  await quit();
  rmSync(join(folder, ".session.json.unexpired"), { recursive: true });
  const { accessToken, refreshToken } = await servers.signIn();
  write({ accessToken, refreshToken });
  await expectExchanges(1, launch);
  await saved();
  assert(Date.parse(stored().expiresAt) > Date.now(), "no expiry was saved");
  await quit();
  await expectExchanges(0, launch);
  return "1 exchange, which adds the expiry; none at the next launch";
});

servers.setLifetime(SHORT);
await table.survive("a sign-in while the app runs", async () => {
  await signIn();
  const { expiresAt } = stored();
  assert.equal(new Date(expiresAt).toISOString(), expiresAt);
  assert(Date.parse(expiresAt) <= Date.now() + SHORT * 1000, "it is not the expiry of the new token");
  return "the browser opens, the new session is used, and its expiry is in the file";
});

await table.survive("the API rejects the token early, in 4 calls at once", async () => {
  api.reject(stored().accessToken);
  await expectExchanges(1, refreshed);
  await work();
  return "1 exchange, and all calls succeed";
});

await table.survive("the computer sleeps (SIGSTOP) until the token has expired", async () => {
  running().signal("SIGSTOP");
  await sleep((SHORT + 1) * 1000);
  servers.setLifetime(LONG);
  running().signal("SIGCONT");
  await expectExchanges(1, work);
  servers.setLifetime(SHORT);
  return "1 exchange, and no call fails";
});

await table.survive("the app is killed (SIGKILL) in the middle of an exchange", async () => {
  const held = gateway.holdNext("request");
  await held.arrive();
  running().signal("SIGKILL");
  await running().ended;
  const issued = gateway.issued.length;
  await expectExchanges(1, async () => {
    await launch();
    await until("new tokens", () => gateway.issued.length > issued);
  });
  return "1 exchange at the next launch";
});

await table.survive("the token endpoint responds with 500, until the token has expired", async () => {
  await saved();
  const before = readFileSync(path, "utf8");
  const { accessToken } = stored();
  api.accept(accessToken); // as an API with some leeway
  const recover = gateway.fail();
  await sleep((SHORT + 0.5) * 1000);
  const calls = api.accepted(accessToken);
  await work();
  assert(api.accepted(accessToken) > calls, "the old token is not used");
  assert.equal(readFileSync(path, "utf8"), before, "the file was changed");
  recover();
  await expectExchanges(1, refreshed);
  return "the old token is used, and the file stays as it is; then 1 exchange";
});

await table.survive("the server ends the session: 403 invalid_grant", async () => {
  const recover = gateway.forbid();
  await server.endSessions();
  await until("the app asks for a sign-in", () => running().count(/please sign in/) > 0);
  await until("the tokens are removed", () => !readFileSync(path, "utf8").includes("Token"));
  assert.equal(stored().theme, "dark");
  recover();
  await signIn();
  return "the app is signed out, and the tokens are removed from the file; a new sign-in works";
});

const failures = running().count(FAILED);
await table.complete();
await table.survive("the rest of the 30 seconds", () => {
  assert.equal(running().count(FAILED), failures, "a call failed");
  assert.equal(server.revokedGrants, 0, "the server revoked a session because of a replay");
  return "no call fails, and no token was used twice";
});
await quit();
await table.checkOutput(gateway.tokens);
table.end();
await within("the end of the servers", servers[Symbol.asyncDispose]());
rmSync(folder, { recursive: true });
