import { inspect } from "node:util";
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

  it("signs out even if the revocation fails, and reports that without secrets", async () => {
    const { signIn } = startSession();
    const manager = await signIn();
    const failing = manager.signOut({ revoke: async (set) => Promise.reject(new Error(`no: ${set.refreshToken}`)) });
    const error: unknown = await failing.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "TOKEN_ENDPOINT", cause: { message: "no: [secret]" } });
    expect(await manager.hasSession()).toBe(false);
  });

  it("waits for a revocation until the deadline of an exchange, and says that it did not finish (P15)", async () => {
    const { clock, issuer, open } = startSession();
    const never = () => new Promise<void>(() => {});
    const manager = open({ refresh: Object.assign(issuer.refresh, { timeout: 5_000, revoke: never }) });
    await manager.signIn(issuer.tokens());
    let error: unknown;
    manager.signOut().catch((thrown: unknown) => (error = thrown));
    await clock.advance(4_999);
    expect(error).toBeUndefined();
    expect(clock.keepingAlive).toBe(1);
    await clock.advance(1);
    const cause = { name: "TimeoutError", message: "No response within 5000 ms." };
    expect(error).toMatchObject({
      code: "TOKEN_ENDPOINT",
      message: expect.stringMatching(/^The session is signed out, but its tokens /),
      cause,
    });
    expect(manager.state).toEqual({ status: "dead", reason: "signed_out" });
    await manager.signIn(issuer.tokens());
    await manager.signOut({ revoke: async () => {} });
    expect(clock.keepingAlive).toBe(0);
  });

  const secret = canary("refresh", 1);

  it.each([
    ["throws a TokenEndpointError", new TokenEndpointError({ sent: true, cause: new Error(secret) })],
    ["throws another error", new Error(secret)],
  ])("reports a revoke function that %s, without secrets (P8)", async (_name, failure) => {
    const revoke = () => {
      throw failure;
    };
    const error: unknown = await (await startSession().signIn()).signOut({ revoke }).catch((thrown: unknown) => thrown);
    const message =
      "The session is signed out, but its tokens could not be revoked: The token endpoint did not return a complete " +
      "response. The server may accept them until they expire.";
    expect(error).toBeInstanceOf(TokenEndpointError);
    expect(error).toMatchObject({ code: "TOKEN_ENDPOINT", message });
    expect(inspect(error)).toMatch(`TokenEndpointError: ${message}\n    at `);
    expect(printed(error)).not.toContain("canary");
  });

  it("quotes the error of a failed revocation as a clause", async () => {
    const failure = new TokenEndpointError({ status: 503, description: "$& is down.", sent: true });
    const failing = (await startSession().signIn()).signOut({ revoke: async () => Promise.reject(failure) });
    await expect(failing).rejects.toThrow("responded with HTTP 503, $& is down. The server may accept them until");
  });
});
