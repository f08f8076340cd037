import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Api, startApi } from "@unexpired-internal/demo/api";
import { type AuthorizationServer, startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Holders, signInExpired } from "./support/holders.ts";

let directory: string;
let server: AuthorizationServer;
let api: Api;
const holders = new Holders();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "unexpired-processes-"));
  server = await startAuthorizationServer({ accessTokenSeconds: 60, latency: 50 });
  api = await startApi((accessToken) => server.verify(accessToken));
});

afterAll(async () => {
  holders[Symbol.dispose]();
  await Promise.all([server.close(), api.close()]);
  await rm(directory, { recursive: true });
});

it("makes one exchange for 16 processes with an expired session, and serves each of them (P4)", async () => {
  const path = join(directory, "session.json");
  await signInExpired(path, await server.mintRefreshToken());
  const { tokenEndpoint, clientId } = server;
  const start = () => holders.start({ path, tokenEndpoint, clientId, api: api.origin });
  const processes = await Promise.all(Array.from({ length: 16 }, start));
  const before = server.tokenRequests;
  const reports = processes.map(async (child) => {
    const [[status], [code]] = await Promise.all([once(child, "message"), once(child, "exit")]);
    return { status, code };
  });
  for (const child of processes) child.send("go");
  expect(await Promise.all(reports)).toEqual(Array(16).fill({ status: 200, code: 0 }));
  expect(server.tokenRequests - before).toBe(1);
  expect(server.revokedGrants).toBe(0);
});
