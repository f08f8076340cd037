/** Sign-ins at `oidc-provider`, which was not written for our tests. */
import { X509Certificate } from "node:crypto";
import { request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { canary } from "@unexpired-internal/test-support/canary";
import { type OidcProvider, RESOURCE, startOidcProvider } from "@unexpired-internal/test-support/oidc-provider";
import { UserAgent } from "@unexpired-internal/test-support/user-agent";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import * as oauth from "oauth4webapi";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type AuthorizationCodeFlowOptions,
  authorizationCodeFlow,
  type ClientAuth,
  type DevicePrompt,
  deviceFlow,
  discover,
  registerClient,
} from "../../src/flows.ts";
import { createTokenManager, memoryStore } from "../../src/index.ts";
import { oauth2Refresh } from "../../src/oauth2.ts";
import { tokenOriginOf } from "../../src/tokens/token-origin.ts";
import { CERTIFICATE, KEY } from "../support/server.ts";

const REDIRECT = "http://127.0.0.1/callback";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const scope = "openid offline_access";
const parameters = { prompt: "consent" };
const clientId = "native-app";
const clientSecret = canary("access", "client-secret");

const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const certificate = new X509Certificate(CERTIFICATE);
const certified = { ...certificate.publicKey.export({ format: "jwk" }), x5c: [certificate.raw.toString("base64")] };

const grants = {
  application_type: "native",
  grant_types: ["authorization_code", "refresh_token", DEVICE_GRANT],
  redirect_uris: [REDIRECT],
  id_token_signed_response_alg: "ES256",
} as const;

const clients = [
  { ...grants, client_id: clientId, token_endpoint_auth_method: "none" },
  { ...grants, client_id: "basic", client_secret: clientSecret, token_endpoint_auth_method: "client_secret_basic" },
  { ...grants, client_id: "post", client_secret: clientSecret, token_endpoint_auth_method: "client_secret_post" },
  {
    ...grants,
    client_id: "signing",
    token_endpoint_auth_method: "private_key_jwt",
    jwks: { keys: [await crypto.subtle.exportKey("jwk", keys.publicKey)] },
  },
  {
    ...grants,
    client_id: "certified",
    token_endpoint_auth_method: "self_signed_tls_client_auth",
    jwks: { keys: [certified] },
  },
] as never;

let server: OidcProvider;

beforeAll(async () => {
  server = await startOidcProvider({ clients });
  return () => server[Symbol.asyncDispose]();
});

const fields = { login: "ada", password: "canary-password" };

/** Signs in with the authorization code flow, as the user does it in a browser. */
async function signIn(options: Partial<AuthorizationCodeFlowOptions>) {
  const defaults = { issuer: server.issuer, clientId, scope, parameters, redirectUri: REDIRECT };
  const { url, finish } = await authorizationCodeFlow({ ...defaults, ...options }).start();
  return finish(await new UserAgent().open(url, { until: REDIRECT, fields }));
}

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

describe("the authentication of a client", () => {
  it.each<[string, ClientAuth]>([
    ["basic", { method: "client_secret_basic", clientSecret }],
    ["post", { method: "client_secret_post", clientSecret }],
    ["signing", oauth.PrivateKeyJwt(keys.privateKey) as ClientAuth],
  ])("works in both flows, and in a refresh: %s", async (client, clientAuth) => {
    const signedIn = await signIn({ clientId: client, clientAuth });
    const clock = new VirtualClock();
    const onPrompt = async ({ verificationUriComplete = "" }: DevicePrompt) => {
      await new UserAgent().open(verificationUriComplete, { fields });
      await clock.advance(5_000);
    };
    const options = { issuer: server.issuer, clientId: client, clientAuth, scope, clock, onPrompt };
    expect(await deviceFlow(options)({ signal: new AbortController().signal })).toHaveProperty("refreshToken");
    const { issuer, tokenEndpoint } = await discover(server.issuer);
    await using tokens = createTokenManager({
      refresh: oauth2Refresh({ tokenEndpoint, issuer, clientId: client, clientAuth }),
    });
    await tokens.signIn(signedIn);
    expect((await tokens.refresh()).accessToken).not.toBe(signedIn.accessToken);
  });

  it("is refused if the secret is wrong", async () => {
    const clientAuth = { method: "client_secret_post", clientSecret: "canary-wrong-secret" } as const;
    const error = await signIn({ clientId: "post", clientAuth }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIGURATION", cause: { error: "invalid_client" } });
  });

  it("works with a certificate, over mTLS", async () => {
    await using secure = await startOidcProvider({ clients, tls: { key: KEY, cert: CERTIFICATE } });
    const tls = { ca: CERTIFICATE, key: KEY, cert: CERTIFICATE };
    const clock = new VirtualClock();
    const options = { issuer: secure.issuer, clientId: "certified", clientAuth: oauth.TlsClientAuth() as ClientAuth };
    const onPrompt = async ({ userCode }: DevicePrompt) => {
      await confirm(secure, userCode);
      await clock.advance(5_000);
    };
    const flow = (fetch: typeof globalThis.fetch) =>
      deviceFlow({ ...options, scope, clock, onPrompt, fetch })({ signal: new AbortController().signal });
    expect(await flow(fetchWith(tls))).toHaveProperty("refreshToken");
    const { ca } = tls;
    await expect(flow(fetchWith({ ca }))).rejects.toMatchObject({ code: "CONFIGURATION" });
  });
});

/** Confirms the code of a device, without the pages. */
async function confirm({ provider }: OidcProvider, userCode: string): Promise<void> {
  const accountId = "ada";
  const grant = new provider.Grant({ clientId: "certified", accountId });
  grant.addOIDCScope(scope);
  const grantId = await grant.save();
  const code = await provider.DeviceCode.findByUserCode(userCode.replace("-", ""), {});
  Object.assign(code ?? {}, { accountId, grantId, scope, expiresWithSession: false });
  await code?.save();
}

/** A `fetch` with a certificate. The global one takes none. */
const fetchWith =
  (tls: object): typeof fetch =>
  (input, init) =>
    new Promise((resolve, reject) => {
      const { method = "GET", headers, body } = init ?? {};
      const request = httpsRequest(String(input), { ...tls, agent: false, method, headers: headers as never });
      request.on("error", reject);
      request.on("response", async (response) => {
        const content = await text(response);
        resolve(new Response(content, { status: response.statusCode ?? 0, headers: response.headers as never }));
      });
      request.end(body ? String(body) : undefined);
    });

describe("a registered client", () => {
  it("signs in, and is used again", async () => {
    const store = memoryStore();
    const metadata = { ...grants, token_endpoint_auth_method: "client_secret_post" };
    const register = () => registerClient({ issuer: server.issuer, metadata, store });
    const { clientId: registered, clientAuth, redirectUris } = await register();
    expect(redirectUris).toEqual([REDIRECT]);
    expect(await signIn({ clientId: registered, clientAuth })).toHaveProperty("refreshToken");
    expect((await register()).clientId).toBe(registered);
    expect(server.requests.filter(({ line }) => line === "POST /reg")).toHaveLength(1);
  });

  it("is refused if its metadata is invalid", async () => {
    const metadata = { ...grants, redirect_uris: ["http://a.example"] };
    const error = await registerClient({ issuer: server.issuer, metadata }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIGURATION", cause: { status: 400 } });
  });
});
