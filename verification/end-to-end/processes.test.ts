import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { type Api, startApi } from "@unexpired-internal/demo/api";
import { type AuthorizationServer, startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { canary } from "@unexpired-internal/test-support/canary";
import { afterAll, beforeAll, expect, it } from "vitest";

let directory: string;
let server: AuthorizationServer;
let api: Api;
const children: ChildProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "unexpired-processes-"));
  server = await startAuthorizationServer({ accessTokenSeconds: 60, latency: 50 });
  api = await startApi((accessToken) => server.verify(accessToken));
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all([server.close(), api.close()]);
  await rm(directory, { recursive: true });
});

/** Creates a session file whose access token has expired. */
async function signInExpired(path: string): Promise<void> {
  const tokens = createTokenManager({ store: fileStore({ path }) });
  await tokens.signIn({
    accessToken: canary("access", "expired"),
    refreshToken: await server.mintRefreshToken(),
    expiresAt: 0,
  });
  await tokens.close();
}

async function startHolder(path: string): Promise<ChildProcess> {
  const holder = join(import.meta.dirname, "fixtures/holder.ts");
  const child = fork(holder, [path, server.tokenEndpoint, server.clientId, api.origin]);
  children.push(child);
  await once(child, "message");
  return child;
}

it("makes one exchange for 16 processes with an expired session, and serves each of them (P4)", async () => {
  const path = join(directory, "session.json");
  await signInExpired(path);
  const holders = await Promise.all(Array.from({ length: 16 }, () => startHolder(path)));
  const before = server.tokenRequests;
  const reports = holders.map(async (child) => {
    const [[status], [code]] = await Promise.all([once(child, "message"), once(child, "exit")]);
    return { status, code };
  });
  for (const child of holders) child.send("go");
  expect(await Promise.all(reports)).toEqual(Array(16).fill({ status: 200, code: 0 }));
  expect(server.tokenRequests - before).toBe(1);
  expect(server.revokedGrants).toBe(0);
});
