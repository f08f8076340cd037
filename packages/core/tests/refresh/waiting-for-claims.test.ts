import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { StoreConflictError } from "../../src/index.ts";
import { attempt, LEASE, withoutWatch, write } from "../support/interference.ts";
import { recordOf } from "../support/machine.ts";
import { GOAL, idle, recordLoadTimes, recordWith, startProtocol, urgent } from "../support/protocol.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

describe("a refresh that finds the claim of another process", () => {
  const claimed = recordOf({ attempt: attempt(1) });

  it("loads repeatedly and adopts the new tokens, whatever the wall clock says (P13)", async () => {
    const { clock, issuer, protocol, put, observed, store } = await startProtocol(claimed);
    const times = recordLoadTimes(store, clock);
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(100);
    expect(times).toEqual([0, 5, 15, 35, 60, 85]);
    expect(clock.keepingAlive).toBe(1);
    expect(new Set(observed.map(String))).toEqual(new Set([`${canary("access", 1)},store`]));
    await put(recordWith(2));
    await clock.advance(25);
    expect(await renewed).toBe(true);
    expect(observed.at(-1)).toEqual([canary("access", 2), "change"]);
    expect(issuer.presented).toEqual([]);
    expect(clock.keepingAlive).toBe(0);
  });

  it("waits for the new tokens if the other claim was stored first", async () => {
    const { clock, protocol, put, observed, store } = await startProtocol();
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      await put(claimed);
      return save(value, expected);
    };
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(50);
    await put(recordWith(2));
    await clock.advance(50);
    expect(await renewed).toBe(true);
    expect(observed.at(-1)).toEqual([canary("access", 2), "change"]);
  });

  it("does not take another session for new tokens, which another program has put back (P13)", async () => {
    const { clock, issuer, protocol, put } = await startProtocol({ ...claimed, session: "ours" });
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(100);
    await put({ ...recordWith(2), session: "theirs" });
    await clock.advance(25);
    expect(await renewed).toBe(true);
    expect(issuer.presented).toEqual([canary("refresh", 2)]);
  });

  it("loads at once when it is woken", async () => {
    const { clock, protocol, put, store } = await startProtocol(claimed);
    protocol.wake();
    const renewed = protocol.renew(GOAL, urgent);
    await clock.advance(36);
    const times = recordLoadTimes(store, clock);
    await put(recordWith(2));
    protocol.wake();
    expect(await renewed).toBe(true);
    expect(times[0]).toBe(0);
    expect(clock.keepingAlive).toBe(0);
  });

  it("leaves the claim alone if no caller waits", async () => {
    const { clock, protocol, observed } = await startProtocol(claimed);
    expect(await protocol.renew(GOAL, idle)).toBe(false);
    expect(observed).toEqual([[canary("access", 1), "store"]]);
    expect(clock.keepingAlive).toBe(0);
  });
});

describe("a caller that waits for the claim of another process", () => {
  /** A caller waits for an exchange of another process, which then stores its new tokens. */
  async function waitForOtherProcess({ watches }: { readonly watches: boolean }) {
    const { clock, open, signIn, store } = startSession();
    if (!watches) withoutWatch(store);
    await signIn(0);
    await write(store, (record) => ({ ...record, attempt: attempt(1) }));
    let token: string | undefined;
    void open()
      .getAccessToken()
      .then((given) => {
        token = given;
      });
    await clock.advance(1_000);
    const tokens = {
      accessToken: canary("access", 7),
      refreshToken: canary("refresh", 7),
      tokenType: "Bearer",
      extra: {},
    };
    await write(store, (record) => ({ ...record, attempt: undefined, renewed: true, tokens }));
    await settle();
    return { clock, token: () => token };
  }

  it("gets the new token at once if the store notifies of changes", async () => {
    const { token } = await waitForOtherProcess({ watches: true });
    expect(token()).toBe(canary("access", 7));
  });

  it("gets the new token within 25 ms if the store does not notify of changes", async () => {
    const { clock, token } = await waitForOtherProcess({ watches: false });
    expect(token()).toBeUndefined();
    await clock.advance(25);
    expect(token()).toBe(canary("access", 7));
  });

  it("does not poll the claim in a loop if it has no refresh function", async () => {
    const { clock, open, signIn, store } = startSession();
    withoutWatch(store);
    await signIn(HOUR);
    await write(store, (record) => ({ ...record, attempt: attempt(1) }));
    const reader = open({ refresh: undefined });
    await reader.getAccessToken();
    await settle();
    await write(store, (record) => ({
      ...record,
      attempt: attempt(1, { status: "failed", endedAt: clock.now(), retryIn: 0 }),
    }));
    await clock.advance(1_000);
    let loads = 0;
    const { load } = store;
    store.load = () => (++loads > 1000 ? new Promise(() => {}) : load());
    expect(await reader.getAccessToken()).toBe(canary("access", 1));
    for (let turn = 0; turn < 300; turn++) await settle();
    expect(loads).toBeLessThan(10);
  });
});

describe("a claim whose save was refused", () => {
  it("yields before it retries if the store refuses every claim and shows no other (P15)", async () => {
    const { open, signIn, store } = startSession();
    withoutWatch(store);
    await signIn(0);
    let refusals = 0;
    store.save = async () => {
      refusals++;
      if (refusals > 1_000) return new Promise(() => {}); // ends the test if nothing else does
      throw new StoreConflictError("The store");
    };
    void open().getAccessToken();
    for (let turn = 0; turn < 50; turn++) await settle();
    expect(refusals).toBe(1);
  });

  it.each([
    ["timed out, and was applied later", "later"],
    ["conflict with its own write", "conflict"],
  ])("is not waited for as if it were of another process: %s (I12)", async (_name, how) => {
    const { clock, issuer, open, signIn, store } = startSession({ provider: { afterLoss: "sign-in" } });
    withoutWatch(store);
    await signIn(0);
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      if (how === "later") {
        clock.setTimer(() => void save(value, expected), 10, false);
        throw new Error("timed out");
      }
      await save(value, expected);
      throw new StoreConflictError("x");
    };
    const manager = open();
    let result: unknown;
    manager
      .getAccessToken()
      .catch(() => clock.advance(0).then(() => 0))
      .then(
        () => 0,
        () => 0,
      );
    await clock.advance(20);
    manager.getAccessToken().then(
      (token) => (result = token),
      (error: unknown) => (result = error),
    );
    await clock.advance(100);
    expect.soft(result, "within 100 ms").toBe(canary("access", 2));
    await clock.advance(3 * LEASE);
    expect(result).toBe(canary("access", 2));
    expect(issuer.presented).toHaveLength(1);
  });
});
