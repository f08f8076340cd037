import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createBackendLoader } from "../../src/backends/load.ts";
import { BackendRegistry, type BackendRegistryOptions, BUILT_IN_BACKENDS } from "../../src/backends/registry.ts";
import type { BuiltInBackend, KeychainBackend } from "../../src/index.ts";

const DEADLINE = 1_000;

/** Creates the backend of a package that can be loaded. It stores nothing. */
const emptyBackend = (name: string): KeychainBackend => ({
  name,
  get: async () => undefined,
  set: async () => undefined,
  delete: async () => undefined,
});

/** Creates the registry of a store on a platform with only these packages installed. */
function registryWith(
  installed: readonly BuiltInBackend[],
  { platform = "linux", chosen }: { platform?: NodeJS.Platform; chosen?: BackendRegistryOptions["chosen"] } = {},
): BackendRegistry {
  const loads = (name: BuiltInBackend) => async () => {
    if (!installed.includes(name)) throw new Error(`Cannot find package '${name}'`);
    return emptyBackend(name);
  };
  const packages = { keytar: loads("keytar"), "@napi-rs/keyring": loads("@napi-rs/keyring") };
  return new BackendRegistry({
    service: "svc",
    timeout: DEADLINE,
    chosen,
    loadBackend: createBackendLoader({ timeout: DEADLINE, platform, packages }),
  });
}

const namesOf = ({ clients }: Awaited<ReturnType<BackendRegistry["available"]>>) => clients.map(({ name }) => name);
const missingBackend = (name: string) => ({
  code: "STORE_UNAVAILABLE",
  reason: "no_backend",
  message: expect.stringContaining(name),
});

describe("forWriting", () => {
  it.each([
    { installed: BUILT_IN_BACKENDS, chosen: undefined, name: "@napi-rs/keyring" },
    { installed: ["keytar"], chosen: undefined, name: "keytar" },
    { installed: ["@napi-rs/keyring"], chosen: undefined, name: "@napi-rs/keyring" },
    { installed: BUILT_IN_BACKENDS, chosen: "keytar", name: "keytar" },
    { installed: [], chosen: emptyBackend("mine"), name: "mine" },
  ] as const)(
    "writes a new session to $name with $installed installed and $chosen chosen",
    async ({ installed, chosen, name }) => {
      expect((await registryWith(installed, { chosen }).forWriting(undefined)).name).toBe(name);
    },
  );

  it("keeps a session in its backend if others are installed", async () => {
    expect((await registryWith(BUILT_IN_BACKENDS).forWriting("keytar")).name).toBe("keytar");
  });

  it("moves a session to the chosen backend", async () => {
    expect((await registryWith(BUILT_IN_BACKENDS, { chosen: "@napi-rs/keyring" }).forWriting("keytar")).name).toBe(
      "@napi-rs/keyring",
    );
    expect((await registryWith([], { chosen: emptyBackend("mine") }).forWriting("keytar")).name).toBe("mine");
  });
});

describe("a package that cannot be loaded", () => {
  const platforms = ["linux", "darwin", "win32"] as const;

  it.each(platforms)("is reported as missing when a new session is written, on %s", async (platform) => {
    await expect(registryWith([], { platform }).forWriting(undefined)).rejects.toMatchObject(
      missingBackend("@napi-rs/keyring"),
    );
    const chosen = registryWith(["@napi-rs/keyring"], { platform, chosen: "keytar" });
    await expect(chosen.forWriting(undefined)).rejects.toMatchObject(missingBackend("keytar"));
  });

  it.each(["darwin", "win32"] as const)("is reported as missing when items are looked for, on %s", async (platform) => {
    await expect(registryWith([], { platform }).available()).rejects.toMatchObject(missingBackend("@napi-rs/keyring"));
    const chosen = registryWith(["@napi-rs/keyring"], { platform, chosen: "keytar" });
    await expect(chosen.available()).rejects.toMatchObject(missingBackend("keytar"));
  });

  it.each(platforms)(
    "is reported as missing when its session is written, with both remedies, on %s",
    async (platform) => {
      const error = await registryWith(["@napi-rs/keyring"], { platform })
        .forWriting("keytar")
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject(missingBackend("keytar"));
      expect(inspect(error)).toContain("npm install keytar");
      expect(inspect(error)).toContain('set the "backend" option');
      expect(inspect(error)).toContain("Cannot find package");
    },
  );

  it("is not needed to read and delete on Linux", async () => {
    const registry = registryWith(["@napi-rs/keyring"]);
    expect((await registry.forName("keytar")).name).toBe("keytar");
    expect(namesOf(await registry.available())).toEqual(["@napi-rs/keyring", "keytar"]);
    expect(namesOf(await registryWith(["keytar"]).available())).toEqual(["keytar", "@napi-rs/keyring"]);
    expect(await registryWith([]).available()).toMatchObject({
      clients: [{ name: "@napi-rs/keyring" }, { name: "keytar" }],
      missing: missingBackend("@napi-rs/keyring"),
    });
  });

  it.each(["darwin", "win32"] as const)("is needed to read on %s", async (platform) => {
    const registry = registryWith(["@napi-rs/keyring"], { platform });
    const reading = registry.forName("keytar");
    await expect(reading).rejects.toMatchObject(missingBackend("keytar"));
    await expect(reading).rejects.not.toMatchObject({ message: expect.stringContaining('set the "backend" option') });
    expect(namesOf(await registry.available())).toEqual(["@napi-rs/keyring"]);
  });

  it("is loaded when it has been installed later", async () => {
    const installed: BuiltInBackend[] = [];
    const registry = registryWith(installed);
    await expect(registry.forWriting(undefined)).rejects.toMatchObject(missingBackend("@napi-rs/keyring"));
    installed.push("keytar");
    expect((await registry.forWriting(undefined)).name).toBe("keytar");
  });
});

describe("a custom backend", () => {
  it("is the only one that is available", async () => {
    expect(namesOf(await registryWith(BUILT_IN_BACKENDS, { chosen: emptyBackend("mine") }).available())).toEqual([
      "mine",
    ]);
  });

  it("is reported as missing if it is no longer passed", async () => {
    await expect(registryWith(BUILT_IN_BACKENDS).forName("mine")).rejects.toMatchObject(missingBackend("mine"));
    await expect(registryWith(BUILT_IN_BACKENDS).forWriting("mine")).rejects.toMatchObject(missingBackend("mine"));
  });
});
