/**
 * The keychain of the current user, on any system. Runs only if the environment permits it, as the CI workflow does.
 */
import { randomUUID } from "node:crypto";
import { Chain, nodeFileSystem } from "@unexpired/store-node/chain";
import { describeTokenStore, type StoreFixture } from "@unexpired/testing";
import { describe, expect, it } from "vitest";
import { createBackendLoader } from "../../src/backends/load.ts";
import { BUILT_IN_BACKENDS } from "../../src/backends/registry.ts";
import { type BuiltInBackend, type KeychainBackend, keychainStore } from "../../src/index.ts";
import { resolveSettings } from "../../src/options.ts";
import { itemAccounts, tryManifest } from "../../src/storage/items.ts";
import { storeModule } from "../support/file-keychain-store.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const newSession = (backend: BuiltInBackend) =>
  ({
    service: "unexpired tests",
    account: randomUUID(),
    directory: freshDirectory(),
    backend,
  }) as const;

function ownKeychainFixture(name: BuiltInBackend): StoreFixture {
  const session = newSession(name);
  const each = async (change: (backend: KeychainBackend, account: string) => Promise<unknown>) => {
    const { chain } = resolveSettings(session).paths;
    const head = await new Chain(nodeFileSystem, chain).head();
    const backend = await createBackendLoader({ timeout: 3_000 })(name, "write");
    const manifest = head && tryManifest(head.value);
    for (const account of manifest ? itemAccounts(session.account, manifest) : []) {
      await change(backend, account);
    }
  };
  return {
    open: () => keychainStore(session),
    childProcess: { module: storeModule, argument: session },
    damage: () => each((backend, account) => backend.set(session.service, account, "damaged")),
    wipe: () => each((backend, account) => backend.delete(session.service, account)),
    dispose: () => keychainStore(session).remove(),
  };
}

const installed = new Set<string>();
for (const name of BUILT_IN_BACKENDS) await import(name).then(() => installed.add(name)).catch(() => undefined);

describe.each(BUILT_IN_BACKENDS)("the user's keychain with %s", (name) => {
  if (process.env.UNEXPIRED_OWN_KEYCHAIN !== "1") {
    const skipReason = "not applicable: writes to the user's keychain, which UNEXPIRED_OWN_KEYCHAIN=1 permits";
    return it("satisfies the store contract", (ctx) => ctx.skip(skipReason));
  }
  if (!installed.has(name)) {
    const skipReason = "needs the binary of keytar: npx prebuild-install in its folder";
    return it("satisfies the store contract", (ctx) => ctx.skip(skipReason));
  }

  describeTokenStore({ describe, it }, { create: () => ownKeychainFixture(name) });

  it("stores a session of 64 kB", async () => {
    const session = newSession(name);
    const value = "0123456789abcdef".repeat(4096);
    const version = await keychainStore(session).save(value, undefined);
    const found = await keychainStore(session).load();
    expect(found?.version).toBe(version);
    expect(found?.value === value).toBe(true);
    await keychainStore(session).remove();
    expect(await keychainStore(session).load()).toBeUndefined();
  });
});
