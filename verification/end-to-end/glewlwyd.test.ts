/** Pins down what glewlwyd responds: a refusal has no body and no error code, and verdicts cannot rest on more. */
import { createTokenManager } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { canary } from "@unexpired-internal/test-support/canary";
import { Glewlwyd, glewlwydSkipReason } from "@unexpired-internal/test-support/glewlwyd";
import type { Client } from "@unexpired-internal/test-support/real-server";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";

const skipReason = glewlwydSkipReason();
let server: Glewlwyd;

beforeAll(async () => {
  if (skipReason !== undefined) return;
  server = await Glewlwyd.start();
  return () => server[Symbol.asyncDispose]();
}, 60_000);
beforeEach(({ skip }) => skip(skipReason !== undefined, skipReason));

const post = (path: string, parameters: Readonly<Record<string, string>>) =>
  fetch(server.origin + path, { method: "POST", body: new URLSearchParams(parameters) });

/** Presents a refresh token, and returns what its verdict can rest on. */
async function present(refresh_token: string, client: Client = server.clients.confidential) {
  const response = await post(server.paths.token, { grant_type: "refresh_token", refresh_token, ...client });
  const { status, headers } = response;
  const [length, type, challenge] = ["content-length", "content-type", "www-authenticate"].map((name) =>
    headers.get(name),
  );
  return { status, length, type, challenge, body: await response.text() };
}

/** The same in every case, so all of them get the same verdict. */
const REFUSED = { status: 400, length: "0", type: null, challenge: null, body: "" };

const mint = () => server.mintRefreshToken(server.clients.confidential);
const wrongSecret = () => ({ ...server.clients.confidential, client_secret: "canary-wrong-secret" });

describe("glewlwyd", () => {
  it.each([
    { what: "an unknown refresh token", request: () => present(canary("refresh", "unknown")) },
    { what: "an unknown client", request: async () => present(await mint(), { client_id: "unknown-client" }) },
    { what: "a wrong client secret", request: async () => present(await mint(), wrongSecret()) },
    {
      what: "a revoked refresh token",
      async request() {
        const token = await mint();
        expect((await post(server.paths.revocation, { token, ...server.clients.confidential })).status).toBe(200);
        return present(token);
      },
    },
    {
      what: "a spent refresh token",
      async request() {
        const token = await mint();
        expect(await present(token)).toMatchObject({ status: 200 });
        return present(token);
      },
    },
  ])("gives no reason when it refuses $what", async ({ request }) => {
    expect(await request()).toEqual(REFUSED);
  });

  it("spends the refresh token before it refuses a wrong client secret", async () => {
    const token = await mint();
    expect(await present(token, wrongSecret())).toEqual(REFUSED);
    expect(await present(token)).toEqual(REFUSED);
  });

  it("knows a client by client_secret_basic, whose ID and secret it does not decode", async () => {
    const { client_id: clientId, client_secret: clientSecret } = server.clients.confidential;
    expect(clientId + clientSecret).toContain("-");
    const clientAuth = { method: "client_secret_basic", clientSecret } as const;
    const tokenEndpoint = server.origin + server.paths.token;
    await using tokens = createTokenManager({ refresh: oauth2Refresh({ tokenEndpoint, clientId, clientAuth }) });
    await tokens.signIn({ accessToken: canary("access", "expired"), refreshToken: await mint(), expiresAt: 0 });
    expect(await tokens.refresh()).toMatchObject({ refreshToken: expect.any(String) });
  });
});
