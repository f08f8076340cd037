import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import type { TokenManagerOptions } from "../../src/index.ts";
import { attempt, LEASE, write } from "../support/interference.ts";
import { MINUTE, SECOND } from "../support/machine.ts";
import { startSession } from "../support/session.ts";

const HOLD = 10 * MINUTE;

/** A session that has expired, or has `left` milliseconds to live, claimed by another process of this machine. */
async function startHeld(options: TokenManagerOptions = {}, left = 0) {
  const session = startSession(options);
  const { clock, open, signIn, store } = session;
  await signIn(left);
  const status = { of: "alive" };
  const describe = async (id: string) => `process ${id} (stopped)`;
  Object.assign(store, { holder: { id: "us", statusOf: async () => status.of, describe } });
  const claim = async (more: object = {}) =>
    write(store, (record) => ({ ...record, attempt: attempt(1, { holder: "4711", claimedAt: clock.now(), ...more }) }));
  await claim();
  const outcome = (manager = open()) =>
    manager.getAccessToken().catch(({ code, reason, message, retryAt }) => ({ code, reason, message, retryAt }));
  return { ...session, claim, outcome, status };
}

describe("a claim whose holder is alive but late (I23)", () => {
  it("keeps others waiting for its lease, and then rejects them with the name of the process", async () => {
    const { clock, issuer, outcome } = await startHeld();
    const waiting = outcome();
    await clock.advance(LEASE - SECOND);
    expect(issuer.presented).toEqual([]);
    const retryAt = clock.now() - (LEASE - SECOND) + HOLD;
    await clock.advance(SECOND + 100);
    expect(await waiting).toEqual({
      code: "REFRESH_FAILED",
      reason: "claimed",
      message: `The access token could not be refreshed: process 4711 (stopped) has claimed the refresh and not finished it. Let it continue, or end it. Try again after ${new Date(retryAt).toISOString()}.`,
      retryAt,
    });
    expect(issuer.presented).toEqual([]);
  });

  it("rejects later callers, and other processes, at once", async () => {
    const { clock, open, outcome } = await startHeld();
    const manager = open();
    await Promise.all([outcome(manager), clock.advance(LEASE + SECOND)]);
    for (const each of [manager, open()]) expect(await outcome(each)).toMatchObject({ reason: "claimed" });
  });

  it("ends ten minutes after the claim: then the response is lost", async () => {
    const { clock, issuer, open, outcome, record } = await startHeld();
    const manager = open();
    await Promise.all([outcome(manager), clock.advance(HOLD - SECOND)]);
    expect(await outcome(manager)).toMatchObject({ reason: "claimed" });
    expect(issuer.presented).toEqual([]);
    await clock.advance(2 * SECOND);
    expect(await outcome(manager)).toBe(canary("access", 2));
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
    expect((await record()).attempt).toBeUndefined();
  });

  it("is observed for its lease by a process that starts after ten minutes and calls rarely", async () => {
    const { clock, issuer, open, outcome } = await startHeld();
    await clock.leap(2 * HOLD);
    const manager = open();
    expect(await outcome(manager)).toMatchObject({ reason: "claimed" });
    await clock.advance(LEASE - SECOND);
    expect(await outcome(manager)).toMatchObject({ reason: "claimed" });
    expect(issuer.presented).toEqual([]);
    await clock.advance(2 * SECOND);
    expect(await outcome(manager)).toBe(canary("access", 2));
  });

  it("ends at once if the holder ends", async () => {
    const { clock, open, outcome, status } = await startHeld();
    const manager = open();
    await Promise.all([outcome(manager), clock.advance(LEASE + SECOND)]);
    status.of = "gone";
    await clock.advance(100);
    expect(await outcome(manager)).toBe(canary("access", 2));
  });

  it("ends with its lease if the store cannot see the holder, as on a system without start times", async () => {
    const { clock, outcome, status } = await startHeld();
    status.of = "unknown";
    const waiting = outcome();
    await clock.advance(LEASE + 100);
    expect(await waiting).toBe(canary("access", 2));
  });

  it("ends with its lease if it is in our own name and this manager does not run it", async () => {
    const { claim, clock, outcome } = await startHeld();
    await claim({ holder: "us" });
    const waiting = outcome();
    await clock.advance(LEASE + 100);
    expect(await waiting).toBe(canary("access", 2));
  });

  it("ends with its lease if the refresh token is reusable", async () => {
    const { clock, issuer, outcome } = await startHeld({ provider: { rotation: false } });
    const waiting = outcome();
    await clock.advance(LEASE - SECOND);
    expect(issuer.presented).toEqual([]);
    await clock.advance(SECOND + 100);
    expect(await waiting).toBe(canary("access", 2));
  });

  it("does not keep a usable access token from callers, and wakes no process", async () => {
    const { clock, events, issuer, outcome } = await startHeld({}, 20 * MINUTE);
    await clock.leap(18 * MINUTE);
    expect(await outcome()).toBe(canary("access", 1));
    await settle();
    expect(clock.keepingAlive).toBe(0);
    expect(events.filter(({ type }) => type === "refresh-failed")).toEqual([]);
    expect(issuer.presented).toEqual([]);
  });

  it("returns the expired access token with staleIfError", async () => {
    const { clock, open, outcome } = await startHeld({ staleIfError: true });
    const manager = open();
    const waiting = outcome(manager);
    await clock.advance(LEASE + 100);
    expect(await waiting).toBe(canary("access", 1));
  });
});
