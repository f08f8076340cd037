/** Lost responses of servers that accept a refresh token more than once, over HTTP, with the profile of each. */
import { CANARY, canary } from "@unexpired-internal/test-support/canary";
import { startIssuer } from "@unexpired-internal/test-support/issuer";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { createTokenManager, memoryStore, type ProviderProfile, providers } from "../../src/index.ts";
import { oauth2Refresh } from "../../src/oauth2.ts";
import { attempt, write } from "../support/interference.ts";
import { startPreviousTokenServer } from "../support/previous-token-server.ts";

type IssuerOptions = Parameters<typeof startIssuer>[0];

const HOUR = 3_600_000;
/** The servers as they are documented. */
const graceful = {
  okta: { graceSeconds: 30, replayReturns: "new" },
  workos: { graceSeconds: 30, replayReturns: "same" },
  supabase: { graceSeconds: 10, replayReturns: "same" },
  linear: { graceSeconds: 1800, replayReturns: "new" },
  atlassian: { graceSeconds: 600, replayReturns: "new" },
  xero: { graceSeconds: 1800, replayReturns: "new" },
} as const;
const reusable = {
  google: { rotation: false },
  zoho: { rotation: false },
  entra: { graceSeconds: Number.POSITIVE_INFINITY }, // returns another refresh token, and accepts both
} as const;
const entries = <T extends object>(servers: T) => Object.entries(servers) as [keyof T, T[keyof T]][];

/** A manager for a server, with its profile. */
function open(tokenEndpoint: string, provider: ProviderProfile) {
  const clock = new VirtualClock();
  const store = memoryStore();
  const refresh = oauth2Refresh({ tokenEndpoint, clientId: "my-app" });
  return { clock, store, manager: createTokenManager({ store, refresh, provider, clock }) };
}

async function startSession(provider: ProviderProfile, options: IssuerOptions) {
  const issuer = await startIssuer({ prefix: CANARY, ...options });
  const { clock, manager } = open(issuer.tokenEndpoint, provider);
  const expiresAt = clock.now() + HOUR;
  await manager.signIn({ ...issuer.signIn(), expiresAt });
  const verdicts = () => issuer.requests.map(({ verdict }) => verdict);
  return { issuer, clock, manager, verdicts, [Symbol.asyncDispose]: () => issuer[Symbol.asyncDispose]() };
}

describe("a server with a grace period", () => {
  it.each(entries(graceful))("is asked again at once after a lost response: %s", async (name, server) => {
    await using session = await startSession(providers[name], server);
    const { issuer, manager, verdicts } = session;
    issuer.next({ drop: "after" });
    const { refreshToken } = await manager.refresh();
    expect(refreshToken).toBe(canary("refresh", server.replayReturns === "same" ? "1.2" : "1.3"));
    expect(issuer.accepts(await manager.getAccessToken())).toBe(true);
    await manager.refresh();
    expect(verdicts()).toEqual(["exchanged", "replayed", "exchanged"]);
    expect(issuer.requests[2]?.form.refresh_token).toBe(refreshToken);
    expect(issuer.revoked).toBe(0);
  });

  it("has a profile with the documented grace, and no other server has one", () => {
    const documented = entries(graceful).map(([name]) => name);
    expect(Object.keys(providers).filter((name) => isGraceful(name))).toEqual([...documented, "cloudflare"]);
    for (const [name, server] of entries(graceful)) expect(providers[name]).toMatchObject(server);
  });
});

const isGraceful = (name: string): boolean => providers[name as keyof typeof providers].graceSeconds > 0;

describe("a server whose refresh tokens are reusable", () => {
  it.each(entries(reusable))(
    "is asked again, while the access token is usable, after a lost response: %s",
    async (name, server) => {
      await using session = await startSession(providers[name], server);
      const { issuer, clock, manager } = session;
      issuer.next({ drop: "after" });
      await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
      await clock.advance(1_000);
      expect(issuer.accepts((await manager.refresh()).accessToken)).toBe(true);
      expect(issuer.accepts((await manager.refresh()).accessToken)).toBe(true);
      const presented = issuer.requests.map(({ form }) => form.refresh_token);
      const latest = name === "entra" ? "1.3" : "1.1";
      expect(presented).toEqual(["1.1", "1.1", latest].map((number) => canary("refresh", number)));
    },
  );
});

describe("a server that accepts the previous refresh token until the new one is used: cloudflare", () => {
  const startCloudflare = async () => {
    const server = await startPreviousTokenServer();
    const { clock, manager, store } = open(server.tokenEndpoint, providers.cloudflare);
    const expiresAt = clock.now() + HOUR;
    await manager.signIn({ accessToken: canary("access", 1), refreshToken: canary("refresh", 1), expiresAt });
    const presented = () => server.presented.map((token) => token.replace(canary("refresh", ""), ""));
    return { server, clock, manager, store, presented, [Symbol.asyncDispose]: server[Symbol.asyncDispose] };
  };

  it("is asked again at once after a lost response, and then with the new one", async () => {
    await using session = await startCloudflare();
    const { server, manager, presented } = session;
    server.loseNext(1);
    expect(await manager.refresh()).toMatchObject({ refreshToken: canary("refresh", 3) });
    expect(await manager.refresh()).toMatchObject({ refreshToken: canary("refresh", 4) });
    expect(presented()).toEqual(["1", "1", "3"]);
  });

  it("is asked again however long ago the response was lost", async () => {
    await using session = await startCloudflare();
    const { clock, manager, store, presented } = session;
    const lost = { status: "lost", claimedAt: clock.now(), endedAt: clock.now(), retryIn: 0 };
    await write(store, (record) => ({ ...record, attempt: attempt(1, lost) }));
    await clock.advance(HOUR - 1);
    expect(await manager.refresh()).toMatchObject({ refreshToken: canary("refresh", 2) });
    expect(presented()).toEqual(["1"]);
  });

  it("is asked again when the access token has expired if two responses in a row are lost", async () => {
    await using session = await startCloudflare();
    const { server, clock, manager, presented } = session;
    server.loseNext(2);
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
    await clock.advance(HOUR);
    expect(await manager.getAccessToken()).toBe(canary("access", 4));
    expect(presented()).toEqual(["1", "1", "1"]);
  });

  it("refuses the old one afterwards, and the session goes on", async () => {
    await using session = await startCloudflare();
    const { server, manager } = session;
    await manager.refresh();
    await manager.refresh();
    const { manager: late } = open(server.tokenEndpoint, providers.cloudflare);
    await late.signIn({ refreshToken: canary("refresh", 1) });
    await expect(late.getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "session_expired" });
    expect(await manager.refresh()).toMatchObject({ refreshToken: canary("refresh", 4) });
  });
});
