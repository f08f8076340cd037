import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import type { RefreshContext, TokenResponse, TokenSet } from "../../src/index.ts";
import { disk, gate, write } from "../support/interference.ts";
import { NOW, SECOND } from "../support/machine.ts";
import { digest, GOAL, startProtocol, urgent } from "../support/protocol.ts";
import { startSession } from "../support/session.ts";

describe("a response that arrives after the deadline", () => {
  it.each<[string, boolean]>([
    ["a rotation is stored", true],
    ["a failure changes nothing", false],
  ])("is handled: %s", async (_name, isRotation) => {
    const { clock, issuer, protocol, stored } = await startProtocol();
    const { promise, open } = gate<void>();
    issuer.next((rotated) => promise.then(() => (isRotation ? rotated : Promise.reject(new Error("reset")))));
    const renewed = protocol.renew(GOAL, urgent).catch((error: unknown) => error);
    await clock.advance(30 * SECOND);
    expect(await renewed).toMatchObject({ code: "REFRESH_FAILED" });
    open();
    await settle();
    expect((await stored())?.tokens?.accessToken).toBe(canary("access", isRotation ? 2 : 1));
    if (isRotation) expect(await stored()).toMatchObject({ obtainedAt: NOW, renewed: true, spent: [digest(1)] });
  });

  it("keeps its refresh token if it has no access token", async () => {
    const { clock, issuer, record, signIn } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => ({ refresh_token: rotated.refresh_token }) as never));
    await Promise.all([manager.getAccessToken().catch(() => {}), clock.advance(30_000)]);
    respond();
    await settle();
    expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 2));
    await clock.advance(5_000);
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
    expect(issuer.presented).toEqual([canary("refresh", 1), canary("refresh", 2)]);
  });

  it("ends the session if its tokens are another account's", async () => {
    const { clock, issuer, record, open } = startSession();
    const of = (sub: string) => `e30.${btoa(JSON.stringify({ iss: "https://a.example", sub }))}.x`;
    const manager = open();
    await manager.signIn({ ...issuer.tokens(), idToken: of("ada"), expiresAt: clock.now() });
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => ({ ...rotated, id_token: of("mallory") })));
    await Promise.all([manager.getAccessToken().catch(() => {}), clock.advance(30_000)]);
    respond();
    await settle();
    expect((await record()).dead?.reason).toBe("account_changed");
    await expect(manager.getAccessToken()).rejects.toMatchObject({
      reason: "account_changed",
      message: expect.stringContaining("returned tokens of another account"),
    });
  });

  it("is not taken for a new token if it is stored while the next exchange is claimed (P13)", async () => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    issuer.lifetime = 20;
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const { save } = store;
    const before: Record<number, () => Promise<void>> = {
      2: () => write({ ...store, save }, ({ attempt: _, ...record }) => record), // another process ends the attempt
      3: () => Promise.resolve(respond()).then(() => settle()), // just before the next claim
    };
    let saves = 0;
    store.save = async (value, expected) => {
      const number = ++saves;
      await before[number]?.();
      const version = await save(value, expected);
      return number === 5 ? new Promise(() => {}) : version; // the commit does not learn that it took effect
    };
    const token = manager.getAccessToken();
    await clock.advance(30_000);
    await clock.advance(1_000);
    expect(await token).toBe(canary("access", 3));
  });

  it("is kept while the store cannot be read (P2)", async () => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken().catch((error: unknown) => error);
    await clock.advance(30_000);
    await token;
    const { load } = store;
    store.load = async () => Promise.reject(disk);
    respond();
    await settle();
    store.load = load;
    await clock.advance(5_000);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("does not replace a newer access token of a reusable refresh token", async () => {
    const { clock, issuer, record, signIn } = startSession({ provider: { rotation: false } });
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next(() => promise.then(() => ({ access_token: "older", expires_in: 60 })), { before: true });
    await Promise.all([manager.getAccessToken().catch(() => {}), clock.advance(30_000)]);
    await clock.advance(2_000);
    issuer.next(() => ({ access_token: "newer", expires_in: 60 }), { before: true });
    expect(await manager.getAccessToken()).toBe("newer");
    respond();
    await settle();
    expect((await record()).tokens?.accessToken).toBe("newer");
  });
});

describe("a deadline that is noticed late (I19)", () => {
  const start = async () => {
    const session = startSession();
    const manager = await session.signIn(0);
    const { promise, open: respond } = gate<void>();
    let isAborted = false;
    const rotated = session.issuer.refresh;
    const refresh = (current: TokenSet, context: RefreshContext) =>
      new Promise<TokenResponse>((resolve, reject) => {
        context.signal.addEventListener("abort", () => {
          isAborted = true;
          reject(new Error("aborted"));
        });
        void promise.then(async () => resolve(await rotated(current, context)));
      });
    await manager.close();
    const token = session
      .open({ refresh })
      .getAccessToken()
      .catch((error: unknown) => error);
    await settle();
    return { ...session, token, respond, isAborted: () => isAborted };
  };

  it("leaves a second to read a response that has arrived in the meantime", async () => {
    const { clock, token, respond, isAborted } = await start();
    await clock.leap(34 * SECOND);
    expect(isAborted()).toBe(false);
    respond();
    await clock.advance(1);
    expect(await token).toBe(canary("access", 2));
    expect(clock.keepingAlive).toBe(0);
  });

  it("leaves another second if the next tick is late, too, and then aborts the request", async () => {
    const { clock, token, isAborted } = await start();
    await clock.leap(34 * SECOND);
    await clock.leap(5 * SECOND);
    expect(isAborted()).toBe(false);
    await clock.advance(SECOND);
    expect(isAborted()).toBe(true);
    expect(await token).toMatchObject({ code: "REFRESH_FAILED" });
  });

  it("leaves time to read a response that arrived during a pause that ended shortly after the deadline", async () => {
    const { clock, token, respond, isAborted } = await start();
    await clock.leap(30 * SECOND + 50);
    expect(isAborted()).toBe(false);
    respond();
    await clock.advance(1);
    expect(await token).toBe(canary("access", 2));
  });

  it("aborts the request if the tick is punctual", async () => {
    const { clock, isAborted } = await start();
    await clock.advance(30 * SECOND);
    expect(isAborted()).toBe(true);
  });
});
