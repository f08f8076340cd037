/** Runs a pool of agents for 30 seconds, with disturbances, and prints what became of them. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Crew } from "@unexpired-internal/stage/crew";
import { Disturbances } from "@unexpired-internal/stage/disturbances";
import { startServers } from "@unexpired-internal/stage/servers";
import { until, within } from "@unexpired-internal/stage/until";
import { SharedFile } from "./files.ts";

const SHORT = 4;
const LONG = 10;
const A_DAY = String(24 * 60 * 60);
const SPARE = "spare-token-51d7";

const home = mkdtempSync(join(tmpdir(), "unexpired-agent-pool-"));
/** The token that has reached its limit, and the number of responses that say this. */
const limit = { token: "", responses: 0 };
const servers = await startServers(
  (request, response) => {
    if (request.headers.authorization === `Bearer ${limit.token}`) {
      limit.responses += 1;
      response.writeHead(429, { "retry-after": A_DAY });
    }
    setTimeout(() => response.end("{}"), 120);
  },
  { accessTokenSeconds: LONG },
);
const { server, gateway, api } = servers;
api.accept(SPARE);
gateway.tokens.add(SPARE);
const files = SharedFile.all(home, {
  accessToken: "expired",
  refreshToken: await server.mintRefreshToken(),
  expiresAt: Date.now() - 60_000,
});
const [, coder, reviewer, credentials] = files as [SharedFile, SharedFile, SharedFile, SharedFile];
const agents = new Crew(fileURLToPath(new URL("program.ts", import.meta.url)), {
  HOME: home,
  API: api.origin,
  ISSUER: server.issuer,
  TOKEN_ENDPOINT: gateway.tokenEndpoint,
  SPARE_TOKEN: SPARE,
});
const table = new Disturbances("agent-pool");

/** Waits until all four files show this token, and returns after how many milliseconds they did. */
async function shown(token: string | undefined): Promise<number> {
  const started = performance.now();
  await until("all files show the session", () => files.every(({ session }) => session.accessToken === token));
  return Math.round(performance.now() - started);
}

/** Waits until the agents have had no other entry than this one for a moment. */
async function workWith(entry: string): Promise<void> {
  const last = () => agents.all.map((agent) => agent.lines.findLast((line) => line.startsWith("turn")) ?? "");
  await until(`turns with ${entry}`, () => last().every((line) => line.endsWith(` with ${entry}`)));
  await agents.work();
  assert(
    last().every((line) => line.endsWith(` with ${entry}`)),
    `another entry than ${entry} was used`,
  );
}

await table.survive("three pools start at once, with an expired session in four files", async () => {
  for (let count = 0; count < 3; count++) agents.start();
  await workWith("session");
  assert.equal(gateway.exchanges, 1, `${gateway.exchanges} exchanges`);
  await shown(gateway.issued.at(-1));
  return "1 exchange, and its tokens are in all four files";
});

await table.survive("another program refreshes, and writes into its own file only", async () => {
  servers.setLifetime(SHORT);
  const exchanges = gateway.exchanges;
  const tokens = await servers.refreshElsewhere(credentials.session.refreshToken);
  credentials.setSession(tokens);
  const milliseconds = await shown(tokens.accessToken);
  await workWith("session");
  assert(gateway.exchanges <= exchanges + 1, "a pool refreshed with an old token");
  return `its tokens are in the other three files after ${milliseconds} ms, and in use`;
});

await table.survive("a pool is killed (SIGKILL) while it refreshes", async () => {
  const held = gateway.holdNext("request");
  const refresher = agents.member(await held.arrive());
  refresher.signal("SIGKILL");
  await refresher.ended;
  const issued = gateway.issued.length;
  await until("another pool refreshes", () => gateway.issued.length > issued);
  await shown(gateway.issued.at(-1));
  agents.start();
  await workWith("session");
  return "another pool refreshes, and writes into all four files";
});

await table.survive("a refresh fails (invalid_grant), and one file holds a newer session", async () => {
  const held = gateway.holdNext("request");
  await held.arrive();
  await server.endSessions();
  const tokens = await servers.signIn();
  reviewer.setSession(tokens);
  held.release();
  await shown(tokens.accessToken);
  await workWith("session");
  return "that session is used, and written into the other files";
});

await table.survive("the API responds with 429, and Retry-After: 24 hours", async () => {
  limit.token = coder.session.accessToken;
  await workWith("spare");
  const { responses } = limit;
  await agents.work();
  assert.equal(limit.responses, responses, "the session was used again");
  return `all pools put the session aside after ${responses} responses, and use the spare token`;
});

await table.survive("another program signs in, during the 24 hours", async () => {
  const tokens = await servers.signIn();
  coder.setSession(tokens);
  const started = performance.now();
  await until("a call with its token", () => api.accepted(tokens.accessToken) > 0);
  const milliseconds = Math.round(performance.now() - started);
  await workWith("session");
  return `the session is used again after ${milliseconds} ms, by all pools`;
});

await table.survive("the server ends the session, and the user runs the command login", async () => {
  await server.endSessions();
  await workWith("spare");
  await agents.login(server.issuer);
  await workWith("session");
  return "all pools use the spare token until the user has entered the code, and then the new session";
});

await table.complete();
await agents.stop();
await table.survive("the 30 seconds as a whole", () => {
  const failures = agents.lines(/failed: /);
  assert.equal(failures.length, 0, `${failures.length} turns failed, such as ${failures[0]}`);
  assert.equal(server.revokedGrants, 0, "the server revoked a session because of a replay");
  assert(
    files.every(({ isKept }) => isKept),
    "other fields were changed",
  );
  return `no turn failed, of ${agents.count(/^turn/)}; every other byte of the files is kept`;
});
await table.checkOutput(gateway.tokens);
table.end();
await within("the end of the servers", servers[Symbol.asyncDispose]());
rmSync(home, { recursive: true });
