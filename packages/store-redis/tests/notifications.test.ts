import { redisStores, type Subscribe, type SubscribeHandlers } from "@unexpired/store-redis";
import { settle, VirtualClock } from "@unexpired/testing";
import { describe, expect, it, vi } from "vitest";

const evaluate = async () => [];

/** Stores whose subscriptions the test controls. */
function controlled(settleTime?: number) {
  const clock = new VirtualClock();
  const subscriptions: (SubscribeHandlers & { readonly channel: string; readonly end: ReturnType<typeof vi.fn> })[] =
    [];
  const subscribe = vi.fn<Subscribe>((channel, handlers) => {
    const end = vi.fn();
    subscriptions.push({ ...handlers, channel, end });
    return end;
  });
  const stores = redisStores({ evaluate, subscribe, clock, settleTime });
  const watch = (key: string) => {
    const onChange = vi.fn();
    const stop = stores.store(key).watch?.(onChange) ?? (() => {});
    return { onChange, stop };
  };
  return { clock, subscribe, subscriptions, watch, stores };
}

describe("the subscription", () => {
  it("is one for all stores, from the first watcher to the last", async () => {
    const { subscriptions, watch, subscribe } = controlled();
    const [first, second] = [watch("a"), watch("b")];
    await settle();
    expect(subscriptions).toMatchObject([{ channel: "unexpired:changed" }]);
    first.stop();
    first.stop();
    expect(subscriptions[0]?.end).not.toHaveBeenCalled();
    second.stop();
    await settle();
    expect(subscriptions[0]?.end).toHaveBeenCalledTimes(1);
    watch("a");
    await settle();
    expect(subscribe).toHaveBeenCalledTimes(2);
  });

  it("is not started for a watcher that stops at once", async () => {
    const { watch, subscribe } = controlled();
    watch("a").stop();
    await settle();
    expect(subscribe).not.toHaveBeenCalled();
  });

  it("tells the watchers of a key, and all of them each time that it starts", async () => {
    const { subscriptions, watch } = controlled();
    const [first, second] = [watch("a"), watch("b")];
    await settle();
    const counts = () => [first, second].map(({ onChange }) => onChange.mock.calls.length);
    subscriptions[0]?.onReady();
    expect(counts()).toEqual([1, 1]);
    subscriptions[0]?.onMessage("a");
    subscriptions[0]?.onMessage("c");
    expect(counts()).toEqual([2, 1]);
    subscriptions[0]?.onReady();
    expect(counts()).toEqual([3, 2]);
  });

  it("tells no watcher anything after it was ended", async () => {
    const { subscriptions, watch, stores } = controlled();
    watch("a").stop();
    watch("a").stop();
    const before = watch("a");
    await settle();
    before.stop();
    const { onChange } = watch("a");
    subscriptions[0]?.onReady();
    subscriptions[0]?.onMessage("a");
    subscriptions[0]?.onReady();
    subscriptions[0]?.onDisconnect();
    expect(onChange).not.toHaveBeenCalled();
    await stores.store("a").settled?.();
  });

  it("is ended if it starts after the last watcher has stopped", async () => {
    const end = vi.fn();
    let open = (_: () => unknown) => {};
    const opening = new Promise<() => unknown>((resolve) => {
      open = resolve;
    });
    const subscribe = vi.fn<Subscribe>(() => opening);
    const stop = redisStores({ evaluate, subscribe })
      .store("a")
      .watch?.(() => {});
    await settle();
    stop?.();
    open(end);
    await settle();
    expect(end).toHaveBeenCalledTimes(1);
  });

  it("is tried again a second later if it cannot start, without keeping the process alive", async () => {
    const { clock, subscribe, watch } = controlled();
    subscribe.mockImplementationOnce(() => {
      throw new Error("refused");
    });
    subscribe.mockRejectedValueOnce(new Error("refused"));
    const { stop } = watch("a");
    await clock.advance(999);
    expect(subscribe).toHaveBeenCalledTimes(1);
    expect(clock.keepingAlive).toBe(0);
    await clock.advance(1_001);
    expect(subscribe).toHaveBeenCalledTimes(3);
    await clock.advance(10_000);
    expect(subscribe).toHaveBeenCalledTimes(3);
    stop();
  });

  it("is not tried again if it fails after the last watcher has stopped", async () => {
    const { clock, subscribe, watch } = controlled();
    let fail = (_: Error) => {};
    subscribe.mockReturnValueOnce(
      new Promise((_, reject) => {
        fail = reject;
      }),
    );
    const { stop } = watch("a");
    await settle();
    stop();
    fail(new Error("refused"));
    await clock.advance(10_000);
    expect(subscribe).toHaveBeenCalledTimes(1);
  });

  it("is not tried again after the last watcher has stopped, and may fail to end", async () => {
    const { clock, subscribe, watch } = controlled();
    subscribe.mockRejectedValueOnce(new Error("refused"));
    const first = watch("a");
    await settle();
    first.stop();
    await clock.advance(10_000);
    expect(subscribe).toHaveBeenCalledTimes(1);
    subscribe.mockImplementationOnce(() => () => Promise.reject(new Error("already closed")));
    const second = watch("a");
    await settle();
    second.stop();
    await settle();
  });
});

describe("a store is settled", () => {
  /** Returns how long `settled()` waits. */
  async function waitOf({ clock, stores }: ReturnType<typeof controlled>): Promise<number> {
    const before = clock.monotonic();
    let after: number | undefined;
    stores
      .store("b")
      .settled?.()
      .then(() => {
        after = clock.monotonic();
      });
    for (let step = 0; step < 400 && after === undefined; step++) await clock.advance(step === 0 ? 0 : 50);
    return (after ?? Infinity) - before;
  }

  it("at once before and after the first start", async () => {
    const scene = controlled();
    expect(await waitOf(scene)).toBe(0);
    scene.watch("a");
    await settle();
    scene.subscriptions[0]?.onDisconnect(); // it has not started yet
    expect(await waitOf(scene)).toBe(0);
    scene.subscriptions[0]?.onReady();
    expect(await waitOf(scene)).toBe(0);
  });

  it.each([
    [undefined, 2_000],
    [500, 500],
    [0, 0],
  ])("with a settleTime of %s, after %i ms since a reconnect", async (settleTime, expected) => {
    const scene = controlled(settleTime);
    scene.watch("a");
    await settle();
    scene.subscriptions[0]?.onReady();
    scene.subscriptions[0]?.onDisconnect();
    scene.subscriptions[0]?.onReady();
    expect(await waitOf(scene)).toBe(expected);
    expect(await waitOf(scene)).toBe(0);
  });

  it("not while the connection is lost, for five times that at most", async () => {
    const scene = controlled(1_000);
    scene.watch("a");
    await settle();
    scene.subscriptions[0]?.onReady();
    scene.subscriptions[0]?.onDisconnect();
    expect(await waitOf(scene)).toBe(5_000);
  });

  it("soon after a reconnect, also if it has waited for that", async () => {
    const scene = controlled(1_000);
    scene.watch("a");
    await settle();
    scene.subscriptions[0]?.onReady();
    scene.subscriptions[0]?.onDisconnect();
    const waiting = waitOf(scene);
    scene.subscriptions[0]?.onReady();
    expect(await waiting).toBeLessThanOrEqual(2_000);
  });
});
