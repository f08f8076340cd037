import { expect, it, vi } from "vitest";
import { memoryStore } from "../../src/index.ts";

const conflict = { code: "STORE_CONFLICT" };

it("is empty at first", async () => {
  expect(await memoryStore().load()).toBeUndefined();
});

it("keeps any string", async () => {
  const store = memoryStore();
  for (const value of ["", "x", "\0\n😀", "\ud800", "a".repeat(1_000_000)]) {
    const version = await store.save(value, (await store.load())?.version);
    expect(await store.load()).toEqual({ value, version });
  }
});

it("saves only over the expected version", async () => {
  const store = memoryStore();
  const first = await store.save("1", undefined);
  const second = await store.save("2", first);
  for (const stale of [undefined, first, "other"]) await expect(store.save("3", stale)).rejects.toMatchObject(conflict);
  expect(await store.load()).toEqual({ value: "2", version: second });
});

it("reports a conflict if a version is expected but nothing is stored", async () => {
  const store = memoryStore();
  await expect(store.save("1", "1")).rejects.toMatchObject(conflict);
  const version = await store.save("1", undefined);
  await store.remove();
  await expect(store.save("1", version)).rejects.toMatchObject(conflict);
  expect(await store.load()).toBeUndefined();
});

it("lets exactly one of a hundred concurrent saves win", async () => {
  const store = memoryStore();
  const version = await store.save("0", undefined);
  const results = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => store.save(`${i}`, version)));
  expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

it("never repeats a version, even after the session is removed and created again", async () => {
  const store = memoryStore();
  const versions = new Set<string>();
  for (let round = 0; round < 100; round++) {
    versions.add(await store.save("x", undefined));
    await store.remove();
  }
  expect(versions.size).toBe(100);
});

it("notifies watchers of each change until they are stopped, even if one of them throws", async () => {
  const store = memoryStore();
  const onChange = vi.fn();
  store.watch?.(() => {
    throw new Error("a listener's mistake");
  });
  const stops = [store.watch?.(onChange), store.watch?.(onChange)];
  const version = await store.save("1", undefined);
  expect(onChange).toHaveBeenCalledTimes(2);
  stops[0]?.();
  await expect(store.save("2", "stale")).rejects.toMatchObject(conflict);
  expect(onChange).toHaveBeenCalledTimes(2);
  await store.save("2", version);
  await store.remove();
  expect(onChange).toHaveBeenCalledTimes(4);
  stops[1]?.();
  await store.save("3", undefined);
  expect(onChange).toHaveBeenCalledTimes(4);
});

it("notifies a watcher once per change, even if watchers start and stop others", async () => {
  const store = memoryStore();
  const removed = vi.fn();
  let stop: (() => void) | undefined;
  let stopRemoved: (() => void) | undefined;
  let changes = 0;
  const watchAgain = () => {
    if (++changes > 9) return; // ends the test if nothing else does
    stop?.();
    stopRemoved?.();
    stop = store.watch?.(watchAgain);
  };
  stop = store.watch?.(watchAgain);
  stopRemoved = store.watch?.(removed);
  await store.save("1", undefined);
  expect(changes).toBe(1);
  await store.remove();
  expect(changes).toBe(2);
  expect(removed).not.toHaveBeenCalled();
});

it("returns copies", async () => {
  const store = memoryStore();
  await store.save("1", undefined);
  Object.assign((await store.load()) ?? {}, { value: "2", version: "9" });
  expect(await store.load()).toEqual({ value: "1", version: "1" });
});

it("shares nothing with another memory store", async () => {
  const [one, other] = [memoryStore(), memoryStore()];
  await one.save("1", undefined);
  expect(await other.load()).toBeUndefined();
  expect(one).toMatchObject({ supports: { compareAndSet: "process", durable: false } });
  expect(one.describe()).toBe("The memory store");
});
