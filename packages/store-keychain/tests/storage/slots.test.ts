/** Writers that are suspended, or whose calls hang, at the worst possible moment. */
import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { StoreConflictError, type TokenStore } from "@unexpired/core";
import type { FileSystem } from "@unexpired/store-node/chain";
import { expect, it } from "vitest";
import type { KeychainBackend } from "../../src/index.ts";
import {
  ageUnfinishedWrites,
  latch,
  memoryKeychain,
  newWorld,
  openStore,
  slotsWithItems,
  unsyncedFileSystem,
  type World,
} from "../support/memory-keychain.ts";

/** Wraps calls so that the first one that matches is suspended until `interruption` has finished. */
function suspendedBefore<T extends object>(
  calls: T,
  matches: (name: string, args: readonly string[]) => boolean,
  interruption: () => Promise<unknown>,
): T {
  let isFirst = true;
  const wrapped = Object.entries(calls).map(([name, call]) => [
    name,
    typeof call !== "function"
      ? call
      : async (...args: string[]) => {
          const isNow = isFirst && matches(name, args);
          if (isNow) {
            isFirst = false;
            await interruption();
          }
          return call(...args);
        },
  ]);
  return Object.fromEntries(wrapped) as T;
}

/** Saves shorter and longer sessions alternately. Returns the last one. */
async function saveTimes(store: TokenStore, times: number): Promise<string> {
  let value = "";
  for (let time = 1; time <= times; time++) {
    value = `other ${time} `.repeat(time % 2 === 0 ? 40 : 1);
    await store.save(value, (await store.load())?.version);
  }
  return value;
}

/** A file system that lists the files of this slot first, so that a writer tries it first. */
const preferring = (slot: string): FileSystem => ({
  ...unsyncedFileSystem,
  list: async (path) => (await unsyncedFileSystem.list(path)).toSorted((a) => (a.includes(slot) ? -1 : 1)),
});

/** Returns the slot that a draft has claimed. */
function claimedSlot(world: World): string {
  const names = readdirSync(world.directory, { recursive: true, encoding: "utf8" });
  const [, slot = ""] = names.map((name) => /slot-([0-9a-f]+)\.[0-9a-f]+$/.exec(name)).find((match) => match) ?? [];
  return slot;
}

async function expectNoLeftovers(world: World): Promise<void> {
  const store = openStore(world);
  ageUnfinishedWrites(world);
  await saveTimes(store, 2);
  expect(slotsWithItems(world).size).toBe(2);
  await store.remove();
  expect(world.items.size).toBe(0);
}

const longValue = "mine ".repeat(50);
const isClaimingSlot = (name: string, [from = "", to = ""]: readonly string[]) =>
  name === "rename" && /slot-[0-9a-f]+$/.test(from) && /slot-[0-9a-f]+\.[0-9a-f]+$/.test(to);

/** The moment after a save is published and before it collects garbage. */
const isNotifying = (name: string, [path = ""]: readonly string[]) => name === "create" && path.includes("projection-");

it("lets no other writer use its slot if it is suspended between two items and was half revoked", async () => {
  const world = newWorld();
  await saveTimes(openStore(world), 1);
  let value = "";
  const isSecondPart = (name: string, args: readonly string[]) => name === "set" && / 2\]$/.test(args[1] ?? "");
  const backend = suspendedBefore(memoryKeychain(world.items), isSecondPart, async () => {
    const names = readdirSync(world.directory, { recursive: true, encoding: "utf8" });
    const draft = names.find((name) => name.includes("draft-")) ?? "";
    renameSync(join(world.directory, draft), join(world.directory, draft.replace("draft-", "dead-")));
    const claimed = claimedSlot(world);
    value = await saveTimes(openStore(world, { fs: preferring(claimed) }), 4);
  });
  const suspended = openStore(world, { backend });
  await expect(suspended.save(longValue, (await suspended.load())?.version)).rejects.toThrow(StoreConflictError);
  expect((await openStore(world).load())?.value).toBe(value);
  await expectNoLeftovers(world);
});

it("lets no other writer use its slot if a call ends long after its deadline", async () => {
  const world = newWorld();
  const other = openStore(world);
  await saveTimes(other, 3);
  const late = latch();
  const written = latch();
  const backend = memoryKeychain(world.items);
  const set: typeof backend.set = async (...args) => {
    await late.opened;
    await backend.set(...args);
    written.open();
  };
  const slow = openStore(world, { backend: { ...backend, set }, timeout: 1 });
  const saving = slow.save(longValue, (await slow.load())?.version);
  await expect(saving).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", reason: "timeout" });
  const value = await saveTimes(other, 5);
  late.open();
  await written.opened;
  expect((await other.load())?.value).toBe(value);
  await expectNoLeftovers(world);
});

/**
 * Suspends a writer at the matching call. Its draft then looks old, so another writer that collects garbage revokes it.
 */
