import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { disk, gate } from "../support/interference.ts";
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

  it("is kept while the store cannot be read (P2)", async () => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    const { promise, open: answer } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const token = manager.getAccessToken().catch((error: unknown) => error);
    await clock.advance(30_000);
    await token;
    const { load } = store;
    store.load = async () => Promise.reject(disk);
    answer();
    await settle();
    store.load = load;
    await clock.advance(5_000);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });

  it("does not replace a newer access token of a reusable refresh token", async () => {
    const { clock, issuer, record, signIn } = startSession({ provider: { rotation: false } });
    const manager = await signIn(0);
    const { promise, open: answer } = gate<void>();
    issuer.next(() => promise.then(() => ({ access_token: "older", expires_in: 60 })), { before: true });
    await Promise.all([manager.getAccessToken().catch(() => {}), clock.advance(30_000)]);
    await clock.advance(2_000);
    issuer.next(() => ({ access_token: "newer", expires_in: 60 }), { before: true });
    expect(await manager.getAccessToken()).toBe("newer");
    answer();
    await settle();
    expect((await record()).tokens?.accessToken).toBe("newer");
  });
});
