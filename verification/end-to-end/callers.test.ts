import { setTimeout as sleep } from "node:timers/promises";
import { attachTokens } from "@unexpired/adapter-axios";
import { withTokens as gotWithTokens } from "@unexpired/adapter-got";
import { withTokens as ofetchWithTokens } from "@unexpired/adapter-ofetch";
import { createFetch, createTokenManager, type TokenManager } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { startResourceServer, UNAUTHORIZED } from "@unexpired/testing";
import { type AuthorizationServer, startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { canary } from "@unexpired-internal/test-support/canary";
import axios from "axios";
import got from "got";
import { ofetch } from "ofetch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const CALLERS = 1_000;

type Call = (url: string) => Promise<unknown>;

const clients: Record<string, (tokens: TokenManager, origin: string) => Call> = {
  fetch: (tokens, origin) => {
    const send = createFetch(tokens, { origins: [origin] });
    return async (url) => {
      const response = await send(url);
      await response.text();
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
    };
  },
  axios: (tokens, origin) => {
    const client = axios.create({ baseURL: origin });
    attachTokens(client, tokens);
    return (url) => client.get(url);
  },
  ofetch: (tokens, origin) => ofetch.create(ofetchWithTokens(tokens, { baseURL: origin })),
  got: (tokens, origin) => {
    const client = got.extend(gotWithTokens(tokens, { origins: [origin] }));
    return (url) => client(url);
  },
};

let server: AuthorizationServer;
beforeAll(async () => {
  server = await startAuthorizationServer({ accessTokenSeconds: 3600, latency: 20 });
});
afterAll(() => server.close());

/** Signs in with an access token that the API rejects, and makes 1,000 concurrent calls. */
async function callConcurrently(name: string, options: { readonly expiresAt: number; readonly spread: number }) {
  await using api = await startResourceServer();
  api.respond = async ({ authorization = "" }, index) => {
    const isAccepted = await server.verify(authorization.replace("Bearer ", ""));
    if (!isAccepted) await sleep((index / CALLERS) * options.spread);
    return isAccepted ? { status: 200 } : UNAUTHORIZED;
  };
  const refresh = oauth2Refresh({ tokenEndpoint: server.tokenEndpoint, clientId: server.clientId });
  await using tokens = createTokenManager({ refresh });
  const refreshToken = await server.mintRefreshToken();
  await tokens.signIn({ accessToken: canary("access", 1), refreshToken, expiresAt: options.expiresAt });
  const before = server.tokenRequests;
  const call = clients[name]?.(tokens, api.origin);
  const results = await Promise.allSettled(Array.from({ length: CALLERS }, () => call?.(`${api.origin}/`)));
  return {
    exchanges: server.tokenRequests - before,
    failures: results.filter(({ status }) => status === "rejected").length,
    rejected: api.received.length - CALLERS,
  };
}

describe.each(Object.keys(clients))("1,000 concurrent callers of %s (P4, P10)", (name) => {
  const later = () => Date.now() + 3_600_000;

  it("share one exchange if the token has expired by the clock", async () => {
    const result = await callConcurrently(name, { expiresAt: 0, spread: 0 });
    expect(result).toEqual({ exchanges: 1, failures: 0, rejected: 0 });
  });

  it("share one exchange if the API rejects a token that has not expired", async () => {
    const result = await callConcurrently(name, { expiresAt: later(), spread: 0 });
    expect(result).toEqual({ exchanges: 1, failures: 0, rejected: CALLERS });
  });

  it("share one exchange if the 401s arrive within 200 ms of each other", async () => {
    const result = await callConcurrently(name, { expiresAt: later(), spread: 200 });
    expect(result).toEqual({ exchanges: 1, failures: 0, rejected: CALLERS });
  });
});
