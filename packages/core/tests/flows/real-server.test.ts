/** Sign-ins at `oidc-provider`, which was not written for our tests. */
import { type OidcProvider, RESOURCE, startOidcProvider } from "@unexpired-internal/test-support/oidc-provider";
import { UserAgent } from "@unexpired-internal/test-support/user-agent";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { beforeAll, describe, expect, it } from "vitest";
import { authorizationCodeFlow, type DevicePrompt, deviceFlow, discover } from "../../src/flows.ts";
import { createTokenManager } from "../../src/index.ts";
import { oauth2Refresh } from "../../src/oauth2.ts";
import { tokenOriginOf } from "../../src/tokens/token-origin.ts";

const REDIRECT = "http://127.0.0.1/callback";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const scope = "openid offline_access";
const parameters = { prompt: "consent" };
const clientId = "native-app";

let server: OidcProvider;

beforeAll(async () => {
  server = await startOidcProvider({
    clients: [
      {
        client_id: clientId,
        token_endpoint_auth_method: "none",
        application_type: "native",
        grant_types: ["authorization_code", "refresh_token", DEVICE_GRANT],
        redirect_uris: [REDIRECT],
        id_token_signed_response_alg: "ES256",
      },
    ],
  });
  return () => server[Symbol.asyncDispose]();
});

const fields = { login: "ada", password: "canary-password" };

describe("the authorization code flow", () => {
  it("signs in, for a resource, and the session can be refreshed", async () => {
    const resource = RESOURCE;
    const flow = authorizationCodeFlow({
      issuer: server.issuer,
      clientId,
      scope: `${scope} read`,
      resource,
      parameters,
      redirectUri: REDIRECT,
    });
    const { url, finish } = await flow.start();
    const callback = await new UserAgent().open(url, { until: REDIRECT, fields });
    const before = Date.now();
    const signedIn = await finish(callback);
    expect(signedIn).toMatchObject({ tokenType: "Bearer", scope: "read", idToken: expect.any(String) });
    expect(signedIn.expiresAt).toBeGreaterThanOrEqual(before + 3_600_000);
    expect(tokenOriginOf(signedIn)).toBe(server.issuer);
    const { tokenEndpoint } = await discover(server.issuer);
    const refresh = oauth2Refresh({ tokenEndpoint, clientId, resource });
    await using tokens = createTokenManager({ refresh });
    await tokens.signIn(signedIn);
    expect((await tokens.refresh()).refreshToken).not.toBe(signedIn.refreshToken);
  });

  it("reports that the user refused", async () => {
    const flow = authorizationCodeFlow({ issuer: server.issuer, clientId, scope });
    const { url, finish } = await flow.start({ redirectUri: REDIRECT });
    const callback = await new UserAgent().open(url, { until: REDIRECT, refuse: true });
    await expect(finish(callback)).rejects.toMatchObject({ code: "SIGN_IN_FAILED", reason: "refused" });
  });
});

describe("the device flow", () => {
  const signIn = async (refuse: boolean) => {
    const clock = new VirtualClock();
    const prompts: DevicePrompt[] = [];
    const flow = deviceFlow({
      issuer: server.issuer,
      clientId,
      scope,
      clock,
      async onPrompt(prompt) {
        prompts.push(prompt);
        await new UserAgent().open(prompt.verificationUriComplete ?? "", { fields, refuse });
        await clock.advance(5_000);
      },
    });
    return { prompts, result: flow({ signal: new AbortController().signal }) };
  };

  it("signs in", async () => {
    const { prompts, result } = await signIn(false);
    expect(await result).toMatchObject({ refreshToken: expect.any(String), idToken: expect.any(String) });
    expect(prompts).toMatchObject([{ userCode: expect.any(String), verificationUri: `${server.issuer}/device` }]);
  });

  it("reports that the user refused", async () => {
    const { result } = await signIn(true);
    await expect(result).rejects.toMatchObject({ code: "SIGN_IN_FAILED", reason: "refused" });
  });
});
