import type { OAuthClientProvider as Provider2 } from "@modelcontextprotocol/client";
import type { OAuthClientProvider as Provider1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { loadClient } from "@unexpired/core/session-record";
import { fileStore } from "@unexpired/store-node";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { sessionFile, startProgram } from "./support.ts";

const SERVER = "http://127.0.0.1:9/mcp";
const ISSUER = "https://auth.example";
const tokens = {
  access_token: canary("access", 1),
  refresh_token: canary("refresh", 1),
  token_type: "Bearer",
  expires_in: 3600,
  scope: "mcp",
};

function start() {
  const file = sessionFile();
  const { auth } = startProgram(SERVER, file, { onRedirect: () => {} });
  return { ...auth, stored: () => loadClient(fileStore({ path: file })), file };
}

describe("tokens", () => {
  it("has no refresh token", async () => {
    const { authProvider } = start();
    expect(await authProvider.tokens()).toBeUndefined();
    await authProvider.saveTokens({ ...tokens, issuer: ISSUER });
    expect(await authProvider.tokens()).toEqual({
      access_token: tokens.access_token,
      token_type: "Bearer",
      scope: "mcp",
      issuer: ISSUER,
    });
  });

  it("are saved as a sign-in, except for those that the SDK was given", async () => {
    const { authProvider, tokens: manager, stored } = start();
    await authProvider.saveTokens(tokens);
    const given = await authProvider.tokens();
    await authProvider.saveTokens({
      ...given,
      access_token: tokens.access_token,
      token_type: "Bearer",
      issuer: ISSUER,
    });
    expect(await manager.getTokenSet()).toMatchObject({ refreshToken: tokens.refresh_token });
    expect(await stored()).toMatchObject({ issuer: ISSUER });
    await authProvider.saveTokens({
      ...tokens,
      access_token: canary("access", 2),
      refresh_token: canary("refresh", 2),
    });
    expect(await manager.getTokenSet()).toMatchObject({ refreshToken: canary("refresh", 2) });
  });
});

describe("invalidateCredentials", () => {
  it.each(["all", "client", "tokens", "verifier", "discovery"] as const)("never signs out (%s)", async (scope) => {
    const { authProvider, tokens: manager } = start();
    await authProvider.saveTokens(tokens);
    await authProvider.invalidateCredentials(scope);
    expect(await manager.getAccessToken()).toBe(tokens.access_token);
  });

  it.each(["all", "client"] as const)("forgets the client (%s)", async (scope) => {
    const { authProvider } = start();
    await authProvider.saveClientInformation({ client_id: "a", issuer: ISSUER });
    expect(await authProvider.clientInformation({ issuer: ISSUER })).toMatchObject({ client_id: "a", issuer: ISSUER });
    await authProvider.invalidateCredentials(scope);
    expect(await authProvider.clientInformation({ issuer: ISSUER })).toBeUndefined();
  });

  it("leaves a client alone that another process has registered", async () => {
    const { authProvider, file } = start();
    await authProvider.saveClientInformation({ client_id: "a", issuer: ISSUER });
    const other = startProgram(SERVER, file, { onRedirect: () => {} }).auth.authProvider;
    await other.saveClientInformation({ client_id: "b", issuer: ISSUER });
    await authProvider.invalidateCredentials("client");
    expect(await authProvider.clientInformation()).toMatchObject({ client_id: "b" });
  });

  it.each(["all", "verifier"] as const)("forgets the verifier (%s)", async (scope) => {
    const { authProvider } = start();
    authProvider.saveCodeVerifier(canary("secret", 1));
    await authProvider.invalidateCredentials(scope);
    expect(() => authProvider.codeVerifier()).toThrow("no sign-in is under way in this process");
  });

  it.each(["all", "discovery"] as const)("forgets the servers (%s)", async (scope) => {
    const { authProvider } = start();
    authProvider.saveDiscoveryState({ authorizationServerUrl: ISSUER });
    expect(authProvider.discoveryState()).toEqual({ authorizationServerUrl: ISSUER });
    await authProvider.invalidateCredentials(scope);
    expect(authProvider.discoveryState()).toBeUndefined();
  });
});

it("is a provider for both lines of the SDK, which then know everything that they ask for", () => {
  const { authProvider } = start();
  const providers: [Provider1, Provider2] = [authProvider, authProvider];
  for (const provider of providers)
    expect([provider.redirectUrl, provider.clientMetadata.grant_types]).toEqual([
      "http://127.0.0.1:14711/callback",
      ["authorization_code", "refresh_token"],
    ]);
});

it("does not present a client to another issuer", async () => {
  const { authProvider } = start();
  await authProvider.saveClientInformation({ client_id: "a", issuer: ISSUER });
  expect(await authProvider.clientInformation({ issuer: `${ISSUER}/` })).toMatchObject({ client_id: "a" });
  expect(await authProvider.clientInformation({ issuer: "https://other.example" })).toBeUndefined();
});

it("keeps the verifier of a sign-in to its process", () => {
  const file = sessionFile();
  const [one, two] = [1, 2].map(() => startProgram(SERVER, file, { onRedirect: () => {} }).auth.authProvider);
  one?.saveCodeVerifier(canary("secret", "one"));
  two?.saveCodeVerifier(canary("secret", "two"));
  expect([one?.codeVerifier(), two?.codeVerifier()]).toEqual([canary("secret", "one"), canary("secret", "two")]);
});

it("redirects to where the client is registered, whatever another process is configured with", async () => {
  const { authProvider, file } = start();
  const redirect = "http://127.0.0.1:4711/callback";
  await authProvider.saveClientInformation({ client_id: "a", issuer: ISSUER, ...{ redirect_uris: [redirect] } });
  const other = startProgram(SERVER, file, { onRedirect: () => {} }).auth.authProvider;
  await other.clientInformation();
  expect(other.redirectUrl).toBe(redirect);
});

it("has another state for each sign-in", () => {
  const { authProvider } = start();
  expect(authProvider.state()).not.toBe(authProvider.state());
});
