import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import type { SessionRecord } from "../../src/record/record.ts";
import { deadlineOf } from "../../src/refresh/exchange.ts";
import { gate } from "../support/interference.ts";
import { HOUR, NOW, recordOf } from "../support/machine.ts";
import { digest, GOAL, recordWith, startProtocol, urgent } from "../support/protocol.ts";
import { startSession } from "../support/session.ts";

describe("a refresh that finds nothing to exchange", () => {
  it("adopts usable tokens of another process", async () => {
    const { issuer, known, protocol, observed } = await startProtocol(recordWith(2));
    known.isUsable = true;
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(observed).toEqual([[canary("access", 2), "store"]]);
    expect(issuer.presented).toEqual([]);
  });

  it.each<[string, SessionRecord, object]>([
    ["nothing is due", recordOf(), { isDue: false }],
    ["the session is another account's", recordOf({ account: "bob" }), {}],
    ["the session is over", recordOf({ tokens: undefined, dead: { reason: "revoked" } }), {}],
  ])("makes no exchange if %s", async (_name, first, more) => {
    const { issuer, known, protocol } = await startProtocol(first, { account: "ada" });
    Object.assign(known, more);
    expect(await protocol.renew({ ...GOAL, reason: "clock" }, urgent)).toBe(true);
    expect(issuer.presented).toEqual([]);
  });

  it("ends the session if its refresh token is spent (P1)", async () => {
    const { issuer, protocol, observed } = await startProtocol(recordOf({ spent: [digest(1)] }));
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(observed).toEqual([["refresh_token_reused", "store"]]);
    expect(issuer.presented).toEqual([]);
  });

  it("makes no exchange if nothing is stored", async () => {
    const { protocol, observed, store } = await startProtocol();
    await store.remove();
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(observed).toEqual([[undefined, "store"]]);
  });
});

describe("an exchange", () => {
  it("is announced when it starts and ends, and replaces the stored tokens", async () => {
    const { clock, issuer, protocol, observed, stored, announced } = await startProtocol(
      recordOf({ account: "ada", spent: ["x"] }),
    );
    await clock.leap(HOUR);
    clock.jump(-HOUR);
    const { promise, open } = gate<void>();
    issuer.next((rotated) => promise.then(() => rotated));
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(700);
    const attemptId = (await stored())?.attempt?.id;
    open();
    expect(await renewed).toBe(true);
    const expiresAt = NOW + HOUR;
    expect(announced).toEqual([
      { type: "exchange-started", attemptId, afterLoss: false },
      { type: "refreshed", attemptId, expiresAt, duration: 700 },
    ]);
    expect(await stored()).toMatchObject({
      account: "ada",
      tokens: { accessToken: canary("access", 2), refreshToken: canary("refresh", 2), expiresAt },
      obtainedAt: NOW,
      renewed: true,
      spent: ["x", digest(1)],
    });
    expect((await stored())?.attempt).toBeUndefined();
    expect(observed.at(-1)).toEqual([canary("access", 2), "exchange"]);
  });

  it("announces no refresh if its tokens are dropped", async () => {
    const { issuer, protocol, put, announced } = await startProtocol();
    issuer.next((rotated) => put(recordWith(7)).then(() => rotated));
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(announced.map((event) => event.type)).toEqual(["exchange-started", "rotation-dropped"]);
  });

  it.each([
    ["a malformed scope", { access_token: "new", scope: [{ toString: 1 }] }],
    [
      "an object whose getter throws",
      Object.defineProperty({}, "access_token", {
        enumerable: true,
        get() {
          throw new Error("getter");
        },
      }),
    ],
  ])("settles its callers if the refresh function returns %s", async (_name, garbage) => {
    const { clock, open, signIn } = startSession();
    await signIn(0);
    const manager = open({ refresh: async () => garbage as never });
    let isSettled = false;
    manager.getAccessToken().then(
      () => (isSettled = true),
      () => (isSettled = true),
    );
    await clock.advance(10 * 60_000);
    expect(isSettled).toBe(true);
  });
});

it.each([
  [undefined, 30_000],
  [5_000, 5_000],
  [1e18, 20 * 60_000],
])("has a deadline of 30 seconds by default, and of 20 minutes at most: %o", (timeout, expected) => {
  const refresh = Object.assign(async () => ({ access_token: "" }), { timeout });
  expect(deadlineOf(refresh)).toBe(expected);
});
