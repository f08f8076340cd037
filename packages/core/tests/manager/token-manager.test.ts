import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { TokenEndpointError } from "../../src/index.ts";
import { startSession } from "../support/session.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("state", () => {
  it("is undefined before the first load", async () => {
    const { open } = startSession();
    expect(open().state).toBeUndefined();
  });

  it.each([
    ["at sign-in", 0, "valid"],
    ["1 ms before the window", HOUR - 5 * MINUTE - 1, "valid"],
    ["at the window", HOUR - 5 * MINUTE, "near-expiry"],
    ["at expiry", HOUR, "near-expiry"],
  ])("depends on the time: %s", async (_name, passed, status) => {
    const { clock, signIn } = startSession();
    const manager = await signIn(HOUR);
    await clock.advance(passed);
    expect(manager.state?.status).toBe(status);
  });

  it("has a window of at most a fifth of the lifetime", async () => {
    const { clock, signIn } = startSession();
    const manager = await signIn(10_000);
    await clock.advance(7_999);
    expect(manager.state?.status).toBe("valid");
    await clock.advance(1);
    expect(manager.state).toMatchObject({ status: "near-expiry", usable: true });
    await clock.advance(2_000);
    expect(manager.state).toMatchObject({ status: "near-expiry", usable: false });
  });

  it("is dead without a session, and alive again after another process's sign-in", async () => {
    const { open, signIn } = startSession();
    const manager = open();
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "no_session" });
    expect(manager.state).toEqual({ status: "dead", reason: "no_session" });
    await signIn();
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
  });

  it("is dead once a token without a refresh token has expired", async () => {
    const { clock, open } = startSession();
    const manager = open();
    await manager.signIn({ accessToken: canary("access", 1), expiresAt: clock.now() + 1_000 });
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
    await clock.advance(1_000);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "session_expired" });
    expect(await manager.hasSession()).toBe(true); // presence only
  });

  it("is announced once per change, without secrets", async () => {
    const { clock, events, issuer, signIn } = startSession();
    const manager = await signIn(HOUR);
    await clock.advance(HOUR);
    await manager.getAccessToken();
    issuer.isRevoked = true;
    await clock.advance(HOUR);
    await expect(manager.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    const states = events.flatMap((event) => (event.type === "state-changed" ? [event.state.status] : []));
    expect(states).toEqual(["valid", "near-expiry", "refreshing", "valid", "near-expiry", "refreshing", "dead"]);
    expect(JSON.stringify(events)).not.toContain("canary");
  });
});

describe("getAccessToken", () => {
  it("neither loads nor creates a promise while the token is valid", async () => {
    const { signIn, store } = startSession();
    const manager = await signIn();
    let loads = 0;
    const { load } = store;
    store.load = () => {
      loads++;
      return load();
    };
    expect(manager.getAccessToken()).toBe(manager.getAccessToken());
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
    expect(loads).toBe(0);
  });

  it("returns the old token inside the window, and renews it in the background", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn();
    await clock.advance(HOUR - MINUTE);
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
    await settle();
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it("waits for the renewal inside the window with background: false (I11)", async () => {
    const { clock, signIn } = startSession({ background: false });
    const manager = await signIn();
    await clock.advance(HOUR - MINUTE);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("returns the usable token if a refresh with background: false fails", async () => {
    const { clock, issuer, signIn } = startSession({ background: false });
    const manager = await signIn();
    await clock.advance(HOUR - MINUTE);
    issuer.next(() => new TokenEndpointError({ status: 503, sent: true }), { before: true });
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
  });

  it("refreshes a token of unknown expiry once per record, and then trusts it", async () => {
    const { clock, issuer, signIn } = startSession();
    issuer.lifetime = undefined;
    const manager = await signIn(null);
    for (let call = 0; call < 3; call++) {
      expect(await manager.getAccessToken()).toBe(canary("access", 2));
      await clock.advance(100 * HOUR);
    }
    expect(issuer.presented).toHaveLength(1);
  });

  it("trusts a token of unknown expiry without a refresh token", async () => {
    const { clock, open } = startSession();
    const manager = open();
    await manager.signIn({ accessToken: canary("access", 1) });
    await clock.advance(1_000 * HOUR);
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
  });

  it.each([0.5, 1, 2])("does not spin on a lifetime of %d s (P13)", async (lifetime) => {
    const { clock, issuer, signIn } = startSession();
    issuer.lifetime = lifetime;
    const manager = await signIn(0);
    for (let tenth = 0; tenth < 100; tenth++) {
      await manager.getAccessToken();
      await clock.advance(100);
    }
    expect(issuer.presented.length).toBeGreaterThan(2);
    expect(issuer.presented.length).toBeLessThanOrEqual(11);
  });

  it("trusts a token whose lifetime is said to be 0 s until a 401: some servers mean that it never expires", async () => {
    const { clock, issuer, signIn } = startSession();
    issuer.lifetime = 0;
    const manager = await signIn(0);
    for (let minute = 0; minute < 100; minute++) {
      expect(await manager.getAccessToken()).toBe(canary("access", 2));
      await clock.advance(60_000);
    }
    expect(issuer.presented).toHaveLength(1);
    expect(await manager.replaceRejected(canary("access", 2))).toBe(canary("access", 3));
  });

  it.each([-HOUR * 24, HOUR * 24])("survives a clock jump of %i ms without a loop (P13)", async (jump) => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn(0);
    await manager.getAccessToken();
    clock.jump(jump);
    for (let second = 0; second < 1_000; second++) {
      await manager.getAccessToken();
      await clock.advance(1_000);
    }
    expect(issuer.presented.length).toBeLessThanOrEqual(2);
  });

  it("returns the expired token while the endpoint is down with staleIfError", async () => {
    const { clock, issuer, signIn } = startSession({ staleIfError: true });
    const manager = await signIn();
    await clock.advance(2 * HOUR);
    issuer.next(() => new TokenEndpointError({ sent: false }), { before: true });
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
  });
});

describe("refresh", () => {
  it("requires a refresh function and a session", async () => {
    const { open } = startSession();
    await expect(open({ refresh: undefined }).refresh()).rejects.toThrow(TypeError);
    await expect(open().refresh()).rejects.toMatchObject({ reason: "no_session" });
  });

  it("keeps the refresh token if the response has none", async () => {
    const { issuer, record, signIn } = startSession();
    const manager = await signIn();
    issuer.next(({ access_token }) => ({ access_token, expires_in: 60 }), { before: true });
    await manager.refresh();
    expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 1));
    expect((await record()).spent).toEqual([]);
  });
});

