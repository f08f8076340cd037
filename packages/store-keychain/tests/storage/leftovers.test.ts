/** Items that a store must delete from the keychain, and items that it must not. */
import { readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import {
  ITEM_LIMIT,
  memoryKeychain,
  newWorld,
  openStore,
  slotsWithItems,
  unsyncedFileSystem,
} from "../support/memory-keychain.ts";

const longValue = "x".repeat(4 * ITEM_LIMIT);

it("removes the items after a gap that another program has made", async () => {
  const world = newWorld();
  const store = openStore(world);
  const version = await store.save(longValue, undefined);
  await store.save(longValue, version);
  for (const account of world.items.keys()) if (/ [12]\]$/.test(account)) world.items.delete(account);
  await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNREADABLE", reason: "damaged" });
  await store.remove();
  expect([...world.items.keys()]).toEqual([]);
});

it("removes the items of a session whose directory overlayfs cannot rename", async () => {
  const world = newWorld();
  const rename = async (from: string, to: string) => {
    if (from.endsWith(".unexpired")) throw Object.assign(new Error("EXDEV"), { code: "EXDEV" });
    renameSync(from, to);
  };
  const store = openStore(world, { fs: { ...unsyncedFileSystem, rename } });
  await store.save(longValue, await store.save(longValue, undefined));
  await store.remove();
  expect([...world.items.keys()]).toEqual([]);
  expect(await store.load()).toBeUndefined();
});

it("removes the items of a session whose version files are damaged", async () => {
  const world = newWorld();
  const store = openStore(world);
  await store.save(longValue, await store.save(longValue, undefined));
  const files = readdirSync(world.directory, { recursive: true, withFileTypes: true });
  for (const { name, parentPath } of files) if (/^\d$/.test(name)) writeFileSync(join(parentPath, name), "");
  await expect(store.load()).rejects.toMatchObject({
    code: "STORE_UNREADABLE",
    hint: "Call remove() on the store and sign in again.",
  });
  await store.remove();
  expect([...world.items.keys()]).toEqual([]);
  await store.save("another session", undefined);
  expect((await store.load())?.value).toBe("another session");
});

it("reuses the same slot if nothing can be published", async () => {
  const world = newWorld();
  const link = () => Promise.reject(Object.assign(new Error("EPERM"), { code: "EPERM" }));
  const store = openStore(world, { fs: { ...unsyncedFileSystem, link } });
  for (const value of ["a", "b", "c"]) {
    await expect(store.save(value, undefined)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  }
  expect(slotsWithItems(world).size).toBe(1);
});

it("removes nothing if the backend that stores the items is missing", async () => {
  const world = newWorld();
  const version = await openStore(world).save("a session", undefined);
  const other = openStore(world, { backend: { ...memoryKeychain(new Map()), name: "another" } });
  await expect(other.remove()).rejects.toMatchObject({ reason: "no_backend" });
  expect(await openStore(world).load()).toEqual({ value: "a session", version });
});

it("deletes the item that it has adopted from another program, but not what that program writes later", async () => {
  const world = newWorld();
  world.items.set("ada", "from before");
  const store = openStore(world);
  let version = await store.save("ours", (await store.load())?.version);
  expect(world.items.has("ada")).toBe(false);
  world.items.set("ada", "from later");
  for (const value of ["again", "and again"]) version = await store.save(value, version);
  expect(world.items.get("ada")).toBe("from later");
});

it("saves and removes even if the items of an interrupted removal cannot be accessed", async () => {
  const world = newWorld();
  await openStore(world).save("a session", undefined);
  const [chain = ""] = readdirSync(world.directory).filter((name) => name.endsWith(".unexpired"));
  renameSync(join(world.directory, chain), join(world.directory, `${chain}-removed`));
  const items = new Map<string, string>();
  // The interrupted removal is listed first.
  const list = async (path: string) => (await unsyncedFileSystem.list(path)).toSorted((a, b) => b.length - a.length);
  const other = openStore(world, {
    fs: { ...unsyncedFileSystem, list },
    backend: { ...memoryKeychain(items), name: "another" },
  });
  for (const value of ["another session", "and another"]) {
    await other.save(value, undefined);
    await expect(other.remove()).rejects.toMatchObject({ reason: "no_backend" });
    expect(await other.load()).toBeUndefined();
    expect([...items.keys()]).toEqual([]);
  }
  await openStore(world).remove();
  expect([...world.items.keys()]).toEqual([]);
});
