import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Disturbances } from "./disturbances.ts";
import { type Servers, startServers } from "./servers.ts";

describe("the table", () => {
  const print = vi.spyOn(console, "log").mockImplementation(() => {});
  afterEach(() => {
    process.exitCode = undefined;
    print.mockClear();
  });
  const printed = () => print.mock.calls.join("\n");

  it("ends with the exit code 0 if all disturbances were survived", async () => {
    const table = new Disturbances("program");
    await table.survive("a disturbance", () => "nothing happened");
    table.end();
    expect(printed()).toMatch(/a disturbance +yes +nothing happened/);
    expect(printed()).toMatch(/program: 1 of 1 disturbances survived/);
    expect(process.exitCode).toBeUndefined();
  });

  it("ends with the exit code 1 if one was not, and says why", async () => {
    const table = new Disturbances("program");
    await table.survive("a disturbance", () => Promise.reject(new Error("it crashed\nat once")));
    table.end();
    expect(printed()).toMatch(/a disturbance +NO +it crashed\n/);
    expect(process.exitCode).toBe(1);
  });
});

describe("the gateway", () => {
  let servers: Servers;
  beforeEach(async () => {
    servers = await startServers((_, response) => response.end("{}"), { accessTokenSeconds: 60 });
  });
  afterEach(() => servers[Symbol.asyncDispose]());

  async function refresh(refreshToken: string) {
    const { gateway, server } = servers;
    const body = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: server.clientId,
      refresh_token: refreshToken,
    });
    const response = await fetch(gateway.tokenEndpoint, { method: "POST", body });
    return { status: response.status, text: await response.text() };
  }

  it("loses a response after the server has rotated", async () => {
    const { refreshToken } = await servers.signIn();
    const lost = servers.gateway.loseNext();
    expect((await refresh(refreshToken)).status).toBe(500);
    await lost;
    expect((await refresh(refreshToken)).text).toContain("invalid_grant");
    expect(servers.server.revokedGrants).toBe(1);
  });

  it("fails without the server, so that the refresh token stays good", async () => {
    const { refreshToken } = await servers.signIn();
    const recover = servers.gateway.fail();
    expect((await refresh(refreshToken)).status).toBe(500);
    recover();
    expect((await refresh(refreshToken)).status).toBe(200);
    expect(servers.gateway.exchanges).toBe(2);
  });

  it("says invalid_grant with 403", async () => {
    servers.gateway.forbid();
    expect(await refresh("unknown")).toMatchObject({ status: 403, text: expect.stringContaining("invalid_grant") });
  });

  it("refuses connections, and is back on the same port", async () => {
    const { refreshToken } = await servers.signIn();
    const comeBack = await servers.gateway.goDown();
    await expect(refresh(refreshToken)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
    await comeBack();
    expect((await refresh(refreshToken)).status).toBe(200);
  });

  it("holds a request back before the server sees it", async () => {
    const { refreshToken } = await servers.signIn();
    const held = servers.gateway.holdNext("request");
    const refreshing = refresh(refreshToken);
    await held.arrive();
    expect(servers.gateway.issued).toHaveLength(0);
    held.release();
    expect((await refreshing).status).toBe(200);
  });
});