async function revokedAt(
  world: World,
  matches: typeof isClaimingSlot,
  {
    backend = memoryKeychain(world.items),
    fileSystem = unsyncedFileSystem,
  }: { backend?: KeychainBackend; fileSystem?: FileSystem } = {},
): Promise<Promise<string>[]> {
  const reached = latch();
  const collected = latch();
  const fs = suspendedBefore(fileSystem, matches, async () => {
    ageUnfinishedWrites(world);
    reached.open();
    await collected.opened;
  });
  const revoked = openStore(world, { fs, backend });
  const saving: Promise<string>[] = [];
  const startLate = async () => {
    saving.push(revoked.save(longValue, (await revoked.load())?.version));
    await Promise.race([reached.opened, ...saving]);
  };
  const collecting = openStore(world, { fs: suspendedBefore(unsyncedFileSystem, isNotifying, startLate) });
  await collecting.save("other", (await collecting.load())?.version);
  collected.open();
  return saving;
}

it("writes nothing and fails with a conflict if it is revoked before it claims a slot", async () => {
  const world = newWorld();
  await saveTimes(openStore(world), 3);
  const { set, ...backend } = memoryKeychain(world.items);
  let writes = 0;
  const counted: typeof set = (...args) => {
    writes += 1;
    return set(...args);
  };
  const [saving] = await revokedAt(world, isClaimingSlot, { backend: { ...backend, set: counted } });
  await expect(saving).rejects.toThrow(StoreConflictError);
  expect(writes).toBe(0);
  await expectNoLeftovers(world);
});

it("fails with a conflict if it is revoked before it publishes", async () => {
  const world = newWorld();
  await saveTimes(openStore(world), 3);
  const [saving] = await revokedAt(world, (name) => name === "link");
  await expect(saving).rejects.toThrow(StoreConflictError);
  expect((await openStore(world).load())?.value).toBe("other");
  await expectNoLeftovers(world);
});

it("does not collect the generations of a new session if its own is removed while it is suspended", async () => {
  const world = newWorld();
  const other = openStore(world);
  await saveTimes(other, 6);
  let value = "";
  const fs = suspendedBefore(unsyncedFileSystem, isNotifying, async () => {
    await other.remove();
    value = await saveTimes(other, 2);
  });
  const suspended = openStore(world, { fs });
  await suspended.save(longValue, (await suspended.load())?.version);
  expect((await other.load())?.value).toBe(value);
  await expectNoLeftovers(world);
});

it("leaves no item if remove() runs while another process finishes an interrupted removal", async () => {
  const world = newWorld();
  await saveTimes(openStore(world), 2);
  const isRetired = () => !readdirSync(world.directory).some((name) => name.endsWith(".unexpired"));
  const list = (path: string) =>
    isRetired() ? Promise.reject(new Error("simulated crash")) : unsyncedFileSystem.list(path);
  await expect(openStore(world, { fs: { ...unsyncedFileSystem, list } }).remove()).rejects.toThrow();
  const reached = latch();
  const finished = latch();
  const removing = openStore(world, {
    fs: suspendedBefore(
      unsyncedFileSystem,
      (name) => name === "list" && isRetired(),
      async () => {
        reached.open();
        await finished.opened;
      },
    ),
  });
  const removed: Promise<void>[] = [];
  const finishing = openStore(world, {
    fs: suspendedBefore(
      unsyncedFileSystem,
      (name) => name === "removeDirectory",
      async () => {
        removed.push(removing.remove());
        await reached.opened;
      },
    ),
  });
  await finishing.save("new", undefined);
  finished.open();
  await Promise.all(removed);
  expect(removed).toHaveLength(1);
  expect([...world.items.keys()]).toEqual([]);
});

it("does not damage the session of others that reuse its slot if it is revoked before it claims the slot", async () => {
  const world = newWorld();
  await saveTimes(openStore(world), 3);
  let value = "";
  const isCheckingDraft = (name: string, [path = ""]: readonly string[]) => name === "stat" && path.includes("draft-");
  const fileSystem = suspendedBefore(unsyncedFileSystem, isCheckingDraft, async () => {
    value = await saveTimes(openStore(world, { fs: preferring(claimedSlot(world)) }), 2);
  });
  const [saving] = await revokedAt(world, isClaimingSlot, { fileSystem });
  await expect(saving).rejects.toThrow(StoreConflictError);
  expect((await openStore(world).load())?.value).toBe(value);
  await expectNoLeftovers(world);
});

it("does not damage the session of others that reuse its slot if it publishes under a collected number", async () => {
  const world = newWorld();
  await saveTimes(openStore(world), 1);
  let value = "";
  const isLink = (name: string) => name === "link";
  const isRelease = (name: string, [from = ""]: readonly string[]) => name === "rename" && /slot-\w+\.\w+$/.test(from);
  const late = suspendedBefore(unsyncedFileSystem, isLink, () => saveTimes(openStore(world), 5));
  const fs = suspendedBefore(late, isRelease, async () => {
    value = await saveTimes(openStore(world, { fs: preferring(claimedSlot(world)) }), 2);
  });
  const suspended = openStore(world, { fs });
  await expect(suspended.save(longValue, (await suspended.load())?.version)).rejects.toThrow(StoreConflictError);
  expect((await openStore(world).load())?.value).toBe(value);
  await expectNoLeftovers(world);
});
