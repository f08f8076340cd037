import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { write } from "../support/interference.ts";
import { startSession } from "../support/session.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A session whose manager has just refreshed it: the new token expires in an hour. */
async function startRefreshed() {
  const session = startSession();
  const manager = await session.signIn(0);
  expect(await manager.getAccessToken()).toBe(canary("access", 2));
  return { ...session, manager };
}

describe("an access token (P13, I22)", () => {
  it("is refreshed after a sleep during which only the wall clock went on", async () => {
    const { clock, issuer, manager } = await startRefreshed();
    clock.jump(2 * HOUR);
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
    expect(issuer.presented).toHaveLength(2);
  });

  it("is replaced after such a sleep if a server rejects it, though the process has just obtained it", async () => {
    const { clock, manager } = await startRefreshed();
    clock.jump(2 * HOUR);
    expect(await manager.replaceRejected(canary("access", 2))).toBe(canary("access", 3));
  });

  it("is refreshed if its response arrived only after such a sleep", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn(0);
    issuer.next((rotated) => {
      clock.jump(2 * HOUR);
      return rotated;
    });
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
  });

  it("is not returned after its lifetime, even if the clock was set back after the refresh", async () => {
    const { clock, manager } = await startRefreshed();
    clock.jump(-6 * HOUR);
    await clock.advance(54 * MINUTE);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    await clock.advance(6 * MINUTE);
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
  });

  it("is no new one if it is put back after it was gone", async () => {
    const { clock, manager, record, store } = await startRefreshed();
    clock.jump(-6 * HOUR);
    await clock.advance(HOUR);
    const known = await record();
    await write(store, () => ({ ...known, tokens: undefined }));
    expect(await manager.hasSession()).toBe(false);
    await write(store, () => known);
    expect(await manager.hasSession()).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", 3));
  });

  it("is no new one if only the refresh token is", async () => {
    const { clock, manager, record, store } = await startRefreshed();
    clock.jump(-6 * HOUR);
    await clock.advance(2 * HOUR);
    const { tokens, ...known } = await record();
    const refreshToken = canary("refresh", 99);
    await write(store, () => ({ ...known, rotation: 99, tokens: tokens && { ...tokens, refreshToken } }));
    expect(manager.state).toMatchObject({ status: "near-expiry", usable: false });
  });

  it("is judged by its date if a process that slept finds it", async () => {
    const { clock, open, manager, issuer } = await startRefreshed();
    const sleeper = open();
    await sleeper.getAccessToken();
    clock.jump(HOUR);
    await manager.getAccessToken(); // refreshes
    clock.jump(2 * HOUR); // the sleeper looks only now
    expect(await sleeper.getAccessToken()).toBe(canary("access", 4));
    expect(issuer.presented).toHaveLength(3);
  });

  it("costs one refresh if it was obtained while the clock was wrong", async () => {
    const { clock, issuer, manager } = await startRefreshed();
    for (const jump of [-5 * HOUR, 5 * HOUR]) {
      const before = issuer.presented.length;
      clock.jump(jump);
      for (let minute = 0; minute < 30; minute++) {
        await manager.getAccessToken();
        await clock.advance(MINUTE);
      }
      expect(issuer.presented.length - before).toBeLessThanOrEqual(1);
    }
  });
});
