import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { memoryStore, SignInFailedError, type SignInFlow } from "../../src/index.ts";
import { withTokenOrigin } from "../../src/tokens/token-origin.ts";
import { withoutWatch } from "../support/interference.ts";
import { account, startSession, tokensOf } from "../support/session.ts";

import { HOUR, LEASE, own, prompt, startProcesses } from "../support/sign-in.ts";

describe("signInWith", () => {
  it("runs the flow, and starts the session", async () => {
    const { clock, open, record } = startProcesses();
    const manager = open("a");
    expect(await manager.signInWith(async () => tokensOf("ada", clock.now() + HOUR))).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", "ada"));
    expect((await record()).signIn).toBeUndefined();
  });

  it("does not run the flow if a session is alive", async () => {
    const { signIn, open } = startSession();
    await signIn();
    const manager = open();
    expect(await manager.signInWith(own)).toBe(false);
    expect(await manager.hasSession()).toBe(true);
  });

  it("runs the flow if the session has ended, or can no longer be refreshed", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn();
    issuer.isRevoked = true;
    await expect(manager.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" }); // the access token is usable
    expect(await manager.signInWith(async () => tokensOf("ada", clock.now() + HOUR))).toBe(true);
    await manager.signOut();
    expect(await manager.signInWith(async () => tokensOf("ada", clock.now() + HOUR))).toBe(true);
  });

  it("runs the flow if a server has rejected the access token, and no exchange can replace it", async () => {
    const { open } = startSession({ refresh: undefined as never });
    const manager = open();
    await manager.signIn({ accessToken: canary("access", 1) });
    await expect(manager.replaceRejected(canary("access", 1))).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    expect(await manager.signInWith(async () => ({ accessToken: canary("access", 2) }))).toBe(true);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    expect(await manager.signInWith(own)).toBe(false);
  });

  it("runs the flow if the session's tokens come from another server than that of the refresh function", async () => {
    const refresh = Object.assign(own, { tokenOrigin: "https://b.test" });
    const { clock, open, events } = startSession({ refresh });
    const tokens = { ...tokensOf("ada", clock.now() + HOUR), tokenType: "Bearer" };
    const manager = open();
    await manager.signIn(withTokenOrigin(tokens, "https://a.test"));
    await expect(manager.refresh()).rejects.toMatchObject({ code: "CONFIGURATION" });
    expect(events).toContainEqual({ type: "refresh-failed", code: "misconfigured", retryAt: undefined });
    expect(await manager.signInWith(async () => withTokenOrigin(tokens, "https://b.test"))).toBe(true);
  });

  it("shows one prompt if several processes call it at once, and all use the session", async () => {
    const { clock, open, events } = startProcesses();
    const { flow, started, end } = prompt();
    let prompts = 0;
    const count: SignInFlow = (context) => {
      prompts++;
      return flow(context);
    };
    const managers = Array.from({ length: 8 }, (_, number) => open(`p${number}`));
    const calls = managers.map((manager) => manager.signInWith(count));
    await started;
    await clock.advance(60_000);
    end(tokensOf("ada", clock.now() + HOUR));
    await clock.advance(1_000);
    expect((await Promise.all(calls)).filter(Boolean)).toHaveLength(1);
    expect(prompts).toBe(1);
    expect(await Promise.all(managers.map((manager) => manager.getAccessToken()))).toEqual(
      Array(8).fill(canary("access", "ada")),
    );
    const awaited = events.filter((event) => event.type === "sign-in-awaited");
    expect(awaited).toHaveLength(7);
    expect(awaited[0]).toMatchObject({ holder: expect.stringContaining("p") });
  });

  it("shows one prompt for two calls of one manager", async () => {
    const { clock, open } = startProcesses();
    const { flow, started, end } = prompt();
    const manager = open("a");
    const first = manager.signInWith(flow);
    const second = manager.signInWith(own);
    await started;
    end(tokensOf("ada", clock.now() + HOUR));
    await clock.advance(1_000);
    expect(await Promise.all([first, second])).toEqual([true, false]);
  });

  it("looks again as soon as the store has changed", async () => {
    const { clock, open } = startProcesses();
    const { flow, started, end } = prompt();
    const first = open("a").signInWith(flow);
    await started;
    const second = open("b").signInWith(own);
    await clock.advance(10_000); // it looks every half a second by now
    end(tokensOf("ada", clock.now() + HOUR));
    expect(await Promise.all([first, second])).toEqual([true, false]);
  });

  it("finds the session in a store that cannot be watched", async () => {
    const store = memoryStore();
    withoutWatch(store);
    const { clock, open } = startProcesses({ store });
    const { flow, started, end } = prompt();
    const first = open("a").signInWith(flow);
    await started;
    const second = open("b").signInWith(own);
    end(tokensOf("ada", clock.now() + HOUR));
    await clock.advance(500);
    expect(await Promise.all([first, second])).toEqual([true, false]);
  });

  it.each(["refused", "expired", "timeout", "mismatched"] as const)(
    "rejects in all processes that wait if the sign-in ended as %s, and prompts again in a later call",
    async (reason) => {
      const { clock, open } = startProcesses();
      const { flow, started, end } = prompt();
      const first = open("a").signInWith(flow);
      await started;
      const waiting = open("b");
      const second = waiting.signInWith(own);
      await clock.advance(100);
      end(new SignInFailedError(reason));
      const failures = await Promise.allSettled([first, second]);
      await clock.advance(1_000);
      for (const failure of failures) expect(failure).toMatchObject({ reason: { code: "SIGN_IN_FAILED", reason } });
      expect(await waiting.signInWith(async () => tokensOf("ada", clock.now() + HOUR))).toBe(true);
    },
  );

  it("adopts the session that it waited for, whatever account the user has chosen", async () => {
    const { clock, open } = startProcesses({ account });
    const [first, second] = [open("a"), open("b")];
    await first.signIn(tokensOf("ada", clock.now() + HOUR));
    await second.getAccessToken();
    await first.signOut();
    const { flow, started, end } = prompt();
    const calls = [first.signInWith(flow), started.then(() => second.signInWith(own))];
    await started;
    await clock.advance(100);
    end(tokensOf("bob", clock.now() + HOUR));
    expect(await Promise.all(calls)).toEqual([true, false]);
    expect(await second.getAccessToken()).toBe(canary("access", "bob"));
  });

  it("does not adopt another account's session that appears during the sign-in that it waits for (P14)", async () => {
    const { clock, open } = startProcesses({ account });
    const [first, second, other] = [open("a"), open("b"), open("c")];
    await second.signIn(tokensOf("ada", clock.now() + HOUR));
    await second.signOut();
    const { flow, started, end } = prompt();
    const calls = [first.signInWith(flow), started.then(() => second.signInWith(own))];
    await started;
    await clock.advance(100);
    await other.signIn(tokensOf("bob", clock.now() + HOUR));
    await clock.advance(1_000);
    await expect(second.getAccessToken()).rejects.toMatchObject({ reason: "account_changed" });
    end(tokensOf("ada", clock.now() + HOUR));
    await clock.advance(1_000);
    expect(await Promise.all(calls)).toEqual([true, false]);
  });

  it("does not adopt another account's session that has replaced the one that it waited for (P14)", async () => {
    const store = memoryStore();
    withoutWatch(store);
    const { clock, open } = startProcesses({ account, store });
    const [first, second, other] = [open("a"), open("b"), open("c")];
    await second.signIn(tokensOf("ada", clock.now() + HOUR));
    await second.signOut();
    const { flow, started, end } = prompt();
    const call = first.signInWith(flow);
    await started;
    const waiting = second.signInWith(async () => tokensOf("ada", clock.now() + HOUR));
    await clock.advance(10_000); // it looks every half a second by now
    end(tokensOf("ada", clock.now() + HOUR));
    await call;
    await first.signOut();
    await other.signIn(tokensOf("bob", clock.now() + HOUR));
    await clock.advance(1_000);
    expect(await waiting).toBe(true);
  });

  it("does not ask on a claim that expired before its save was confirmed, because the process was suspended", async () => {
    const { clock, open, store, record } = startProcesses();
    const { save } = store;
    let claims = 0;
    store.save = async (value, expected) => {
      const version = await save(value, expected);
      if (++claims === 1) clock.jump(LEASE);
      return version;
    };
    const call = open("a").signInWith(async () => {
      expect((await record()).signIn?.claimedAt).toBe(clock.now());
      return tokensOf("ada", clock.now() + HOUR);
    });
    expect(await call).toBe(true);
  });

  it("asks if another account is signed in while the sign-in is being claimed (P14)", async () => {
    const { clock, open, store } = startProcesses({ account });
    const [first, other] = [open("a"), open("c")];
    await first.signIn(tokensOf("ada", clock.now() + HOUR));
    await first.signOut();
    const { save } = store;
    store.save = async (value, expected) => {
      store.save = save;
      await other.signIn(tokensOf("bob", clock.now() + HOUR));
      return save(value, expected);
    };
    expect(await first.signInWith(async () => tokensOf("ada", clock.now() + HOUR))).toBe(true);
  });

  it("asks if the stored session belongs to another account than that of the manager (P14)", async () => {
    const { clock, open } = startProcesses({ account });
    const [first, second] = [open("a"), open("b")];
    await first.signIn(tokensOf("ada", clock.now() + HOUR));
    await second.signIn(tokensOf("bob", clock.now() + HOUR));
    await expect(first.getAccessToken()).rejects.toMatchObject({ reason: "account_changed" });
    expect(await first.signInWith(async () => tokensOf("ada", clock.now() + HOUR))).toBe(true);
  });

  it("replaces a session whose access token is insufficient, once for all", async () => {
    const { clock, open } = startProcesses();
    const [first, second] = [open("a"), open("b")];
    await first.signIn(tokensOf("ada", clock.now() + HOUR));
    const insufficient = await second.getAccessToken();
    const { flow, started, end } = prompt();
    const calls = [first.signInWith(flow, { insufficient })];
    await started;
    calls.push(second.signInWith(own, { insufficient }));
    expect(await second.getAccessToken()).toBe(insufficient);
    end({ ...tokensOf("more", clock.now() + HOUR), scope: "read write" });
    await clock.advance(1_000);
    expect(await Promise.all(calls)).toEqual([true, false]);
    expect(await second.getAccessToken()).toBe(canary("access", "more"));
    expect(await second.signInWith(own, { insufficient })).toBe(false);
  });

  it("replaces an insufficient session also if its access token is refreshed during the call", async () => {
    const { clock, issuer, open } = startProcesses();
    const [first, second] = [open("a"), open("b")];
    await first.signIn({ ...issuer.tokens(), expiresAt: clock.now() + HOUR });
    const insufficient = await second.getAccessToken();
    const { flow, started, end } = prompt();
    const calls = [first.signInWith(flow, { insufficient })];
    await started;
    let isSettled = false;
    calls.push(second.signInWith(own, { insufficient }).finally(() => (isSettled = true)));
    await clock.advance(100);
    await second.refresh();
    await clock.advance(1_000);
    expect(isSettled).toBe(false);
    end({ ...tokensOf("more", clock.now() + HOUR), scope: "read write" });
    await clock.advance(1_000);
    expect(await Promise.all(calls)).toEqual([true, false]);
  });

  it("rejects what is not a flow", async () => {
    await expect(
      startSession()
        .open()
        .signInWith("https://issuer.test" as never),
    ).rejects.toThrow("flow: expected");
  });
});
