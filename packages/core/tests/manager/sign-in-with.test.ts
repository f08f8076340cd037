import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import {
  memoryStore,
  SignInFailedError,
  type SignInFlow,
  type TokenManagerOptions,
  type TokenStore,
} from "../../src/index.ts";
import { updateClient } from "../../src/session-record.ts";
import { disk, gate, withoutWatch, write } from "../support/interference.ts";
import { account, startSession, tokensOf } from "../support/session.ts";

const HOUR = 3_600_000;
const LEASE = 300_000;
const own = (): never => {
  throw new Error("this flow must not run");
};

/** A flow that the test ends. */
function prompt() {
  const { promise, open } = gate<Awaited<ReturnType<SignInFlow>> | Error>();
  let signal: AbortSignal | undefined;
  const started = gate<void>();
  const flow: SignInFlow = async (context) => {
    signal = context.signal;
    started.open();
    const result = await promise;
    if (result instanceof Error) throw result;
    return result;
  };
  return { flow, started: started.promise, end: open, signal: () => signal };
}

/** Managers over one store, each of which stands for a process: `processes` tells what has become of them. */
function startProcesses(options: TokenManagerOptions = {}) {
  const inner = options.store ?? memoryStore();
  const processes: Record<string, "alive" | "gone" | "unknown"> = {};
  const session = startSession({ ...options, store: inner });
  const open = (id: string, more: TokenManagerOptions = {}) => {
    processes[id] = "alive";
    const holder = { id, statusOf: async (other: string) => processes[other] ?? "unknown" };
    const load: TokenStore["load"] = () => inner.load(); // a test may replace the methods of the shared store
    const save: TokenStore["save"] = (value, expected) => inner.save(value, expected);
    return session.open({ store: { ...inner, load, save, holder } satisfies TokenStore, ...more });
  };
  return { ...session, processes, open };
}

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

  it("prompts in another process at once if the process that prompted is gone", async () => {
    const { clock, open, processes } = startProcesses();
    const { flow, started } = prompt();
    void open("a").signInWith(flow);
    await started;
    const second = open("b").signInWith(async () => tokensOf("bob", clock.now() + HOUR));
    await clock.advance(1_000);
    processes.a = "gone";
    await clock.advance(1_000);
    expect(await second).toBe(true);
  });

  it("prompts in another process once the claim is 5 minutes old, even if its holder is alive", async () => {
    const { clock, open } = startProcesses();
    const { flow, started } = prompt();
    void open("a").signInWith(flow);
    await started;
    const other = prompt();
    void open("b").signInWith(other.flow);
    await clock.advance(LEASE - 2_000);
    expect(other.signal()).toBeUndefined();
    await clock.advance(4_000);
    expect(other.signal()).toBeDefined();
  });

  it("prompts at once if a claim is old by the wall clock, because its process has ended long ago", async () => {
    const { clock, open, store, record } = startProcesses();
    await updateClient(store, () => ({ issuer: "https://issuer.test" }));
    await write(store, (found) => ({ ...found, signIn: { id: "old", claimedAt: clock.now(), lease: LEASE } }));
    await clock.advance(LEASE);
    expect(await open("b").signInWith(async () => tokensOf("ada", clock.now() + HOUR))).toBe(true);
    expect(await record()).toMatchObject({ client: { issuer: "https://issuer.test" } });
    expect((await record()).signIn).toBeUndefined();
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

  it.each([new SignInFailedError("port_in_use"), new Error("no browser")])(
    "prompts in another process if the flow failed for a reason of its own: %s",
    async (error) => {
      const { clock, open } = startProcesses();
      const { flow, started, end } = prompt();
      const first = open("a").signInWith(flow);
      await started;
      const second = open("b").signInWith(async () => tokensOf("ada", clock.now() + HOUR));
      end(error);
      await expect(first).rejects.toBe(error);
      await clock.advance(1_000);
      expect(await second).toBe(true);
    },
  );

  it("aborts its flow with the signal's reason, and lets another process prompt", async () => {
    const { clock, open } = startProcesses();
    const { flow, started, signal } = prompt();
    const controller = new AbortController();
    const first = open("a").signInWith(flow, { signal: controller.signal });
    await started;
    const second = open("b").signInWith(async () => tokensOf("ada", clock.now() + HOUR));
    const reason = new Error("cancelled");
    controller.abort(reason);
    await expect(first).rejects.toBe(reason);
    expect(signal()?.reason).toBe(reason);
    await clock.advance(1_000);
    expect(await second).toBe(true);
  });

  it("stops waiting for another process if the caller aborts, and leaves the claim alone", async () => {
    const { clock, open } = startProcesses();
    const { flow, started, end } = prompt();
    const first = open("a").signInWith(flow);
    await started;
    const controller = new AbortController();
    const second = open("b").signInWith(own, { signal: controller.signal });
    await clock.advance(100);
    controller.abort(new Error("cancelled"));
    await expect(second).rejects.toThrow("cancelled");
    end(tokensOf("ada", clock.now() + HOUR));
    expect(await first).toBe(true);
  });

  it("releases a claim whose save was aborted", async () => {
    const { clock, open, store, record } = startProcesses();
    const { save } = store;
    const saving = gate<void>();
    const { promise: confirm, open: confirmed } = gate<void>();
    store.save = async (value, expected) => {
      store.save = save;
      const version = await save(value, expected);
      saving.open();
      await confirm;
      return version;
    };
    const controller = new AbortController();
    const first = open("a").signInWith(own, { signal: controller.signal });
    await saving.promise;
    controller.abort(new Error("cancelled"));
    await expect(first).rejects.toThrow("cancelled");
    expect((await record()).signIn).toBeDefined();
    confirmed();
    await clock.advance(1_000);
    expect((await record()).signIn).toBeUndefined();
  });

  it("releases its claim as soon as the store accepts that", async () => {
    const { clock, open, store, record } = startProcesses();
    const { flow, started, end } = prompt();
    const call = open("a").signInWith(flow);
    await started;
    const { save } = store;
    store.save = () => Promise.reject(disk);
    end(new Error("no browser"));
    await expect(call).rejects.toThrow("no browser");
    expect((await record()).signIn).toBeDefined();
    store.save = save;
    await clock.advance(1_000);
    expect((await record()).signIn).toBeUndefined();
  });

  it("rejects without a prompt if the claim cannot be saved", async () => {
    const { open, store } = startProcesses();
    store.save = () => Promise.reject(disk);
    await expect(open("a").signInWith(own)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  it("rejects if the tokens cannot be saved", async () => {
    const { open, store } = startProcesses();
    const { flow, started, end } = prompt();
    const call = open("a").signInWith(flow);
    await started;
    store.save = () => Promise.reject(disk);
    end(tokensOf("ada", HOUR));
    await expect(call).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  it("ends with the manager, which waits until the claim is released", async () => {
    const { open, record } = startProcesses();
    const { flow, started, signal } = prompt();
    const manager = open("a");
    const call = manager.signInWith(flow);
    const failure = expect(call).rejects.toThrow("closed");
    await started;
    await manager.close();
    await failure;
    expect(signal()?.aborted).toBe(true);
    expect((await record()).signIn).toBeUndefined();
    await expect(manager.signInWith(own)).rejects.toThrow(TypeError);
  });

  it("survives a sign-out and a plain sign-in elsewhere", async () => {
    const { clock, open, record } = startProcesses();
    const { flow, started, end } = prompt();
    const first = open("a").signInWith(flow);
    await started;
    const other = open("b");
    await other.signIn(tokensOf("bob", clock.now() + HOUR));
    expect((await record()).signIn).toBeDefined();
    await other.signOut();
    expect((await record()).signIn).toBeDefined();
    end(tokensOf("ada", clock.now() + HOUR));
    expect(await first).toBe(true);
    expect((await record()).tokens?.accessToken).toBe(canary("access", "ada"));
  });

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

  it("rejects what is not a flow", async () => {
    await expect(
      startSession()
        .open()
        .signInWith("https://issuer.test" as never),
    ).rejects.toThrow("flow: expected");
  });
});
