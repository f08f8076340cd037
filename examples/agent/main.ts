/** Runs the agent for 30 seconds, with disturbances, and prints what became of them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Crew } from "@unexpired-internal/stage/crew";
import { Disturbances } from "@unexpired-internal/stage/disturbances";
import { respond } from "@unexpired-internal/stage/model";
import { readOnlySwitch } from "@unexpired-internal/stage/read-only";
import { startServers } from "@unexpired-internal/stage/servers";
import { until, within } from "@unexpired-internal/stage/until";
import { CredentialsFile } from "./credentials.ts";

const SHORT = 5;
const LONG = 12;

const home = mkdtempSync(join(tmpdir(), "unexpired-agent-"));
const directory = join(home, ".claude");
const disk = readOnlySwitch(directory);
const servers = await startServers(respond, { accessTokenSeconds: LONG });
const { server, gateway, api } = servers;
const file = new CredentialsFile(join(directory, ".credentials.json"), {
  accessToken: "expired",
  refreshToken: await server.mintRefreshToken(),
  expiresAt: Date.now() - 60_000,
});
const agents = new Crew(fileURLToPath(new URL("program.ts", import.meta.url)), {
  HOME: home,
  API: api.origin,
  ISSUER: server.issuer,
  TOKEN_ENDPOINT: gateway.tokenEndpoint,
});
const table = new Disturbances("agent");

await table.survive("three agents start at once on an expired token", async () => {
  for (let count = 0; count < 3; count++) agents.start();
  await agents.work();
  assert.equal(gateway.exchanges, 1, `${gateway.exchanges} exchanges`);
  servers.setLifetime(SHORT);
  return "1 exchange, and all three work";
});

let isWriting = true;
const rewriting = setInterval(() => {
  if (isWriting) file.rewrite();
}, 250);

const alone = environmentRows();

await table.survive("the process that refreshes is stopped (SIGSTOP) for 1.5 s", async () => {
  const exchanges = gateway.exchanges;
  const held = gateway.holdNext("response");
  const refresher = agents.member(await held.arrive());
  refresher.signal("SIGSTOP");
  held.release();
  await sleep(1_500);
  assert.equal(gateway.exchanges, exchanges + 1, "another process refreshed, too");
  refresher.signal("SIGCONT");
  await agents.work();
  return "the others wait for its tokens, and send nothing";
});

await table.survive("the process that refreshes is killed (SIGKILL)", async () => {
  const held = gateway.holdNext("request");
  const refresher = agents.member(await held.arrive());
  const exchanges = gateway.exchanges;
  refresher.signal("SIGKILL");
  await refresher.ended;
  const killed = performance.now();
  await until("another process refreshes", () => gateway.exchanges > exchanges);
  await agents.work();
  agents.start();
  return `another process refreshes ${seconds(killed)} later, when the access token has expired`;
});

servers.setLifetime(LONG);
await table.survive("the session cannot be saved: the directory is read-only", async () => {
  const held = gateway.holdNext("response");
  await held.arrive();
  isWriting = false;
  disk.set(true);
  held.release();
  const token = gateway.issued.at(-1) ?? "";
  await until("a call with the new token", () => api.accepted(token) > 0);
  assert(!file.text.includes(token), "it was saved");
  disk.set(false);
  isWriting = true;
  await until("the new token is in the file", () => file.text.includes(token));
  await agents.work();
  return "the new token is used from memory, and saved as soon as that is possible";
});

await table.survive("the token endpoint is down when the session is refreshed", async () => {
  const comeBack = await gateway.goDown();
  const failures = agents.count(/the refresh failed/);
  await until("a refresh fails", () => agents.count(/the refresh failed/) > failures);
  const issued = gateway.issued.length;
  await comeBack();
  await until("a refresh", () => gateway.issued.length > issued);
  return "the access token is used until the next attempt, which succeeds";
});

await table.survive("another program refreshes, and writes its tokens into the file", async () => {
  await until("the session is saved", () => file.session.accessToken === gateway.issued.at(-1));
  servers.setLifetime(SHORT);
  const exchanges = gateway.exchanges;
  const tokens = await servers.refreshElsewhere(file.session.refreshToken);
  file.setSession(tokens);
  await until("a call with its token", () => api.accepted(tokens.accessToken) >= 6);
  assert.equal(gateway.exchanges, exchanges, "an agent refreshed, too");
  return "its token is used at once, without an exchange";
});

await table.survive("until here", () => {
  const failures = agents.lines(/failed: |sign in again/);
  assert.equal(failures.length, 0, `${failures.length} turns failed, such as ${failures[0]}`);
  assert.equal(server.revokedGrants, 0, "the server revoked the session");
  return `no turn failed, of ${agents.count(/^turn/)}`;
});

await table.survive("a response is lost: the server rotates, and responds with 500", async () => {
  await gateway.loseNext();
  const lost = performance.now();
  await until("the agents ask for a sign-in", () => agents.all.every((agent) => agent.count(/sign in again/) > 0));
  assert.match(agents.output, /sign in again: .*response to a token refresh was lost/);
  return `the access token is used until it expires, ${seconds(lost)} later; then all ask for a sign-in, and say why`;
});

await table.survive("the user runs the command login, and enters its code", async () => {
  await agents.login(server.issuer);
  await agents.work();
  return "all agents go on with the new session";
});

await table.survive("another program signs in", async () => {
  const tokens = await servers.signIn();
  file.setSession(tokens);
  await until("a call with its token", () => api.accepted(tokens.accessToken) >= 6);
  await agents.work();
  return "all agents go on with the new session";
});

await alone;
await table.complete();
clearInterval(rewriting);
await agents.stop();

await table.survive("another program rewrites the file four times per second", () => {
  assert(file.isKept, "other fields were changed");
  // A write at the very moment at which the session is saved can be lost: see "Formats" in the README of store-node.
  assert(file.lost <= 2, `${file.lost} of ${file.writes} writes were lost`);
  return `${file.writes - file.lost} of ${file.writes} writes are kept, and every other byte of the file`;
});
await table.checkOutput(gateway.tokens);
table.end();
await within("the end of the servers", servers[Symbol.asyncDispose]());
disk[Symbol.dispose]();
rmSync(home, { recursive: true });

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}

/** Starts agents with other environment variables, one after the other, beside the others. */
async function environmentRows(): Promise<void> {
  const [personal, enterprise] = ["personal-token-7f3a", "enterprise-token-9c1e"];
  for (const token of [personal, enterprise]) {
    api.accept(token);
    gateway.tokens.add(token);
  }
  await table.survive("AGENT_TOKEN is set", async () => {
    const agent = await agents.runAlone({ AGENT_TOKEN: personal }, /^turn 3/);
    assert.match(agent.output, /turn 3 with the token of AGENT_TOKEN/);
    assert.equal(agent.count(/refreshing/), 0);
    return "it is used, not the file, and not refreshed";
  });
  await table.survive("AGENT_ENTERPRISE_TOKEN is set as well", async () => {
    const agent = await agents.runAlone({ AGENT_TOKEN: personal, AGENT_ENTERPRISE_TOKEN: enterprise }, /^turn 3/);
    assert.match(agent.output, /turn 3 with the token of AGENT_ENTERPRISE_TOKEN/);
    return "it comes first";
  });
  await table.survive("the API rejects AGENT_TOKEN", async () => {
    api.reject(personal);
    const agent = await agents.runAlone({ AGENT_TOKEN: personal }, /sign in again/);
    assert.match(agent.output, /environment variable AGENT_TOKEN.*Set AGENT_TOKEN to a valid token/);
    return "the error names the variable; the file is not used instead";
  });
  await table.survive('AGENT_REFRESH_WINDOW is "soon"', async () => {
    const agent = await agents.runAlone(
      { AGENT_ENTERPRISE_TOKEN: enterprise, AGENT_REFRESH_WINDOW: "soon" },
      /^turn 1/,
    );
    assert.match(agent.output, /AGENT_REFRESH_WINDOW is not a number of seconds: the default is used/);
    return "a warning, and the default";
  });
}
