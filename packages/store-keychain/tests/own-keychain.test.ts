/** The keychain that this user has, on any system: only where a run may write into it, as in the workflow. */
import { randomUUID } from "node:crypto";
import { Chain, nodeFileSystem } from "@unexpired/store-node/chain";
import { type Backing, describeTokenStore } from "@unexpired/testing";
import { describe, expect, it } from "vitest";
import { load } from "../src/backends/load.ts";
import { type KeychainBackend, keychainStore } from "../src/index.ts";
import { accountsOf, parseManifest } from "../src/items.ts";
import { settingsOf } from "../src/options.ts";
import { freshDirectory, module } from "./support.ts";

const name = "@napi-rs/keyring";

const newPlace = () =>
  ({
    service: "unexpired tests",
    account: randomUUID(),
    directory: freshDirectory(),
    backend: name,
  }) as const;

function backing(): Backing {
  const place = newPlace();
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

describe("this user's keychain", () => {
  if (process.env.UNEXPIRED_OWN_KEYCHAIN !== "1") {
    const reason = "not applicable: writes into this user's keychain, which UNEXPIRED_OWN_KEYCHAIN=1 allows";
    return it("keeps the store contract", (ctx) => ctx.skip(reason));
  }

  describeTokenStore({ describe, it }, { create: backing });

  it("keeps a session of 64 kB", async () => {
    const place = newPlace();
    const value = "0123456789abcdef".repeat(4096);
    const version = await keychainStore(place).save(value, undefined);
    const found = await keychainStore(place).load();
    expect(found?.version).toBe(version);
    expect(found?.value === value).toBe(true);
    await keychainStore(place).remove();
    expect(await keychainStore(place).load()).toBeUndefined();
  });
});
