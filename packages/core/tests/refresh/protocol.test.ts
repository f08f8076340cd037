import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { TokenEndpointError } from "../../src/index.ts";
import { digestOf } from "../../src/record/record.ts";
import { attempt, disk, gate, LEASE, write } from "../support/interference.ts";
import { startSession, typesOf } from "../support/session.ts";

const HOUR = 3_600_000;

describe("claiming", () => {
  it("makes one exchange for 8 managers of an expired session (P4)", async () => {
    const { clock, events, issuer, open, signIn } = startSession();
    await signIn(0);
    const managers = Array.from({ length: 8 }, () => open());
    const tokens = Promise.all(managers.map((manager) => manager.getAccessToken()));
    await clock.advance(100);
    expect(new Set(await tokens)).toEqual(new Set([canary("access", 2)]));
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
    expect(typesOf(events).filter((type) => type === "refreshed")).toHaveLength(1);
  });

  it("waits for the exchange of another manager, and adopts its tokens", async () => {
    const { clock, issuer, open, signIn } = startSession();
    const [a, b] = [await signIn(0), open()];
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const first = a.getAccessToken();
    await settle();
    const second = b.getAccessToken();
    await clock.advance(20_000);
    expect(b.state).toMatchObject({ status: "refreshing", usable: false });
    respond();
    await clock.advance(100);
    expect(await Promise.all([first, second])).toEqual([canary("access", 2), canary("access", 2)]);
    expect(issuer.presented).toHaveLength(1);
  });

  it("adopts the tokens that it waits for, whatever its own clock says (P13)", async () => {
    const { clock, issuer, open, signIn } = startSession();
    const ahead = { now: () => clock.now() + 2 * HOUR, monotonic: clock.monotonic, setTimer: clock.setTimer };
    const [a, b] = [await signIn(0), open({ clock: ahead })];
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const first = a.getAccessToken();
    await settle();
    const second = b.getAccessToken();
    await clock.advance(100);
    respond();
    await clock.advance(100);
    expect(await Promise.all([first, second])).toEqual([canary("access", 2), canary("access", 2)]);
    expect(issuer.presented).toHaveLength(1);
  });

  it("adopts the token of another manager instead of making an exchange", async () => {
    const { clock, issuer, open, signIn, store } = startSession();
    delete (store as { watch?: unknown }).watch;
    const [a, b] = [await signIn(HOUR), open()];
    await b.getAccessToken();
    await a.refresh();
    expect(await b.replaceRejected(canary("access", 1))).toBe(canary("access", 2));
    await clock.advance(HOUR - 60_000);
    await a.getAccessToken();
    await settle();
    await b.getAccessToken();
    await settle();
    expect(await b.getAccessToken()).toBe(canary("access", 3));
    expect(issuer.presented).toHaveLength(2);
  });

  it("returns the usable token while another process makes an exchange", async () => {
    const { clock, open, signIn, store } = startSession();
    const manager = await signIn(HOUR);
    await write(store, (record) => ({ ...record, attempt: attempt(1) }));
    await clock.advance(HOUR - 60_000);
    expect(await manager.getAccessToken()).toBe(canary("access", 1));
    expect(await open().getAccessToken()).toBe(canary("access", 1));
    expect(clock.keepingAlive).toBe(0);
  });

  it("sends nothing if another process claims between the load and the claim (P1)", async () => {
    const { clock, issuer, open, signIn, store } = startSession();
    await signIn(0);
    const manager = open();
    await manager.hasSession();
    const { load } = store;
    store.load = async () => {
      const loaded = await load();
      store.load = load;
      await write(store, (record) => ({ ...record, attempt: attempt(1) }));
      return loaded;
    };
    const token = manager.getAccessToken();
    await clock.advance(1_000);
    expect(issuer.presented).toEqual([]);
    await write(store, (record) => ({ ...record, attempt: undefined }));
    await clock.advance(100);
    expect(await token).toBe(canary("access", 2));
  });

  it("sends nothing if the claim cannot be stored (I15)", async () => {
    const { issuer, open, signIn, store } = startSession();
    await signIn(0);
    store.save = async () => Promise.reject(disk);
    await expect(open().getAccessToken()).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      cause: { message: disk.message },
    });
    expect(issuer.presented).toEqual([]);
  });

  it("uses a claim if its save throws but succeeded (I12)", async () => {
    const { issuer, open, signIn, store } = startSession();
    await signIn(0);
    const { save } = store;
    store.save = async (value, expected) => {
      await save(value, expected);
      throw new Error("timed out");
    };
    expect(await open().getAccessToken()).toBe(canary("access", 2));
    expect(issuer.presented).toHaveLength(1);
  });

  it("starts over after a suspension between claim and exchange (P6)", async () => {
    const { clock, events, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    const { promise: resumed, open: resume } = gate<void>();
    store.save = async (value, expected) => {
      const version = await save(value, expected);
      await resumed;
      return version;
    };
    const token = manager.getAccessToken();
    await settle();
    await clock.leap(LEASE);
    store.save = save;
    await write(store, (record) => ({ ...record, attempt: attempt(1) })); // the lease has expired: another process claims
    resume();
    await clock.advance(100);
    expect(issuer.presented).toEqual([]);
    await write(store, (record) => ({ ...record, attempt: undefined }));
    await clock.advance(100);
    expect(await token).toBe(canary("access", 2));
    expect(typesOf(events).filter((type) => type === "exchange-started")).toHaveLength(1);
  });
});

