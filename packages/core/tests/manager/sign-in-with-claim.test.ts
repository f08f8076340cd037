import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { SignInFailedError } from "../../src/index.ts";
import { updateClient } from "../../src/session-record.ts";
import { disk, gate, write } from "../support/interference.ts";
import { tokensOf } from "../support/session.ts";

import { HOUR, LEASE, own, prompt, startProcesses } from "../support/sign-in.ts";

describe("the claim of signInWith", () => {
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

  it("ends a flow before its claim, in all processes that wait (P15)", async () => {
    const { clock, open } = startProcesses();
    const { flow, started, signal } = prompt();
    const calls = [open("a").signInWith(flow), started.then(() => open("b").signInWith(own))];
    await started;
    const failures = Promise.allSettled(calls);
    await clock.advance(LEASE - 11_000);
    expect(signal()?.aborted).toBe(false);
    await clock.advance(2_000);
    expect(signal()?.aborted).toBe(true);
    for (const failure of await failures) expect(failure).toMatchObject({ reason: { reason: "timeout" } });
  });

  it("prompts in another process once the claim is 5 minutes old, even if its holder is alive", async () => {
    const { clock, open } = startProcesses();
    const asleep = new VirtualClock(); // the process is stopped
    const { flow, started } = prompt();
    void open("a", { clock: asleep }).signInWith(flow);
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

  it("stores the tokens as soon as the store accepts them, for 10 s, while other processes wait", async () => {
    const { clock, open, store } = startProcesses();
    const { flow, started, end } = prompt();
    const calls = [open("a").signInWith(flow), started.then(() => open("b").signInWith(own))];
    await started;
    const { save } = store;
    store.save = () => Promise.reject(disk);
    end(tokensOf("ada", clock.now() + HOUR));
    await clock.advance(9_000);
    store.save = save;
    await clock.advance(2_000);
    expect(await Promise.all(calls)).toEqual([true, false]);
  });

  it("rejects if the tokens cannot be saved for longer, or the caller aborts", async () => {
    const { clock, open, store } = startProcesses();
    const [first, second] = [prompt(), prompt()];
    const controller = new AbortController();
    const calls = [open("a").signInWith(first.flow, { signal: controller.signal })];
    await first.started;
    store.save = () => Promise.reject(disk);
    first.end(tokensOf("ada", HOUR));
    await clock.advance(2_000);
    controller.abort(new Error("cancelled"));
    await expect(calls[0]).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(clock.keepingAlive).toBe(0); // P12
    const other = startProcesses();
    const late = other.open("a").signInWith(second.flow);
    await second.started;
    other.store.save = () => Promise.reject(disk);
    second.end(tokensOf("ada", HOUR));
    const failure = expect(late).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await other.clock.advance(11_000);
    await failure;
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
});
