/** Runs the desktop app for 30 seconds, with disturbances, and prints what became of them. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Disturbances } from "@unexpired-internal/stage/disturbances";
import { Program } from "@unexpired-internal/stage/program";
import { startServers } from "@unexpired-internal/stage/servers";
import { until } from "@unexpired-internal/stage/until";

const PROGRAM = fileURLToPath(new URL("program.ts", import.meta.url));
const LIFETIME = 3;
const LAUNCHED = /^launch: 50 albums/;
const FAILED = /failed: |please sign in/;

const folder = mkdtempSync(join(tmpdir(), "unexpired-desktop-"));
const path = join(folder, "session.json");
const servers = await startServers((_, response) => response.end("{}"), { accessTokenSeconds: LIFETIME });
const { server, gateway, api } = servers;
const table = new Disturbances("desktop");
let app: Program;

const stored = () => JSON.parse(readFileSync(path, "utf8"));
const write = (session: object) => writeFileSync(path, JSON.stringify({ theme: "dark", ...session }), { mode: 0o600 });

async function launch(): Promise<void> {
  app = new Program(PROGRAM, {
    env: { API: api.origin, TOKEN_ENDPOINT: gateway.tokenEndpoint, USER_DATA: folder },
  });
  await until("the launch", () => app.count(LAUNCHED) > 0);
}

async function quit(): Promise<void> {
  app.signal("SIGTERM");
  assert.equal(await app.ended, 0, "it did not quit");
}

/** Waits until the app has worked on for a moment. */
async function work(): Promise<void> {
  const changes = app.count(/^change \d+:/);
  await until("two more changes", () => app.count(/^change \d+:/) >= changes + 2);
}

/** Waits until the token that was issued last is in the file. */
const saved = () => until("the new tokens are saved", () => stored().accessToken === gateway.issued.at(-1));

/** Runs `act`, and returns how many exchanges it caused. */
async function exchangesOf(act: () => Promise<unknown>): Promise<number> {
  const before = gateway.exchanges;
  await act();
  return gateway.exchanges - before;
}

await table.survive("launch with an expired token: 50 calls at once", async () => {
  const expiresAt = new Date(Date.now() - 60_000).toISOString();
  write({ accessToken: "expired", refreshToken: await server.mintRefreshToken(), expiresAt });
  assert.equal(await exchangesOf(launch), 1);
  return "1 exchange, and all 50 succeed";
});

await table.survive("quit and launch again", async () => {
  await saved();
  assert(Date.parse(stored().expiresAt) > Date.now(), "no expiry was saved");
  await quit();
  servers.setLifetime(60);
  await launch();
  assert.equal(app.count(FAILED), 0);
  return "the rotated pair and its expiry (ISO 8601) are in the file, and work";
});

await table.survive("a file that was written before the expiry was stored", async () => {
  await quit();
  rmSync(join(folder, ".session.json.unexpired"), { recursive: true });
  const { accessToken, refreshToken } = await servers.signIn();
  write({ accessToken, refreshToken });
  assert.equal(await exchangesOf(launch), 1);
  await saved();
  assert(Date.parse(stored().expiresAt) > Date.now(), "no expiry was saved");
  await quit();
  assert.equal(await exchangesOf(launch), 0, "it was refreshed again");
  servers.setLifetime(LIFETIME);
  return "1 exchange, which adds the expiry; none at the next launch";
});

await table.survive("the API rejects the token early, in 4 calls at once", async () => {
  await saved();
  api.reject(stored().accessToken);
  assert.equal(await exchangesOf(work), 1);
  assert.equal(app.count(FAILED), 0);
  return "1 exchange, and all calls succeed";
});

await table.survive("the computer sleeps (SIGSTOP) until the token has expired", async () => {
  app.signal("SIGSTOP");
  await sleep((LIFETIME + 1) * 1000);
  app.signal("SIGCONT");
  assert.equal(await exchangesOf(work), 1);
  assert.equal(app.count(FAILED), 0);
  return "1 exchange, and no call fails";
});

await table.survive("the app is killed (SIGKILL) in the middle of an exchange", async () => {
  const held = gateway.holdNext("request");
  await held.arrived;
  app.signal("SIGKILL");
  await app.ended;
  assert.equal(await exchangesOf(launch), 1);
  assert.equal(app.count(FAILED), 0);
  return "1 exchange at the next launch";
});

await table.survive("the token endpoint responds with 500, until the token has expired", async () => {
  await saved();
  const before = readFileSync(path, "utf8");
  const { accessToken } = stored();
  api.accept(accessToken); // as an API with some leeway
  const recover = gateway.fail();
  await sleep((LIFETIME + 0.5) * 1000);
  const calls = api.accepted(accessToken);
  await work();
  assert(api.accepted(accessToken) > calls, "the old token is not used");
  assert.equal(readFileSync(path, "utf8"), before, "the file was changed");
  assert.equal(app.count(FAILED), 0);
  recover();
  assert.equal(await exchangesOf(saved), 1);
  return "the old token is used, and the file stays as it is; then 1 exchange";
});

await table.survive("the server ends the session: 403 invalid_grant", async () => {
  const recover = gateway.forbid();
  await server.endSessions();
  await until("the app asks for a sign-in", () => app.count(/please sign in/) > 0);
  await until("the tokens are removed", () => !readFileSync(path, "utf8").includes("Token"));
  assert.equal(stored().theme, "dark");
  recover();
  return "the app is signed out, and the tokens are removed from the file";
});

await table.survive("sign-in", async () => {
  const { expiresAt, ...tokens } = await servers.signIn();
  app.write(JSON.stringify({ ...tokens, expiresAt: new Date(expiresAt).toISOString() }));
  await work();
  assert.equal(Date.parse(stored().expiresAt), expiresAt);
  return "the app goes on; the expiry is in the file, to the millisecond";
});

const failures = () => app.count(FAILED);
const failed = failures();
await table.complete();
await table.survive("the rest of the 30 seconds", async () => {
  assert.equal(failures(), failed);
  assert.equal(server.revokedGrants, 0, "the server revoked a session because of a replay");
  return "no call fails, and no token was used twice";
});
await quit();
await table.checkOutput(gateway.tokens);
table.print();
await servers[Symbol.asyncDispose]();
rmSync(folder, { recursive: true });
