import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import type { RefreshFunction, TokenSet } from "../../src/index.ts";
import { jsonRefresh, oauth2Refresh } from "../../src/oauth2.ts";
import { parseRecord, type SessionRecord, serializeRecord } from "../../src/record/record.ts";
import { loadClient, reconcileRecords } from "../../src/session-record.ts";
import { withTokenOrigin } from "../../src/tokens/token-origin.ts";
import { printed } from "../support/leaks.ts";
import { record } from "../support/record.ts";
import { account, startSession, tokensOf } from "../support/session.ts";

const HOUR = 3_600_000;

/** An endpoint that counts its requests, and the options to reach it. */
function startEndpoint() {
  const requests: string[] = [];
  const fetch = async (url: string | URL | Request, init?: RequestInit): Promise<Response> => {
    requests.push(`${url} ${init?.body}`);
    return Response.json({ access_token: canary("access", 2), token_type: "Bearer", expires_in: 3600 });
  };
  return { requests, fetch: fetch as typeof globalThis.fetch };
}

const issuedAt = (origin: string, clock: { now(): number }): TokenSet =>
  withTokenOrigin({ ...tokensOf("ada", clock.now() + HOUR), tokenType: "Bearer" }, origin);

describe("the origin of a session's tokens", () => {
  it("is kept beside the session, through exchanges, until the next sign-in", async () => {
    const { clock, store, issuer, open } = startSession();
    const manager = open();
    await manager.signIn(withTokenOrigin({ ...issuer.tokens(), tokenType: "Bearer", extra: {} }, "https://a.test"));
    await manager.refresh();
    expect(await loadClient(store)).toEqual({ tokenOrigin: "https://a.test" });
    await manager.signIn(tokensOf("ada", clock.now() + HOUR));
    expect((await loadClient(store))?.tokenOrigin).toBeUndefined();
  });

  it("is that of a sign-in with a flow", async () => {
    const { clock, store, open } = startSession();
    await open().signInWith(async () => issuedAt("https://a.test", clock));
    expect(await loadClient(store)).toEqual({ tokenOrigin: "https://a.test" });
  });

  const options = (tokenEndpoint: string, fetch: typeof globalThis.fetch) => ({
    tokenEndpoint,
    clientId: "app",
    fetch,
  });
  const json = (endpoint: string, fetch: typeof globalThis.fetch) =>
    jsonRefresh({ endpoint, fetch, body: () => ({}), read: (body) => body as never });
  const kinds: [string, (endpoint: string, fetch: typeof globalThis.fetch) => RefreshFunction][] = [
    ["oauth2Refresh", (endpoint, fetch) => oauth2Refresh(options(endpoint, fetch))],
    [
      "oauth2Refresh with options that come later",
      (endpoint, fetch) => oauth2Refresh(async () => options(endpoint, fetch)),
    ],
    ["jsonRefresh", json],
  ];

  it.each(kinds)("keeps its tokens from being sent elsewhere by %s", async (_name, create) => {
    const { requests, fetch } = startEndpoint();
    const { clock, events, open } = startSession({ refresh: create("https://b.test/token", fetch) });
    const manager = open();
    await manager.signIn(issuedAt("https://a.test", clock));
    const error = await manager.refresh().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIGURATION", message: expect.stringContaining("https://a.test, but") });
    expect(printed(error)).not.toContain("canary");
    expect(requests).toEqual([]);
    expect(events.map(({ type }) => type)).not.toContain("exchange-started");
    expect(await manager.getAccessToken()).toBe(canary("access", "ada"));
  });

  it.each(kinds)("lets %s send them to where they come from", async (_name, create) => {
    const { requests, fetch } = startEndpoint();
    const { clock, open } = startSession({ refresh: create("https://a.test/token", fetch) });
    const manager = open();
    await manager.signIn(issuedAt("https://a.test", clock));
    expect((await manager.refresh()).accessToken).toBe(canary("access", 2));
    expect(requests).toHaveLength(1);
  });

  it("ignores the port on this machine only", async () => {
    const { requests, fetch } = startEndpoint();
    const { clock, open } = startSession({ account });
    const local = open({ refresh: oauth2Refresh(options("http://127.0.0.1:2/token", fetch)) });
    await local.signIn(issuedAt("http://127.0.0.1:1", clock));
    await local.refresh();
    const other = open({ refresh: oauth2Refresh(options("https://a.test:8443/token", fetch)) });
    await other.signIn(issuedAt("https://a.test", clock));
    await expect(other.refresh()).rejects.toMatchObject({ code: "CONFIGURATION" });
    expect(requests).toHaveLength(1);
  });

  it("is checked even if the options of the refresh could not be obtained before the claim", async () => {
    const { requests, fetch } = startEndpoint();
    let calls = 0;
    const refresh = oauth2Refresh(async () => {
      if (calls++ === 0) throw new Error("offline");
      return options("https://b.test/token", fetch);
    });
    const { clock, open } = startSession({ refresh });
    const manager = open();
    await manager.signIn(issuedAt("https://a.test", clock));
    await expect(manager.refresh()).rejects.toThrow("https://a.test, but");
    expect(calls).toBe(2);
    expect(requests).toEqual([]);
  });

  it.each([
    ["never settles", () => new Promise<undefined>(() => {})],
    ["throws", () => Promise.reject(new Error("offline"))],
    [
      "throws at once",
      () => {
        throw new Error("offline");
      },
    ],
  ])(
    "is unknown, and does not keep callers waiting, if the function that tells it %s (P15)",
    async (_name, tokenOrigin) => {
      const refresh = Object.assign(async () => ({ access_token: canary("access", 2) }), { tokenOrigin });
      const { clock, open } = startSession({ refresh });
      const manager = open();
      await manager.signIn(issuedAt("https://a.test", clock));
      const refreshed = manager.refresh();
      await clock.advance(30_000);
      expect((await refreshed).accessToken).toBe(canary("access", 2));
    },
  );

  it("is not inherited by the session of another program, but by its copy of our session", () => {
    const client = { issuer: "https://a.test", tokenOrigin: "https://a.test" };
    const stored = serializeRecord({ ...record(3), session: "s", client });
    const merge = (other: SessionRecord) =>
      parseRecord(reconcileRecords(stored, serializeRecord(other)), "here").client;
    expect(merge(record(4))).toEqual({ issuer: "https://a.test" });
    expect(merge({ ...record(4), session: "s", rotation: 9 })).toEqual(client);
  });

  it("keeps a sign-out from revoking its tokens elsewhere", async () => {
    const { requests, fetch } = startEndpoint();
    const refresh = oauth2Refresh({
      ...options("https://b.test/token", fetch),
      revocationEndpoint: "https://b.test/revoke",
    });
    const { clock, events, open } = startSession({ refresh });
    const manager = open();
    await manager.signIn(issuedAt("https://a.test", clock));
    expect(await manager.signOut()).toEqual({ revoked: false });
    expect(requests).toEqual([]);
    expect(events).toContainEqual({
      type: "revocation-failed",
      message: expect.stringContaining("https://a.test, but"),
    });
  });
});
