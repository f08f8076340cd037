import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { memoryStore, type TokenStore, tokenSetFromResponse } from "../../src/index.ts";
import { digestOf } from "../../src/record/record.ts";
import { disk, gate } from "../support/interference.ts";
import { account, startSession, tokensOf } from "../support/session.ts";

const HOUR = 3_600_000;

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

/** A store that holds back its response to the first save, and refuses one of the later ones. */
function holdingStore(refused: number) {
  const store = memoryStore();
  let respond = (): void => undefined;
  const responded = new Promise<void>((resolve) => {
    respond = resolve;
  });
  let saves = 0;
  const save: TokenStore["save"] = async (value, expected) => {
    const number = ++saves;
    if (number === refused) throw new Error("the disk is full");
    const version = await store.save(value, expected);
    if (number === 1) await responded;
    return version;
  };
  const holding: TokenStore = {
    supports: store.supports,
    load: () => store.load(),
    save,
    remove: () => store.remove(),
    describe: () => store.describe(),
  };
  return { store: holding, respond: () => respond() };
}

describe("signIn", () => {
  it("replaces the session, and remembers both refresh tokens, neither as spent", async () => {
    const { record, open, signIn } = startSession();
    await signIn();
    const manager = open();
    expect(await manager.signIn({ accessToken: canary("access", "b"), refreshToken: canary("refresh", "b") })).toBe(
      true,
    );
    expect((await record()).spent).toEqual([]);
    expect((await record()).seeds).toEqual([canary("refresh", "b"), canary("refresh", 1)].map(digestOf));
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

describe("a sign-in whose save settles late", () => {
  it.each([
    ["is saved", 0],
    ["could not be saved yet", 3],
  ])("does not replace a rotation of its own session that %s (P2, P3)", async (_name, refused) => {
    const { store, respond } = holdingStore(refused);
    const { clock, issuer, open, record } = startSession({ store });
    const manager = open();
    const signedIn = manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() + HOUR });
    await clock.advance(0);
    const refreshed = await manager.refresh();
    respond();
    await signedIn;
    expect(await manager.getAccessToken()).toBe(refreshed.accessToken);
    await manager.close();
    expect((await record()).tokens?.refreshToken).toBe(refreshed.refreshToken);
    expect(issuer.presented).toHaveLength(1);
  });

  it("returns no token of another account's session that was signed out before the store confirmed its sign-in", async () => {
    const { clock, open, store } = startSession({ account });
    const manager = open();
    await manager.signIn(tokensOf("a", clock.now() + HOUR));
    const { promise, open: respond } = gate<void>();
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      const version = await save(value, expected);
      await promise;
      return version;
    };
    const signedIn = manager.signIn(tokensOf("b", clock.now() + HOUR));
    await settle();
    await open().signOut();
    await settle();
    respond();
    await signedIn;
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "signed_out" });
  });
});