describe("replaceRejected (P10)", () => {
  it("refreshes once for 1,000 rejections, even if they are spread over time", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn();
    const replaced = Array.from({ length: 500 }, () => manager.replaceRejected(canary("access", 1)));
    expect(new Set(await Promise.all(replaced))).toEqual(new Set([canary("access", 2)]));
    for (let late = 0; late < 500; late++) {
      await clock.advance(1);
      expect(await manager.replaceRejected(canary("access", 1))).toBe(canary("access", 2));
    }
    expect(issuer.presented).toHaveLength(1);
  });

  it.each([
    { name: "30 s − 1 ms", lifetime: HOUR, passed: 29_999, renews: false },
    { name: "30 s", lifetime: HOUR, passed: 30_000, renews: true },
    { name: "a fifth − 1 ms", lifetime: 10_000, passed: 1_999, renews: false },
    { name: "a fifth", lifetime: 10_000, passed: 2_000, renews: true },
  ])("refreshes again only after a while: $name after its own exchange", async ({ lifetime, passed, renews }) => {
    const { clock, issuer, signIn } = startSession();
    issuer.lifetime = lifetime / 1000;
    const manager = await signIn();
    await manager.refresh();
    await clock.advance(passed);
    const replaced = manager.replaceRejected(canary("access", 2));
    if (renews) expect(await replaced).toBe(canary("access", 3));
    else await expect(replaced).rejects.toMatchObject({ code: "REFRESH_FAILED", reason: "just_obtained" });
    expect(issuer.presented).toHaveLength(renews ? 2 : 1);
  });

  it("requires a sign-in if there is no refresh token", async () => {
    const { open } = startSession();
    const manager = open();
    await manager.signIn({ accessToken: canary("access", 1) });
    await expect(manager.replaceRejected(canary("access", 1))).rejects.toMatchObject({ reason: "session_expired" });
  });

  it("gives up if the server issues the same access token again", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn();
    await clock.advance(MINUTE);
    issuer.next((rotated) => ({ ...rotated, access_token: canary("access", 1) }));
    await expect(manager.replaceRejected(canary("access", 1))).rejects.toMatchObject({ reason: "just_obtained" });
    expect(issuer.presented).toHaveLength(1);
  });
});

it("survives listeners that throw or call back", async () => {
  const { clock, signIn } = startSession();
  const manager = await signIn(0);
  const seen: string[] = [];
  manager.subscribe(() => {
    throw new Error("a listener's own");
  });
  manager.subscribe((event) => {
    if (event.type === "refreshed") void manager.getAccessToken().then((token) => seen.push(token));
  });
  await manager.getAccessToken();
  await clock.advance(0);
  expect(seen).toEqual([canary("access", 2)]);
});
