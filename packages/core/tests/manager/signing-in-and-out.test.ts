import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { settle } from "../../../testing/src/virtual-clock.ts";
import { TokenEndpointError, tokenSetFromResponse } from "../../src/index.ts";
import { disk, gate } from "../support/interference.ts";
import { printed } from "../support/leaks.ts";
import { startSession, typesOf } from "../support/session.ts";

const HOUR = 3_600_000;

const account = ({ extra }: { extra: Readonly<Record<string, unknown>> }) => extra.user as string | undefined;

/** Tokens of a user, with this expiry. */
const tokensOf = (user: string, expiresAt: number) => ({
  accessToken: canary("access", user),
  refreshToken: canary("refresh", user),
  expiresAt,
  extra: { user },
});

/** Opens a manager whose first save succeeds but throws, after `intervene` has changed the store. */
function openWithUncertainSave(session: ReturnType<typeof startSession>, intervene: () => Promise<unknown>) {
  const { store } = session;
  const { save } = store;
  store.save = async (value, expected) => {
    store.save = save;
    await save(value, expected);
    await intervene();
    throw disk;
  };
  return session.open();
}

describe("signIn", () => {
  it("replaces the session and remembers the old refresh token as spent", async () => {
    const { record, open, signIn } = startSession();
    await signIn();
    const manager = open();
    await manager.signIn({ accessToken: canary("access", "b"), refreshToken: canary("refresh", "b") });
    expect((await record()).spent).toHaveLength(1);
    expect(await manager.hasSession()).toBe(true);
  });

  it("keeps the claim of an exchange in flight on the same refresh token (P1)", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken();
    await settle();
    issuer.generation = 1; // the server has not responded yet
    const again = await signIn(0);
    const other = again.getAccessToken();
    await clock.advance(1_000);
    expect(issuer.presented).toHaveLength(1);
    respond();
    await clock.advance(100);
    expect(await Promise.all([token, other])).toEqual([canary("access", 2), canary("access", 2)]);
  });

  it("accepts the result of tokenSetFromResponse", async () => {
    const { clock, open } = startSession();
    const manager = open();
    const response = { access_token: canary("access", 1), token_type: "Bearer", expires_in: 3600 };
    await manager.signIn(tokenSetFromResponse(response, { sentAt: clock.now() }));
    expect(await manager.getTokenSet()).toMatchObject({ expiresAt: clock.now() + HOUR });
  });

  it("is not repeated over a session that was refreshed since (P1, P3)", async () => {
    const session = startSession();
    const { clock, issuer, record } = session;
    const manager = openWithUncertainSave(session, () => session.open().refresh());
    await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() + HOUR });
    expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 2));
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    await manager.refresh();
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
  });

  it("remembers its account if another account signs in at once (P14)", async () => {
    const session = startSession({ account });
    const { clock, open, record } = session;
    const ada = openWithUncertainSave(session, () => open().signIn(tokensOf("bob", clock.now() + HOUR)));
    await ada.signIn(tokensOf("ada", clock.now() + HOUR));
    expect((await record()).account).toBe("bob");
    expect(await ada.hasSession()).toBe(false);
    await expect(ada.getAccessToken()).rejects.toMatchObject({ reason: "account_changed" });
  });
});

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

  const secret = canary("refresh", 1);

  it.each([
    ["throws a TokenEndpointError", new TokenEndpointError({ sent: true, cause: new Error(secret) })],
    ["throws another error", new Error(secret)],
  ])("reports a revoke function that %s, without secrets (P8)", async (_name, failure) => {
    const revoke = () => {
      throw failure;
    };
    const error: unknown = await (await startSession().signIn()).signOut({ revoke }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "TOKEN_ENDPOINT" });
    expect(printed(error)).not.toContain("canary");
  });
});
