import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { startApi } from "./api.ts";
import { type AuthorizationServer, startAuthorizationServer } from "./authorization-server.ts";
import { Fleet } from "./fleet.ts";
import type { NaiveSession } from "./naive.ts";
import type { Options } from "./options.ts";
import { ACCESS_TOKEN_SECONDS, type Snapshot } from "./outcome.ts";
import type { View } from "./view.ts";

const REQUESTS_PER_SECOND = 160;
/** In milliseconds, as of a real token endpoint: long enough for several processes to refresh at the same time. */
const TOKEN_ENDPOINT_LATENCY = 100;
const TICK = 100;

/** Runs the demo and leaves nothing behind, even if the process exits early. */
export async function runDemo(options: Options, view: View): Promise<Snapshot> {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-demo-"));
  const server = await startAuthorizationServer({
    accessTokenSeconds: ACCESS_TOKEN_SECONDS,
    latency: TOKEN_ENDPOINT_LATENCY,
  });
  const api = await startApi(server.verify);
  const { tokenEndpoint, clientId } = server;
  const { mode, processes } = options;
  const sessionPath = join(directory, "session.json");
  const interval = (1000 * processes) / REQUESTS_PER_SECOND;
  const config = { mode, apiOrigin: api.origin, tokenEndpoint, clientId, sessionPath, interval };
  const fleet = new Fleet(config, (text) => view.tell(text));
  const cleanUp = () => {
    fleet.kill();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  };
  process.once("exit", cleanUp);
  try {
    await signIn(mode, server, sessionPath);
    return await run(options, { fleet, server, view });
  } finally {
    process.off("exit", cleanUp);
    cleanUp();
    await Promise.all([server.close(), api.close()]);
  }
}

/** Stores a session as after a sign-in in a browser, but with an expired access token. */
async function signIn(mode: Options["mode"], server: AuthorizationServer, sessionPath: string): Promise<void> {
  const session: NaiveSession = {
    accessToken: "expired",
    refreshToken: await server.mintRefreshToken(),
    expiresAt: 0,
  };
  if (mode === "naive") return writeFile(sessionPath, JSON.stringify(session));
  const tokens = createTokenManager({ store: fileStore({ path: sessionPath }) });
  await tokens.signIn(session);
  await tokens.close();
}

async function run(
  options: Options,
  { fleet, server, view }: { fleet: Fleet; server: AuthorizationServer; view: View },
): Promise<Snapshot> {
  view.tell(`${options.processes} processes are starting`);
  await fleet.start(options.processes);
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const snapshot = (): Snapshot => ({
    options,
    elapsed: elapsed(),
    members: fleet.members,
    exchanges: server.tokenRequests,
    revokedGrants: server.revokedGrants,
  });
  const ticks = setInterval(() => view.show(snapshot()), TICK);
  try {
    fleet.go();
    const until = (seconds: number) => sleep(1000 * Math.max(0, seconds - elapsed()));
    await until(options.seconds / 2);
    await Promise.race([fleet.killOneAndStartAnother(), until(options.seconds)]);
    await until(options.seconds);
    await fleet.stop();
    return snapshot();
  } finally {
    clearInterval(ticks);
  }
}
