import { jsonFormat } from "@unexpired/store-node";
import { expect, it } from "vitest";
import { openKeychainStore } from "../../src/keychain-store.ts";
import { resolveSettings } from "../../src/options.ts";
import { fields, HOUR, keychainOf, managerOver, worldWith } from "../support/item-world.ts";
import { unsyncedFileSystem, type World } from "../support/memory-keychain.ts";

/** Opens an entry of the item, and records which locks are held while the item is written. */
function openEntry(world: World, id: string, { isBusy = false, isReadOnly = false } = {}) {
  const held = new Set<string>();
  const writes: string[][] = [];
  const own = keychainOf(world);
  const set = async (service: string, account: string, secret: string) => {
    if (service === "tests") writes.push([...held]);
    if (service === "tests" && isReadOnly) throw new Error("read-only");
    await own.set(service, account, secret);
  };
  const format = jsonFormat({ at: ["pool", { where: { id } }], fields });
  const backend = { ...own, set };
  const settings = resolveSettings({ service: "tests", account: "ada", directory: world.directory, backend, format });
  const store = openKeychainStore(settings, {
    fs: unsyncedFileSystem,
    loadBackend: () => Promise.reject(new Error("No built-in backend is needed")),
    async lock(directory) {
      if (!directory.endsWith(".item")) return async () => undefined;
      if (isBusy) return undefined;
      held.add(directory);
      return async () => void held.delete(directory);
    },
  });
  return { store, held, writes };
}

const session = { accessToken: "canary-a1", refreshToken: "canary-r1", expiresAt: Date.now() + HOUR };

it("is one lock for all entries of an item, held while the item is written", async () => {
  const world = worldWith('{ "pool": [{ "id": "one" }, { "id": "two" }] }');
  const entries = [openEntry(world, "one"), openEntry(world, "two")];
  for (const { store } of entries) {
    await using manager = managerOver({ store, pass: () => undefined });
    await manager.signIn(session);
  }
  const [first, second] = entries.map(({ writes }) => writes);
  expect(first).toEqual([[expect.stringMatching(/\.[0-9a-f]{32}\.item$/)]]);
  expect(second).toEqual(first);
  for (const { held } of entries) expect(held.size).toBe(0);
});

it("is released if the item cannot be written", async () => {
  const world = worldWith('{ "pool": [{ "id": "one" }] }');
  const { store, held, writes } = openEntry(world, "one", { isReadOnly: true });
  await using manager = managerOver({ store, pass: () => undefined });
  await manager.signIn(session);
  expect(writes).toHaveLength(1);
  expect(held.size).toBe(0);
});

it("does not keep the item from being written if another process holds it for long", async () => {
  const world = worldWith('{ "pool": [{ "id": "one" }] }');
  const { store } = openEntry(world, "one", { isBusy: true });
  await using manager = managerOver({ store, pass: () => undefined });
  await manager.signIn(session);
  expect(world.items.get("ada")).toContain("canary-r1");
});
