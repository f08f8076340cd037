import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Api, startApi } from "./api.ts";
import { type AuthorizationServer, startAuthorizationServer } from "./authorization-server.ts";

let server: AuthorizationServer;
let api: Api;

beforeEach(async () => {
  server = await startAuthorizationServer({ accessTokenSeconds: 60 });
  api = await startApi(server.verify);
});

afterEach(async () => {
  await Promise.all([server.close(), api.close()]);
});

const refresh = async (refreshToken: string, at = server) => {
  const grant = { grant_type: "refresh_token", client_id: at.clientId, refresh_token: refreshToken };
  const response = await fetch(at.tokenEndpoint, { method: "POST", body: new URLSearchParams(grant) });
  return { status: response.status, body: await response.json() };
};

const callApi = async (accessToken?: string) => {
  const headers: HeadersInit = accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` };
  const response = await fetch(api.origin, { headers });
  return response.status;
};

it("rotates the refresh token with every exchange", async () => {
  const first = await server.mintRefreshToken();
  const { status, body } = await refresh(first);
  expect(status).toBe(200);
  expect(body).toMatchObject({ token_type: "Bearer", expires_in: 60 });
  expect(body.refresh_token).not.toBe(first);
  const again = await refresh(body.refresh_token);
  expect(again.status).toBe(200);
  expect(server).toMatchObject({ tokenRequests: 2, revokedGrants: 0 });
});

it("revokes the grant if a refresh token is presented again, so that the API rejects its tokens", async () => {
  const first = await server.mintRefreshToken();
  const { body } = await refresh(first);
  expect(await callApi(body.access_token)).toBe(200);

  expect(await refresh(first)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  expect(await callApi(body.access_token)).toBe(401);
  expect(await refresh(body.refresh_token)).toMatchObject({ status: 400, body: { error: "invalid_grant" } });
  expect(server).toMatchObject({ tokenRequests: 3, revokedGrants: 1 });
});

it("revokes only the session of the replayed token", async () => {
  const [one, other] = [await server.mintRefreshToken("ada"), await server.mintRefreshToken("bob")];
  await refresh(one);
  await refresh(one);
  const { body } = await refresh(other);
  expect(await callApi(body.access_token)).toBe(200);
});

it("expires access tokens, but never early, although it counts whole seconds", async () => {
  const short = await startAuthorizationServer({ accessTokenSeconds: 1 });
  const sent = performance.now();
  const { body } = await refresh(await short.mintRefreshToken(), short);
  while (await short.verify(body.access_token)) await sleep(20);
  expect(performance.now() - sent).toBeGreaterThanOrEqual(1000);
  await short.close();
});

it.each([undefined, "made-up", "a b"])("rejects %j at the API with a challenge", async (accessToken) => {
  expect(await callApi(accessToken)).toBe(401);
  const { headers } = await fetch(api.origin);
  expect(headers.get("www-authenticate")).toBe('Bearer error="invalid_token"');
});
