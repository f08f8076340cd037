import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { load } from "../../src/backends/load.ts";
import { BUILT_IN, Vaults, type VaultsOptions } from "../../src/backends/registry.ts";
import type { BuiltInBackend, KeychainBackend } from "../../src/index.ts";

const DEADLINE = 1_000;

/** What a package makes that can be loaded: it remembers nothing. */
const empty = (name: string): KeychainBackend => ({
  name,
  get: async () => undefined,
  set: async () => undefined,
  delete: async () => undefined,
});

/** The backends of a store on a platform where only these packages are installed. */
function vaultsWith(
  installed: readonly BuiltInBackend[],
  { platform = "linux", chosen }: { platform?: NodeJS.Platform; chosen?: VaultsOptions["chosen"] } = {},
): Vaults {
  const loads = (name: BuiltInBackend) => async () => {
    if (!installed.includes(name)) throw new Error(`Cannot find package '${name}'`);
    return empty(name);
  };
  const packages = { keytar: loads("keytar"), "@napi-rs/keyring": loads("@napi-rs/keyring") };
  return new Vaults({
    service: "svc",
    deadline: DEADLINE,
    chosen,
    load: load({ deadline: DEADLINE, platform, packages }),
  });
}

const namesOf = (vaults: readonly { readonly name: string }[]) => vaults.map(({ name }) => name);
const none = (name: string) => ({
  code: "STORE_UNAVAILABLE",
  reason: "no_backend",
  message: expect.stringContaining(name),
});

describe("where a new session goes", () => {
  it.each([
    { installed: BUILT_IN, chosen: undefined, name: "@napi-rs/keyring" },
    { installed: ["keytar"], chosen: undefined, name: "keytar" },
    { installed: ["@napi-rs/keyring"], chosen: undefined, name: "@napi-rs/keyring" },
    { installed: BUILT_IN, chosen: "keytar", name: "keytar" },
    { installed: [], chosen: empty("mine"), name: "mine" },
  ] as const)("$installed, $chosen: $name", async ({ installed, chosen, name }) => {
    expect((await vaultsWith(installed, { chosen }).writing(undefined)).name).toBe(name);
  });

  it("stays where it is, whatever else is installed", async () => {
    expect((await vaultsWith(BUILT_IN).writing("keytar")).name).toBe("keytar");
  });

  it("moves to the backend that is named", async () => {
    expect((await vaultsWith(BUILT_IN, { chosen: "@napi-rs/keyring" }).writing("keytar")).name).toBe(
      "@napi-rs/keyring",
    );
    expect((await vaultsWith([], { chosen: empty("mine") }).writing("keytar")).name).toBe("mine");
  });
});

describe("a package that cannot be loaded", () => {
  const platforms = ["linux", "darwin", "win32"] as const;

  it.each(platforms)("is said to be missing where a new session is to be written, on %s", async (platform) => {
    await expect(vaultsWith([], { platform }).writing(undefined)).rejects.toMatchObject(none("@napi-rs/keyring"));
    await expect(vaultsWith([], { platform }).present()).rejects.toMatchObject(none("@napi-rs/keyring"));
    const chosen = vaultsWith(["@napi-rs/keyring"], { platform, chosen: "keytar" });
    await expect(chosen.writing(undefined)).rejects.toMatchObject(none("keytar"));
    await expect(chosen.present()).rejects.toMatchObject(none("keytar"));
  });

  it.each(platforms)(
    "is said to be missing where its session is to be written, with both ways out, on %s",
    async (platform) => {
      const error = await vaultsWith(["@napi-rs/keyring"], { platform })
        .writing("keytar")
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject(none("keytar"));
      expect(inspect(error)).toContain("npm install keytar");
      expect(inspect(error)).toContain("name another one as backend");
      expect(inspect(error)).toContain("Cannot find package");
    },
  );

  it("is not needed to read and to delete on Linux", async () => {
    const vaults = vaultsWith(["@napi-rs/keyring"]);
    expect((await vaults.named("keytar")).name).toBe("keytar");
    expect(namesOf(await vaults.present())).toEqual(["@napi-rs/keyring", "keytar"]);
    expect(namesOf(await vaultsWith(["keytar"]).present())).toEqual(["keytar", "@napi-rs/keyring"]);
  });

  it.each(["darwin", "win32"] as const)("is needed to read on %s", async (platform) => {
    const vaults = vaultsWith(["@napi-rs/keyring"], { platform });
    const reading = vaults.named("keytar");
    await expect(reading).rejects.toMatchObject(none("keytar"));
    await expect(reading).rejects.not.toMatchObject({ message: expect.stringContaining("name another one") });
    expect(namesOf(await vaults.present())).toEqual(["@napi-rs/keyring"]);
  });

  it("is looked for again", async () => {
    const installed: BuiltInBackend[] = [];
    const vaults = vaultsWith(installed);
    await expect(vaults.writing(undefined)).rejects.toMatchObject(none("@napi-rs/keyring"));
    installed.push("keytar");
    expect((await vaults.writing(undefined)).name).toBe("keytar");
  });
});

describe("a backend of the caller's own", () => {
  it("is the only one that is looked at", async () => {
    expect(namesOf(await vaultsWith(BUILT_IN, { chosen: empty("mine") }).present())).toEqual(["mine"]);
  });

  it("is said to be missing where it is not given any more", async () => {
    await expect(vaultsWith(BUILT_IN).named("mine")).rejects.toMatchObject(none("mine"));
    await expect(vaultsWith(BUILT_IN).writing("mine")).rejects.toMatchObject(none("mine"));
  });
});
