import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { memoryStore, TokenEndpointError, type TokenSet } from "../../src/index.ts";
import { attempt, gate, withoutWatch, write } from "../support/interference.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

/** Signs in or out while the load of a background refresh is slow, and returns the manager after that load. */
const actDuringSlowLoad = async (act: "signOut" | "signIn") => {
  const { clock, open, signIn, store } = startSession();
  withoutWatch(store);
  const manager = await signIn(HOUR);
  await clock.advance(HOUR - 60_000);
  await open().refresh(); // in another process
  const { load } = store;
  const { promise, open: finish } = gate<void>();
  store.load = async () => {
    store.load = load;
    const loaded = await load();
    await promise;
    return loaded;
  };
  await manager.getAccessToken(); // starts a background refresh, whose load is slow
  await settle();
  if (act === "signOut") await manager.signOut({ revoke: false });
  else await manager.signIn({ accessToken: "new-user", refreshToken: "new-refresh", expiresAt: clock.now() + HOUR });
  finish();
  await settle();
  return manager;
};

describe("a sign-out during a refresh", () => {
  it("does not wait for the revocation of the tokens that arrive, which may never finish (P15)", async () => {
    const { clock, issuer, open } = startSession();
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const revoked: string[] = [];
    const revoke = (tokens: TokenSet) => {
      revoked.push(tokens.accessToken);
      return new Promise<void>(() => {});
    };
    const manager = open({ refresh: Object.assign(issuer.refresh, { revoke }) });
    await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() });
    const token = manager.getAccessToken();
    await settle();
    await manager.signOut({ revoke: false });
    respond();
    await expect(token).rejects.toMatchObject({ reason: "signed_out" });
    expect(revoked).toEqual([canary("access", 2)]);
    await manager.signIn(issuer.tokens());
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
    await manager.close();
    expect(clock.keepingAlive).toBe(0);
  });

  it("stands if a load of the refresh finishes later (I13)", async () => {
    const manager = await actDuringSlowLoad("signOut");
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it.each([true, false])("stands if the save of the refresh finishes later (watch: %s)", async (watch) => {
    const { signIn, store } = startSession();
    if (!watch) withoutWatch(store);
    const manager = await signIn(HOUR);
    const { save } = store;
    const { promise, open: finish } = gate<void>();
    let saves = 0;
    store.save = async (value, expected) => {
      const version = await save(value, expected);
      if (++saves === 2) await promise; // stored; its outcome comes late
      return version;
    };
    const renewed = manager.refresh().catch((error: unknown) => error);
    await settle();
    await manager.signOut({ revoke: false });
    finish();
    await renewed;
    await settle();
    expect.soft(await manager.hasSession()).toBe(false);
    expect(manager.state).toMatchObject({ reason: "signed_out" });
  });

  it("stands until long after the save of the refresh has finished", async () => {
    const { clock, signIn, store } = startSession();
    const manager = await signIn(HOUR);
    const { save } = store;
    const { promise, open: finish } = gate<void>();
    let saves = 0;
    store.save = async (value, expected) => {
      const version = await save(value, expected);
      if (++saves === 2) await promise;
      return version;
    };
    const renewed = manager.refresh().catch((error: unknown) => error);
    await settle();
    await manager.signOut({ revoke: false });
    finish();
    await renewed;
    await clock.advance(30 * 60_000);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it("stands if the load after a terminal response finishes later", async () => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(HOUR);
    const response = gate<void>();
    const slowLoad = gate<void>();
    issuer.next(
      () =>
        response.promise.then(() =>
          Promise.reject(new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true })),
        ),
      { before: true },
    );
    const renewed = manager.refresh().catch((error: unknown) => error);
    await settle();
    const newer = {
      accessToken: "newer",
      refreshToken: "newer-r",
      tokenType: "Bearer",
      extra: {},
      expiresAt: clock.now() + HOUR,
    };
    await write(store, (record) => ({ ...record, attempt: undefined, tokens: newer, renewed: true }));
    const { load } = store;
    store.load = async () => {
      store.load = load;
      const loaded = await load();
      await slowLoad.promise;
      return loaded;
    };
    response.open();
    await settle();
    await manager.signOut({ revoke: false });
    slowLoad.open();
    await renewed;
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });
});

