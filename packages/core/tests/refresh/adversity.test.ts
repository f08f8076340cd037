import { describe, expect, it } from "vitest";
import { canary } from "../../../../verification/end-to-end/support/canary.ts";
import { StoreError, TokenEndpointError } from "../../src/index.ts";
import { attempt, LEASE, write } from "../support/interference.ts";
import { printed } from "../support/leaks.ts";
import { startSession, typesOf } from "../support/session.ts";

const HOUR = 3_600_000;

describe("a lost answer", () => {
  const lose = () => new Error("ECONNRESET");

  it("is not sent again blindly (I4), and presented once more after the wait (P1)", async () => {
    const { clock, issuer, record, signIn } = startSession();
    const manager = await signIn(0);
    issuer.next(lose, { before: true });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect((await record()).attempt).toMatchObject({ status: "lost" });
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(1_000);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 1)]);
  });

  it("ends the session as answer_lost where the server had rotated (I3)", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn(0);
    issuer.next(lose);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    await clock.advance(1_000);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "answer_lost" });
  });

  it("waits while the access token is usable, without grace", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn(HOUR);
    await clock.advance(HOUR - 60_000);
    issuer.next(lose, { before: true });
    await manager.getAccessToken();
    for (let second = 0; second < 59; second++) {
      await clock.advance(1_000);
      expect(await manager.getAccessToken()).toBe(canary("access", 1));
    }
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(1_000);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("is presented again at once inside a provider's grace", async () => {
    const { issuer, signIn } = startSession({ provider: { graceSeconds: 30 } });
    const manager = await signIn(HOUR);
    issuer.next(lose, { before: true });
    await manager.refresh();
    expect(issuer.presented).toHaveLength(2);
  });

  it("is not presented again after a provider's grace, while the access token is usable", async () => {
    const { clock, issuer, open, signIn, store } = startSession({ provider: { graceSeconds: 30 } });
    await signIn(HOUR);
    const lost = { status: "lost", claimedAt: clock.now(), endedAt: clock.now(), retryIn: 0 };
    await write(store, (record) => ({ ...record, attempt: attempt(1, lost) }));
    await clock.advance(30_000);
    await expect(open().refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(issuer.presented).toHaveLength(0);
  });

  it("is not presented a third time, because the grace began with the first (P1)", async () => {
    const { clock, issuer, signIn } = startSession({ provider: { graceSeconds: 30 } });
    const manager = await signIn(HOUR);
    issuer.next(lose, { before: true }).next(lose, { before: true });
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    await clock.advance(20_000);
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(issuer.presented).toHaveLength(2);
  });

  it("is never presented again where the profile says so", async () => {
    const { issuer, signIn } = startSession({ provider: { afterLoss: "sign-in" } });
    const manager = await signIn(0);
    issuer.next(lose, { before: true });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "answer_lost" });
    expect(issuer.presented).toHaveLength(1);
  });

  it("is no loss where refresh tokens are reusable", async () => {
    const { clock, issuer, signIn } = startSession({ provider: { rotation: false, afterLoss: "sign-in" } });
    const manager = await signIn(HOUR);
    issuer.next(lose, { before: true });
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    await clock.advance(1_000);
    expect(await manager.refresh()).toMatchObject({ accessToken: canary("access", 2) });
  });

  it("belongs to whoever sees that the owner is gone", async () => {
    const { clock, issuer, open, signIn, store } = startSession();
    const gone: string[] = [];
    Object.assign(store, { holder: { id: "us", isGone: async (id: string) => gone.includes(id) } });
    await signIn(0);
    await write(store, (record) => ({ ...record, attempt: attempt(1, { holder: "them" }) }));
    const token = open().getAccessToken();
    await clock.advance(10_000);
    expect(issuer.presented).toHaveLength(0);
    gone.push("them");
    await clock.advance(100);
    expect(await token).toBe(canary("access", 2));
  });
});

describe("leases", () => {
  it.each([
    ["the lease − 1 s", LEASE - 1_000, 0],
    ["the lease", LEASE + 50, 1],
  ])("hold for %s after the first look, whatever the wall clocks say (I8)", async (_name, passed, exchanges) => {
    const { clock, issuer, open, signIn, store } = startSession();
    await signIn(0);
    await write(store, (record) => ({ ...record, attempt: attempt(1) }));
    clock.jump(HOUR);
    const token = open().getAccessToken();
    await clock.advance(passed);
    expect(issuer.presented).toHaveLength(exchanges);
    await clock.advance(LEASE);
    expect(await token).toBe(canary("access", 2));
  });

  it("count a look that comes late at most twice (I16)", async () => {
    const { clock, issuer, open, signIn, store } = startSession();
    await signIn(0);
    await write(store, (record) => ({ ...record, attempt: attempt(1) }));
    const token = open().getAccessToken();
    for (let sleep = 0; sleep < 100; sleep++) await clock.leap(8 * HOUR);
    expect(issuer.presented).toHaveLength(0);
    await clock.advance(2 * LEASE);
    expect(await token).toBe(canary("access", 2));
  });
});

describe("foreign programs", () => {
  it("does not present a spent token that was written back, and restores ours (I9)", async () => {
    const { clock, events, issuer, record, signIn, store } = startSession();
    delete (store as { watch?: unknown }).watch;
    const manager = await signIn(0);
    const old = await record();
    await manager.getAccessToken();
    await write(store, () => old);
    await clock.advance(60_000);
    expect(await manager.refresh()).toMatchObject({ accessToken: canary("access", 3) });
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
    expect(typesOf(events)).toContain("restored");
  });

  it("tells an unreadable store from none", async () => {
    const { open, store } = startSession();
    await store.save("not json", undefined);
    await expect(open().getAccessToken()).rejects.toMatchObject({ code: "STORE_UNREADABLE", place: store.describe() });
    await expect(open().signIn({ accessToken: canary("access", 1) })).rejects.toBeInstanceOf(StoreError);
    expect((await store.load())?.value).toBe("not json");
  });
});

describe("foreign functions", () => {
  const secret = canary("refresh", 1);

  it.each([
    ["throws an error of ours", new TokenEndpointError({ sent: true, cause: new Error(secret) })],
    ["throws something else", new Error(secret)],
  ])("may revoke badly: it %s (P8)", async (_name, failure) => {
    const revoke = () => {
      throw failure;
    };
    const error: unknown = await (await startSession().signIn()).signOut({ revoke }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "TOKEN_ENDPOINT" });
    expect(printed(error)).not.toContain("canary");
  });

  it("may load badly", async () => {
    const { open, store } = startSession();
    store.load = () => {
      throw new Error("down");
    };
    await expect(open().getAccessToken()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", place: store.describe() });
  });

  it("may save badly, and tell the record in what they throw (P8)", async () => {
    const { open, store } = startSession();
    store.save = async (value) => {
      const details = { place: "The vault", problem: `has no room for ${value}`, advice: `Drop ${value}.` };
      throw new StoreError("STORE_UNAVAILABLE", { ...details, cause: new Error(value) });
    };
    const tokens = { accessToken: canary("access", 1), refreshToken: secret };
    const error: unknown = await open()
      .signIn(tokens)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", place: "The vault" });
    expect(printed(error)).not.toContain("canary");
  });
});
