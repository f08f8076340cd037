/** Tests with authorization servers that were not written for our tests: glewlwyd, a C program, and Better Auth. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { fileStore } from "@unexpired/store-node";
import { BetterAuth } from "@unexpired-internal/test-support/better-auth";
import { Glewlwyd, glewlwydSkipReason } from "@unexpired-internal/test-support/glewlwyd";
import type { RealServer } from "@unexpired-internal/test-support/real-server";
import { RecordingProxy } from "@unexpired-internal/test-support/recording-proxy";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { callApi, Holders, signInExpired } from "./support/holders.ts";

const PROCESSES = 8;
const EXPIRIES = 4;

interface Subject {
  readonly name: string;
  readonly skipReason?: string | undefined;
  readonly start: () => Promise<RealServer>;
}

const subjects: Subject[] = [
  { name: "glewlwyd", skipReason: glewlwydSkipReason(), start: () => Glewlwyd.start() },
  { name: "Better Auth", start: () => BetterAuth.start() },
];

const holders = new Holders();
let directory: string;
let server: RealServer;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "unexpired-real-servers-"));
  return () => {
    holders[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  };
});

/** Starts processes that share a session whose access token has expired, and a proxy before the token endpoint. */
async function startProcesses() {
  const proxy = await RecordingProxy.start(server.origin);
  const path = join(mkdtempSync(join(directory, "home-")), "session.json");
  const client = server.clients.public;
  await signInExpired(path, await server.mintRefreshToken(client));
  const tokenEndpoint = proxy.origin + server.paths.token;
  const api = server.origin + server.paths.userInfo;
  const start = () => holders.start({ path, tokenEndpoint, clientId: client.client_id, api });
  const processes = await Promise.all(Array.from({ length: PROCESSES }, start));
  return { proxy, processes, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}

/** Signs in as the client with a secret. The access token has expired. */
async function signIn() {
  const { client_id: clientId, client_secret: clientSecret } = server.clients.confidential;
  const refresh = oauth2Refresh({
    tokenEndpoint: server.origin + server.paths.token,
    revocationEndpoint: server.origin + server.paths.revocation,
    clientId,
    clientAuth: { method: "client_secret_post", clientSecret },
  });
  const path = join(mkdtempSync(join(directory, "home-")), "session.json");
  await signInExpired(path, await server.mintRefreshToken(server.clients.confidential));
  return createTokenManager({ store: fileStore({ path }), refresh });
}

/** Presents a refresh token as the client with a secret. */
function present(refresh_token: string): Promise<Response> {
  const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token, ...server.clients.confidential });
  return fetch(server.origin + server.paths.token, { method: "POST", body });
}

describe.each(subjects)("a session at $name", ({ start, skipReason }) => {
  beforeAll(async () => {
    if (skipReason !== undefined) return;
    server = await start();
    return () => server[Symbol.asyncDispose]();
  }, 60_000);
  beforeEach(({ skip }) => skip(skipReason !== undefined, skipReason));

  it(`costs ${PROCESSES} processes one exchange at each of ${EXPIRIES} expiries, and none is refused (P4)`, async () => {
    await using scene = await startProcesses();
    const { proxy, processes } = scene;
    for (let expiry = 1; expiry <= EXPIRIES; expiry++) {
      expect(await Promise.all(processes.map(callApi))).toEqual(Array(PROCESSES).fill(200));
      expect(proxy.statuses).toEqual(Array(expiry).fill(200));
      for (const child of processes) child.send("later");
    }
  });

  it("ends with response_lost for the others if its holder is killed after the server has rotated (P5)", async () => {
    await using scene = await startProcesses();
    const { proxy, processes } = scene;
    const [holder, ...others] = processes;
    const held = proxy.holdNext();
    holder?.send("call");
    await held;
    const reports = Promise.all(others.map(callApi));
    holder?.kill("SIGKILL");
    expect(await reports).toEqual(Array(PROCESSES - 1).fill("response_lost"));
    expect(proxy.statuses).toEqual([200, 400]);
  });

  it("is revoked at the server by a sign-out", async () => {
    await using tokens = await signIn();
    const { refreshToken = "" } = await tokens.refresh();
    await tokens.signOut();
    expect(await present(refreshToken)).toMatchObject({ status: 400 });
  });

  it("ends when a refresh token is presented twice, which shows that the server is strict", async () => {
    const first = await server.mintRefreshToken(server.clients.confidential);
    const { refresh_token: second } = (await (await present(first)).json()) as { refresh_token: string };
    expect(await present(first)).toMatchObject({ status: 400 });
    expect(await present(second)).toMatchObject({ status: 400 });
  });
});