describe("a sign-in during a load", () => {
  it("stands if a load of a refresh finishes later", async () => {
    const manager = await actDuringSlowLoad("signIn");
    expect(await manager.getAccessToken()).toBe("new-user");
  });

  it("stands if a load that found nothing finishes later", async () => {
    const { open, store } = startSession();
    withoutWatch(store);
    const manager = open();
    const { promise: finished, open: finish } = gate<void>();
    const { load } = store;
    store.load = async () => {
      store.load = load;
      const loaded = await load();
      await finished;
      return loaded;
    };
    const pending = manager.hasSession();
    await settle();
    await manager.signIn({ accessToken: canary("access", 1) });
    finish();
    expect(await pending).toBe(true);
    expect(manager.state?.status).toBe("valid");
  });
});

describe("a sign-in or sign-out during an exchange, whose end the store refuses (I18, P3)", () => {
  it.each([
    ["signIn", "transient"],
    ["signIn", "lost"],
    ["signOut", "transient"],
    ["signOut", "lost"],
  ])("stands: %s, %s", async (act, end) => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    const failure = new TokenEndpointError({ status: 500, sent: end === "lost" });
    issuer.next(() => promise.then(() => Promise.reject(failure)), { before: true });
    const token = manager.getAccessToken().catch(() => {});
    await settle();
    if (act === "signIn") await manager.signIn({ accessToken: "new-user", expiresAt: clock.now() + HOUR });
    else await manager.signOut({ revoke: false });
    const { load, save } = store;
    const fail = () => Promise.reject(new Error("down"));
    Object.assign(store, { load: fail, save: fail });
    respond();
    await settle();
    Object.assign(store, { load, save });
    await clock.advance(5_000);
    await token;
    const result = await manager.getAccessToken().catch((error) => error.reason);
    expect(result).toBe(act === "signIn" ? "new-user" : "signed_out");
  });

  it.each(["signIn", "signOut"])("stands although a refresh had loaded the earlier session: %s", async (act) => {
    const status = gate<"alive">();
    const store = Object.assign(memoryStore(), { holder: { id: "ours", statusOf: () => status.promise } });
    withoutWatch(store);
    const { clock, signIn } = startSession({ store });
    const manager = await signIn(HOUR);
    await clock.advance(HOUR - 60_000);
    await write(store, (record) => ({ ...record, attempt: attempt(1, { holder: "other", claimedAt: clock.now() }) }));
    await manager.getAccessToken(); // starts a refresh in the background, which asks about the other holder
    await settle();
    if (act === "signIn") await manager.signIn({ accessToken: "new-user", expiresAt: clock.now() + HOUR });
    else await manager.signOut({ revoke: false });
    status.open("alive");
    await settle();
    const result = await manager.getAccessToken().catch((error) => error.reason);
    expect(result).toBe(act === "signIn" ? "new-user" : "signed_out");
  });

  it.each(["lost", "in flight"])(
    "leaves the tokens of an account usable whose server does not rotate: %s",
    async (how) => {
      const { clock, issuer, open } = startSession({ provider: { rotation: false } });
      const manager = open();
      const first = { accessToken: "a", refreshToken: "ra", expiresAt: clock.now() };
      await manager.signIn(first);
      const { promise, open: respond } = gate<void>();
      issuer.next(() => promise.then(() => Promise.reject(new TokenEndpointError({ status: 500, sent: true }))), {
        before: true,
      });
      const token = manager.getAccessToken().catch(() => {});
      await settle();
      if (how === "lost") respond();
      await settle();
      await manager.signIn({ accessToken: "b", refreshToken: "rb", expiresAt: clock.now() + HOUR });
      expect(await manager.signIn({ ...first, accessToken: "a2", expiresAt: clock.now() + HOUR })).toBe(true);
      expect(await manager.getAccessToken()).toBe("a2");
      respond();
      await token;
    },
  );
});