describe("committing", () => {
  it("replaces a verdict about the token that it presented (I5)", async () => {
    const { issuer, record, signIn, store } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken();
    await settle();
    const digest = digestOf(canary("refresh", 1));
    await write(store, (stored) => ({
      ...stored,
      tokens: undefined,
      attempt: undefined,
      dead: { reason: "response_lost", digest },
    }));
    respond();
    expect(await token).toBe(canary("access", 2));
    expect(await record()).toMatchObject({ tokens: { refreshToken: canary("refresh", 2) }, spent: [digest] });
    expect((await record()).dead).toBeUndefined();
  });

  it.each(["before", "after"])(
    "leaves the session signed out if the sign-out comes %s the commit (I13)",
    async (when) => {
      const { events, issuer, open, record, signIn } = startSession();
      const manager = await signIn(0);
      const { promise, open: respond } = gate<void>();
      issuer.next((rotated) => promise.then(() => rotated));
      const token = manager.getAccessToken().catch((error: unknown) => error);
      await settle();
      if (when === "after") respond();
      if (when === "after") await token;
      await open().signOut({ revoke: true });
      respond();
      if (when === "before") expect(await token).toMatchObject({ reason: "signed_out" });
      expect((await record()).dead?.reason).toBe("signed_out");
      expect(issuer.revoked.map((set) => set.refreshToken)).toContain(canary("refresh", 2));
      expect(typesOf(events).includes("rotation-dropped")).toBe(when === "before");
    },
  );

  it("never overwrites the session of another account (I6, P14)", async () => {
    const account = ({ extra }: { extra: Readonly<Record<string, unknown>> }) => extra.user as string | undefined;
    const { clock, events, issuer, open, record } = startSession({ account });
    const manager = open();
    await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now(), extra: { user: "ada" } });
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken().catch((error: unknown) => error);
    await settle();
    const other = { accessToken: canary("access", "b"), refreshToken: canary("refresh", "b"), extra: { user: "bob" } };
    await open().signOut({ revoke: false });
    await open().signIn(other);
    respond();
    expect(await token).toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "account_changed" });
    expect((await record()).tokens?.accessToken).toBe(canary("access", "b"));
    expect(events).toContainEqual({ type: "rotation-dropped", reason: "account_changed" });
    expect(issuer.revoked.map((set) => set.refreshToken)).toEqual([canary("refresh", 2)]);
    expect(await open().getAccessToken().then(String, String)).not.toContain("canary-access-2");
  });

  it("drops its tokens if the record holds newer ones of the account", async () => {
    const { events, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken();
    await settle();
    const newer = {
      accessToken: canary("access", "n"),
      refreshToken: canary("refresh", "n"),
      tokenType: "Bearer",
      extra: {},
    };
    await write(store, (stored) => ({ ...stored, attempt: undefined, tokens: newer, renewed: true }));
    respond();
    expect(await token).toBe(canary("access", "n"));
    expect(events).toContainEqual({ type: "rotation-dropped", reason: "superseded" });
  });

  it("uses tokens from memory while the store refuses them, and saves them later (P2, I15)", async () => {
    const { clock, events, record, signIn, store } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    expect(await manager.hasSession()).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    await clock.advance(5_000);
    expect((await record()).tokens?.accessToken).toBe(canary("access", 1));
    expect(events).toContainEqual({ type: "save-failed", location: store.describe(), code: "STORE_UNAVAILABLE" });
    store.save = save;
    await clock.advance(5_000);
    expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
    expect(typesOf(events).slice(-1)).toEqual(["save-recovered"]);
    expect(clock.keepingAlive).toBe(0);
  });

  it("presents the token that it could not store, once the store accepts a claim again", async () => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    await manager.getAccessToken();
    await clock.leap(2 * HOUR);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    store.save = save;
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
  });

  it("commits a response that arrives after the deadline", async () => {
    const { clock, events, issuer, open, record, signIn } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken().catch((error: unknown) => error);
    await clock.advance(30_000);
    expect(await token).toMatchObject({ code: "REFRESH_FAILED" });
    expect((await record()).attempt?.status).toBe("lost");
    respond();
    await settle();
    expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
    expect(await open().getAccessToken()).toBe(canary("access", 2));
    expect(typesOf(events)).not.toContain("rotation-dropped");
  });
});

