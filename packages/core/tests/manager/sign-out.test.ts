import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { TokenEndpointError } from "../../src/index.ts";
import { printed } from "../support/leaks.ts";
import { startSession, typesOf } from "../support/session.ts";

describe("signOut", () => {
  it("leaves a tombstone, revokes, and ends the session of every manager", async () => {
    const { events, issuer, open, record, signIn } = startSession();
    const manager = await signIn();
    const other = open();
    await other.getAccessToken();
    await manager.signOut();
    await settle();
    expect(other.state).toEqual({ status: "dead", reason: "signed_out" });
    await expect(other.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
    expect(await manager.hasSession()).toBe(false);
    expect((await record()).tokens).toBeUndefined();
    expect(issuer.revoked.map((set) => set.refreshToken)).toEqual([canary("refresh", 1)]);
    expect(typesOf(events)).toEqual([]);
  });

  it("revokes with a given function, or not at all", async () => {
    const { issuer, signIn } = startSession();
    const revoked: unknown[] = [];
    await (await signIn()).signOut({ revoke: async (set) => void revoked.push(set.refreshToken) });
    await (await signIn()).signOut({ revoke: false });
    expect(revoked).toEqual([canary("refresh", 1)]);
    expect(issuer.revoked).toEqual([]);
  });

  it("says whether the tokens were revoked", async () => {
    const { open, signIn } = startSession();
    expect(await (await signIn()).signOut()).toEqual({ revoked: true });
    expect(await (await signIn()).signOut({ revoke: false })).toEqual({ revoked: false });
    expect(await open().signOut()).toEqual({ revoked: false });
  });

  it("signs out even if the revocation fails, and reports that without secrets", async () => {
    const { events, signIn } = startSession();
    const manager = await signIn();
    const failure = ({ refreshToken = "" }) =>
      new TokenEndpointError({ status: 503, description: `$& is down: ${refreshToken}.`, sent: true });
    const failing = manager.signOut({ revoke: async (set) => Promise.reject(failure(set)) });
    expect(await failing).toEqual({ revoked: false });
    expect(events.at(-1)).toEqual({
      type: "revocation-failed",
      message:
        "The session is signed out, but its tokens could not be revoked: The revocation endpoint responded with HTTP 503, $& is down: [secret]. The server may accept them until they expire.",
      cause: { status: 503, description: "$& is down: [secret]." },
    });
    expect(await manager.hasSession()).toBe(false);
  });

  it("waits for a revocation until the deadline of an exchange, and says that it did not finish (P15)", async () => {
    const { clock, events, issuer, open } = startSession();
    const never = () => new Promise<void>(() => {});
    const manager = open({ refresh: Object.assign(issuer.refresh, { timeout: 5_000, revoke: never }) });
    await manager.signIn(issuer.tokens());
    let result: unknown;
    void manager.signOut().then((signedOut) => {
      result = signedOut;
    });
    await clock.advance(4_999);
    expect(result).toBeUndefined();
    expect(clock.keepingAlive).toBe(1);
    await clock.advance(1);
    expect(result).toEqual({ revoked: false });
    const message = expect.stringMatching(/could not be revoked: The revocation endpoint did not return a complete/);
    expect(events.at(-1)).toEqual({ type: "revocation-failed", message });
    expect(manager.state).toEqual({ status: "dead", reason: "signed_out" });
    await manager.signIn(issuer.tokens());
    await manager.signOut({ revoke: async () => {} });
    expect(clock.keepingAlive).toBe(0);
  });

  it.each([
    ["throws a TokenEndpointError", new TokenEndpointError({ sent: true, cause: new Error(canary("refresh", 1)) })],
    ["throws another error", new Error(canary("refresh", 1))],
  ])("reports a revoke function that %s, without secrets (P8)", async (_name, failure) => {
    const { events, signIn } = startSession();
    const revoke = () => {
      throw failure;
    };
    expect(await (await signIn()).signOut({ revoke })).toEqual({ revoked: false });
    expect(events.at(-1)).toMatchObject({ type: "revocation-failed" });
    expect(printed(events)).not.toContain("canary");
  });
});
