import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { gate } from "../support/interference.ts";
import { startSession } from "../support/session.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("close (P12)", () => {
  it("waits for an exchange in flight, and rejects later calls", async () => {
    const { clock, issuer, record, signIn } = startSession();
    const manager = await signIn();
    await clock.advance(HOUR - MINUTE);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    await manager.getAccessToken();
    await settle();
    expect(clock.keepingAlive).toBe(1);
    let isClosed = false;
    const closing = manager.close().then(() => (isClosed = true));
    await settle();
    expect(isClosed).toBe(false);
    respond();
    await closing;
    expect((await record()).tokens?.accessToken).toBe(canary("access", 2));
    expect(clock.keepingAlive).toBe(0);
    await expect(manager.getAccessToken()).rejects.toThrow(TypeError);
  });

  it("waits for the commit of a response that came after the deadline (P2)", async () => {
    const { clock, issuer, record, signIn, store } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken().catch((error: unknown) => error);
    await clock.advance(31_000);
    await token;
    const { save } = store;
    const { promise: saved, open: finish } = gate<void>();
    store.save = (value, expected) => saved.then(() => save(value, expected));
    respond();
    await settle();
    const closing = manager.close();
    finish();
    await closing;
    expect((await record()).tokens?.refreshToken).toBe(canary("refresh", 2));
  });

  it("saves what is left to save even if the store cannot stop watching (P2)", async () => {
    const { clock, issuer, open, record, store } = startSession();
    store.watch = () => () => {
      throw new Error("socket closed");
    };
    const manager = open();
    await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() });
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken();
    await settle();
    const closing = manager.close();
    respond();
    await closing;
    expect(await token).toBe((await record()).tokens?.accessToken);
  });

  it("keeps no timer alive while idle", async () => {
    const { clock, signIn } = startSession();
    const manager = await signIn();
    await manager.getAccessToken();
    expect(clock.keepingAlive).toBe(0);
    await manager[Symbol.asyncDispose]();
    expect(manager.state?.status).toBe("valid");
  });

  it("lets a waiting caller get its token (P12)", async () => {
    const { issuer, signIn } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken();
    token.catch(() => {});
    await settle();
    const closing = manager.close();
    respond();
    await closing;
    expect(await token).toBe(canary("access", 2));
  });
});