describe("ending an attempt", () => {
  it("does not let a failure overwrite a newer success (P3)", async () => {
    const { issuer, record, signIn, store } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next(() =>
      promise.then(() => Promise.reject(new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true }))),
    );
    const token = manager.getAccessToken();
    await settle();
    const newer = {
      accessToken: canary("access", "n"),
      refreshToken: canary("refresh", "n"),
      tokenType: "Bearer",
      extra: {},
    };
    await write(store, (stored) => ({ ...stored, attempt: undefined, tokens: newer, renewed: true }));
    respond();
    expect(await token).toBe(canary("access", "n"));
    expect((await record()).dead).toBeUndefined();
  });

  it.each([
    ["without a description", undefined, "session_expired"],
    ["about reuse", "Refresh token already used", "refresh_token_reused"],
    ["about revocation", "The token was revoked", "revoked"],
    ["about expiry or revocation", "Token has been expired or revoked.", "session_expired"],
  ])("ends the session on invalid_grant (%s)", async (_name, description, reason) => {
    const { issuer, open, record, signIn } = startSession();
    const manager = await signIn(0);
    issuer.next(() => new TokenEndpointError({ error: "invalid_grant", description, status: 403, sent: true }), {
      before: true,
    });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason });
    expect(await record()).toMatchObject({ dead: { reason, digest: digestOf(canary("refresh", 1)) } });
    await expect(open().getAccessToken()).rejects.toMatchObject({ reason });
    expect(issuer.presented).toHaveLength(1);
  });

  it("leaves the session alone if the client is rejected", async () => {
    const { issuer, record, signIn } = startSession();
    const manager = await signIn(0);
    issuer.next(() => new TokenEndpointError({ error: "invalid_client", status: 401, sent: true }), { before: true });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "CONFIGURATION" });
    expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 1));
  });

  it.each([
    ["a 503", { status: 503, sent: true }, 1_000],
    ["a 429 with Retry-After", { status: 429, retryAfter: 17_000, sent: true }, 17_000],
    ["a request that was not sent", { sent: false }, 1_000],
  ])("backs off for all managers together after %s", async (_name, details, longest) => {
    const { clock, issuer, open, signIn } = startSession();
    const manager = await signIn(0);
    issuer.next(() => new TokenEndpointError(details), { before: true });
    const error: unknown = await manager.getAccessToken().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "REFRESH_FAILED" });
    const { retryAt } = error as { retryAt: number };
    expect(retryAt - clock.now()).toBeLessThanOrEqual(longest);
    expect(retryAt - clock.now()).toBeGreaterThanOrEqual(longest * 0.7);
    await clock.advance(retryAt - clock.now() - 1);
    await expect(open().getAccessToken()).rejects.toMatchObject({ code: "REFRESH_FAILED", retryAt });
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(1);
    const [a, b] = [manager.getAccessToken(), open().getAccessToken()];
    await clock.advance(100);
    expect(await Promise.all([a, b])).toEqual([canary("access", 2), canary("access", 2)]);
    expect(issuer.presented).toHaveLength(2);
  });

  it("remembers its failure if the store did not save it", async () => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    issuer.next(() => new TokenEndpointError({ status: 503, sent: true }), { before: true });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    store.save = save;
    await clock.advance(1_000);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("doubles the back-off with each failure", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn(0);
    const waits: number[] = [];
    for (let failure = 0; failure < 9; failure++) {
      issuer.next(() => new TokenEndpointError({ status: 500, sent: true }), { before: true });
      const error: unknown = await manager.getAccessToken().catch((thrown: unknown) => thrown);
      waits.push((error as { retryAt: number }).retryAt - clock.now());
      await clock.advance(waits.at(-1) ?? 0);
    }
    expect(waits.map((wait) => Math.round(Math.log2(wait / 875)) + 0)).toEqual([0, 1, 2, 3, 4, 5, 6, 6, 6]);
  });
});
