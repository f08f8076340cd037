/** The keychain that this user has, on any system: only where a run may write into it, as in the workflow. */
import { randomUUID } from "node:crypto";
import { Chain, nodeFileSystem } from "@unexpired/store-node/chain";
import { type Backing, describeTokenStore } from "@unexpired/testing";
import { describe, expect, it } from "vitest";
import { load } from "../../src/backends/load.ts";
import { BUILT_IN } from "../../src/backends/registry.ts";
import { type BuiltInBackend, type KeychainBackend, keychainStore } from "../../src/index.ts";
import { settingsOf } from "../../src/options.ts";
import { accountsOf, parseManifest } from "../../src/storage/items.ts";
import { freshDirectory, module } from "../support/file-keychain-store.ts";

const newPlace = (backend: BuiltInBackend) =>
  ({
    service: "unexpired tests",
    account: randomUUID(),
    directory: freshDirectory(),
    backend,
  }) as const;

function backing(name: BuiltInBackend): Backing {
  const place = newPlace(name);
  const each = async (change: (backend: KeychainBackend, account: string) => Promise<unknown>) => {
    const { chain } = settingsOf(place).place;
    const head = await new Chain(nodeFileSystem, chain).head();
    const backend = await load({ deadline: 3_000 })(name, "write");
    for (const account of head ? accountsOf(place.account, parseManifest(head.value, chain)) : []) {
      await change(backend, account);
    }
  };
  return {
    open: () => keychainStore(place),
    elsewhere: { module, argument: place },
    damage: () => each((backend, account) => backend.set(place.service, account, "damaged")),
    wipe: () => each((backend, account) => backend.delete(place.service, account)),
    dispose: () => keychainStore(place).remove(),
  };
}

const isInstalled = new Set<string>();
for (const name of BUILT_IN) await import(name).then(() => isInstalled.add(name)).catch(() => undefined);

describe.each(BUILT_IN)("this user's keychain with %s", (name) => {
  if (process.env.UNEXPIRED_OWN_KEYCHAIN !== "1") {
    const reason = "not applicable: writes into this user's keychain, which UNEXPIRED_OWN_KEYCHAIN=1 allows";
    return it("keeps the store contract", (ctx) => ctx.skip(reason));
  }
  if (!isInstalled.has(name)) {
    const reason = "needs the binary of keytar: npx prebuild-install in its folder";
    return it("keeps the store contract", (ctx) => ctx.skip(reason));
  }

  describeTokenStore({ describe, it }, { create: () => backing(name) });

  it("keeps a session of 64 kB", async () => {
    const place = newPlace(name);
    const value = "0123456789abcdef".repeat(4096);
    const version = await keychainStore(place).save(value, undefined);
    const found = await keychainStore(place).load();
    expect(found?.version).toBe(version);
    expect(found?.value === value).toBe(true);
    await keychainStore(place).remove();
    expect(await keychainStore(place).load()).toBeUndefined();
  });
});
