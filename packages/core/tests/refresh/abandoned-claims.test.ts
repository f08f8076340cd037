import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { attempt, gate, LEASE, write } from "../support/interference.ts";
import { recordOf, SECOND } from "../support/machine.ts";
import { digest, GOAL, idle, startProtocol, urgent } from "../support/protocol.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

describe("a claim of another process", () => {
  it("is taken over by the process that sees that its holder has ended", async () => {
    const { clock, issuer, open, signIn, store } = startSession();
    const gone: string[] = [];
    Object.assign(store, {
      holder: { id: "us", statusOf: async (id: string) => (gone.includes(id) ? "gone" : "alive") },
    });
    await signIn(0);
    const claimedAt = clock.now();
    await write(store, (record) => ({ ...record, attempt: attempt(1, { holder: "them", claimedAt }) }));
    const token = open().getAccessToken();
    await clock.advance(10_000);
    expect(issuer.presented).toHaveLength(0);
    gone.push("them");
    await clock.advance(100);
    expect(await token).toBe(canary("access", 2));
  });

  it("is left to its holder if statusOf throws", async () => {
    const { open, signIn, store, clock } = startSession();
    Object.assign(store, {
      holder: {
        id: "us",
        statusOf: () => {
          throw new Error("sync");
        },
      },
    });
    await signIn(0);
    await write(store, (record) => ({ ...record, attempt: attempt(1, { holder: "them" }) }));
    let result: unknown;
    open()
      .getAccessToken()
      .then(
        (token) => (result = token),
        (error: unknown) => (result = error),
      );
    await clock.advance(1_000);
    expect(result).toBeUndefined();
  });

  it("leaves the session valid once it is known to be abandoned", async () => {
    const { clock, signIn, store, open } = startSession();
    Object.assign(store, { holder: { id: "us", statusOf: async () => "gone" } });
    await signIn(HOUR);
    await write(store, (record) => ({ ...record, attempt: attempt(1, { holder: "them" }) }));
    const manager = open();
    let loads = 0;
    const { load } = store;
    store.load = () => {
      loads++;
      return load();
    };
    for (let i = 0; i < 100; i++) {
      await manager.getAccessToken();
      await clock.advance(1_000);
    }
    expect.soft(manager.state?.status).toBe("valid");
    expect(loads).toBeLessThan(20);
  });

  it("counts as a lost response once it is abandoned", async () => {
    const theirs = attempt(1, { lease: SECOND, failures: 2 });
    const { clock, protocol, stored, announced } = await startProtocol(recordOf({ attempt: theirs }), {
      profile: { afterLoss: "sign-in" },
    });
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(2 * SECOND);
    expect(await renewed).toBe(true);
    expect((await stored())?.dead).toEqual({ reason: "response_lost", digest: digest(1) });
    expect(announced).toEqual([]);
  });
});

describe("the lease of a claim", () => {
  it.each([
    ["the lease − 1 s", LEASE - 1_000, 0],
    ["the lease", LEASE + 50, 1],
  ])("holds for %s after it was first seen, whatever the wall clocks say (I8)", async (_name, passed, exchanges) => {
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

  it("counts a late load as two intervals at most (I16)", async () => {
    const { clock, issuer, open, signIn, store } = startSession();
    await signIn(0);
    await write(store, (record) => ({ ...record, attempt: attempt(1) }));
    const token = open().getAccessToken();
    for (let sleep = 0; sleep < 100; sleep++) await clock.leap(8 * HOUR);
    expect(issuer.presented).toHaveLength(0);
    await clock.advance(2 * LEASE);
    expect(await token).toBe(canary("access", 2));
  });

  it("is counted across loads for which no caller waits", async () => {
    const { clock, issuer, protocol } = await startProtocol(recordOf({ attempt: attempt(1, { lease: SECOND }) }));
    for (let load = 0; load < 10; load++) {
      expect(await protocol.renew(GOAL, idle)).toBe(false);
      await clock.advance(100);
    }
    expect(await protocol.renew(GOAL, idle)).toBe(true);
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it("does not delay a caller at expiry if the claim was first seen long before", async () => {
    const { clock, signIn, store, open } = startSession();
    await signIn(HOUR);
    await write(store, (record) => ({ ...record, attempt: attempt(1) }));
    const manager = open();
    for (let second = 0; second < 3600; second++) {
      await manager.getAccessToken().catch(() => {});
      await clock.advance(1_000);
      if (second === 3597) break;
    }
    await clock.advance(3_000);
    const askedAt = clock.monotonic();
    let gotAt = 0;
    void manager.getAccessToken().then(() => (gotAt = clock.monotonic()));
    await clock.advance(LEASE + 1000);
    expect(gotAt - askedAt).toBeLessThan(2_000);
  }, 60_000);
});

describe("two processes that draw the same IDs (I26)", () => {
  it("make one exchange, even in the same millisecond and without a holder (P1)", async () => {
    const { clock, issuer, open, signIn } = startSession();
    await signIn(0);
    Object.assign(clock, { randomId: () => "the same" });
    const response = gate<void>();
    issuer.next((rotated) => response.promise.then(() => rotated));
    const managers = [open(), open()];
    await Promise.all(managers.map((manager) => manager.hasSession()));
    const both = managers.map((manager) => manager.getAccessToken());
    await clock.advance(5_000);
    response.open();
    await clock.advance(100);
    expect(await Promise.all(both)).toEqual([canary("access", 2), canary("access", 2)]);
    expect(issuer.presented).toEqual([canary("refresh", 1)]);
  });
});

describe("the lease of a claim, over a slow store", () => {
  it.each([500, 3_000])("ends not much later: %d ms per load", async (slowness) => {
    const { clock, issuer, open, signIn, store } = startSession();
    await signIn(0);
    await write(store, (record) => ({ ...record, attempt: attempt(1, { claimedAt: clock.now() }) }));
    const { load } = store;
    store.load = () => new Promise((resolve) => clock.setTimer(() => void load().then(resolve), slowness, true));
    const began = clock.monotonic();
    const token = open().getAccessToken();
    while (issuer.presented.length === 0) await clock.advance(1_000);
    expect(clock.monotonic() - began).toBeLessThan(LEASE + 5 * slowness + 5_000);
    await clock.advance(10_000);
    expect(await token).toBe(canary("access", 2));
  });
});
