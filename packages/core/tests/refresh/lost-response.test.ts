import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { TokenEndpointError } from "../../src/index.ts";
import type { SessionRecord } from "../../src/record/record.ts";
import { attempt, write } from "../support/interference.ts";
import { recordOf } from "../support/machine.ts";
import { digest, GOAL, startProtocol, urgent } from "../support/protocol.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

const lose = () => new Error("ECONNRESET");

describe("a lost response", () => {
  it("is not followed by a retry at once (I4), and is followed by one after the wait (P1)", async () => {
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

  it("ends the session as response_lost if the server had rotated (I3)", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn(0);
    issuer.next(lose);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    await clock.advance(1_000);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "response_lost" });
  });

  it("is not followed by a retry while the access token is usable, without a grace period", async () => {
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

  it("is not treated as lost if refresh tokens are reusable", async () => {
    const { clock, issuer, signIn } = startSession({ provider: { rotation: false, afterLoss: "sign-in" } });
    const manager = await signIn(HOUR);
    issuer.next(lose, { before: true });
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    await clock.advance(1_000);
    expect(await manager.refresh()).toMatchObject({ accessToken: canary("access", 2) });
  });

  it("ends the session without a retry if the profile asks for a sign-in after a loss", async () => {
    const { issuer, signIn } = startSession({ provider: { afterLoss: "sign-in" } });
    const manager = await signIn(0);
    issuer.next(lose, { before: true });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "response_lost" });
    expect(issuer.presented).toHaveLength(1);
  });

  it("then says what the server responded, here and in other processes", async () => {
    const { issuer, open, signIn } = startSession({ provider: { afterLoss: "sign-in" } });
    const manager = await signIn(0);
    const said = { status: 500, error: "server_error", description: "busy" };
    issuer.next(() => new TokenEndpointError({ sent: true, ...said }), { before: true });
    for (const each of [manager, open()])
      await expect(each.getAccessToken()).rejects.toMatchObject({ reason: "response_lost", cause: said });
    expect(issuer.presented).toHaveLength(1);
  });

  it("is remembered through a failure that follows it (P1)", async () => {
    const { clock, issuer, signIn } = startSession({ provider: { graceSeconds: 30 } });
    const manager = await signIn(HOUR);
    issuer.next(() => new Error("ECONNRESET"), { before: true });
    issuer.next(() => new TokenEndpointError({ sent: false }), { before: true });
    await manager.refresh().catch(() => {});
    expect(issuer.presented).toHaveLength(2);
    await clock.advance(60_000);
    await manager.refresh().catch(() => {});
    expect(issuer.presented).toHaveLength(2);
  });

  it("is announced with the next exchange, and decides the reason if that one ends the session", async () => {
    const { failNext, protocol, stored, announced } = await startProtocol(
      recordOf({ attempt: attempt(1, { status: "lost" }) }),
    );
    failNext({ error: "invalid_grant", status: 400, sent: true });
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(announced).toEqual([{ type: "exchange-started", attemptId: expect.any(String), afterLoss: true }]);
    expect((await stored())?.dead).toEqual({
      reason: "response_lost",
      digest: digest(1),
      response: { status: 400, error: "invalid_grant" },
    });
  });
});

describe("a lost response within a provider's grace period", () => {
  it("is followed by a retry at once", async () => {
    const { issuer, signIn } = startSession({ provider: { graceSeconds: 30 } });
    const manager = await signIn(HOUR);
    issuer.next(lose, { before: true });
    await manager.refresh();
    expect(issuer.presented).toHaveLength(2);
  });

  it("is not followed by a retry after the period, while the access token is usable", async () => {
    const { clock, issuer, open, signIn, store } = startSession({ provider: { graceSeconds: 30 } });
    await signIn(HOUR);
    const lost = { status: "lost", claimedAt: clock.now(), endedAt: clock.now(), retryIn: 0 };
    await write(store, (record) => ({ ...record, attempt: attempt(1, lost) }));
    await clock.advance(30_000);
    await expect(open().refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(issuer.presented).toHaveLength(0);
  });

  it("is followed by one retry only, because the period began with the first exchange (P1)", async () => {
    const { clock, issuer, signIn } = startSession({ provider: { graceSeconds: 30 } });
    const manager = await signIn(HOUR);
    issuer.next(lose, { before: true }).next(lose, { before: true });
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    await clock.advance(20_000);
    await expect(manager.refresh()).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(issuer.presented).toHaveLength(2);
  });

  it.each<[string, { readonly graceSeconds: number; readonly first?: SessionRecord; readonly times: number }]>([
    ["a retry at once", { graceSeconds: 30, times: 2 }],
    ["no second retry", { graceSeconds: 30, first: recordOf({ attempt: attempt(1, { status: "lost" }) }), times: 1 }],
    ["no retry at once without a grace period", { graceSeconds: 0, times: 1 }],
  ])("is followed by %s", async (_name, { graceSeconds, first, times }) => {
    const { failNext, issuer, protocol } = await startProtocol(first, { profile: { graceSeconds } });
    for (let time = 0; time < 3; time++) failNext({ sent: true });
    await expect(protocol.renew(GOAL, urgent)).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(issuer.presented).toHaveLength(times);
  });

  it("differs from a failure, which is not followed by a retry at once", async () => {
    const { failNext, issuer, protocol } = await startProtocol(recordOf(), { profile: { graceSeconds: 30 } });
    failNext({ status: 503, retryAfter: 0, sent: true });
    await expect(protocol.renew(GOAL, urgent)).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(issuer.presented).toHaveLength(1);
  });
});
