import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import type { TokenStore } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { keychainOrFile } from "../../src/index.ts";
import { Sandbox } from "../support/sandbox.ts";

const ABSENT_REASONS = ["no_service", "no_backend"] as const;
const UNUSABLE_REASONS = ["locked", "timeout"] as const;
const save = (store: TokenStore, value: string) => store.save(value, undefined);
const chainOf = (sandbox: Sandbox) => join(sandbox.directory, "plain", ".session.json.unexpired");

describe("the first save", () => {
  it("goes to the keychain where there is one, and nothing of it to the disk", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.open(), "canary-a");
    expect(sandbox.rememberedLocation).toEqual({ place: "keychain" });
    expect(await sandbox.contents()).toEqual({ keychain: "canary-a", file: undefined });
    for (const file of sandbox.filesOutsideKeychain) expect(readFileSync(file, "utf8")).not.toContain("canary");
  });

  it.each(ABSENT_REASONS)("goes to the file where there is none (%s)", async (keychain) => {
    using sandbox = new Sandbox();
    await save(sandbox.open(keychain), "canary-a");
    expect(sandbox.rememberedLocation).toEqual({ place: "file" });
    expect(await sandbox.contents()).toEqual({ keychain: undefined, file: "canary-a" });
    expect((await sandbox.open(keychain).load())?.value).toBe("canary-a");
  });

  it.each(UNUSABLE_REASONS)("goes nowhere where there is one that is no use now (%s)", async (keychain) => {
    using sandbox = new Sandbox();
    await expect(sandbox.open(keychain).load()).rejects.toMatchObject({ reason: keychain });
    await expect(save(sandbox.open(keychain), "canary-a")).rejects.toMatchObject({ reason: keychain });
    expect(sandbox.filesOutsideKeychain).toEqual([]);
  });

  it("makes files that only their owner may read", async (ctx) => {
    if (process.platform === "win32") ctx.skip("not applicable: Windows has no modes");
    using sandbox = new Sandbox();
    const store = sandbox.open("no_service");
    await store.save("canary-b", await save(store, "canary-a"));
    expect(sandbox.filesOutsideKeychain.length).toBeGreaterThan(2);
    for (const file of sandbox.filesOutsideKeychain) {
      expect((statSync(file).mode & 0o777).toString(8), file).toBe("600");
      expect((statSync(dirname(file)).mode & 0o777).toString(8), file).toBe("700");
    }
  });

  it("comes after nothing that is remembered: loading an empty place is no choice", async () => {
    using sandbox = new Sandbox();
    expect(await sandbox.open("no_service").load()).toBeUndefined();
    expect(await sandbox.open().load()).toBeUndefined();
    expect(sandbox.filesOutsideKeychain).toEqual([]);
  });
});

describe("what is remembered", () => {
  it.each([...ABSENT_REASONS, ...UNUSABLE_REASONS])("is the keychain, also while it is away (%s)", async (keychain) => {
    using sandbox = new Sandbox();
    const version = await save(sandbox.open(), "canary-a");
    const away = sandbox.open(keychain);
    const calls = [
      () => away.load(),
      () => save(away, "canary-b"),
      () => away.save("canary-b", version),
      () => away.remove(),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ reason: keychain });
    expect(sandbox.plainTextFiles).toEqual([]);
    expect(await sandbox.open().load()).toEqual({ value: "canary-a", version });
  });

  it("is the file, also when a keychain comes", async () => {
    using sandbox = new Sandbox();
    const version = await save(sandbox.open("no_service"), "canary-a");
    const store = sandbox.open();
    expect(await store.load()).toEqual({ value: "canary-a", version });
    await store.save("canary-b", version);
    expect(await sandbox.contents()).toEqual({ keychain: undefined, file: "canary-b" });
  });

  it.each(ABSENT_REASONS)("is the keychain where an earlier version has a session in it (%s)", async (keychain) => {
    using sandbox = new Sandbox();
    await save(sandbox.keychain, "canary-a");
    await expect(save(sandbox.open(keychain), "canary-b")).rejects.toMatchObject({ reason: keychain });
    await expect(sandbox.open(keychain).remove()).rejects.toMatchObject({ reason: keychain });
    expect(sandbox.plainTextFiles).toEqual([]);
    const found = await sandbox.open().load();
    expect(found?.value).toBe("canary-a");
    await sandbox.open().save("canary-b", found?.version);
    expect(sandbox.rememberedLocation).toEqual({ place: "keychain" });
  });

  it("is forgotten by remove(), with everything", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.open("no_service"), "canary-a");
    await save(sandbox.keychain, "canary-another");
    writeFileSync(join(sandbox.directory, "state", "unrelated"), "");
    await sandbox.open().remove();
    expect(sandbox.rememberedLocation).toBeUndefined();
    expect(await sandbox.contents()).toEqual({ keychain: undefined, file: undefined });
    await save(sandbox.open(), "canary-b");
    expect(await sandbox.contents()).toEqual({ keychain: "canary-b", file: undefined });
    await sandbox.open().remove();
    expect(sandbox.filesOutsideKeychain).toEqual([join(sandbox.directory, "state", "unrelated")]);
  });

  it.each([...ABSENT_REASONS, ...UNUSABLE_REASONS])(
    "being the file, it is removed whatever the keychain does (%s)",
    async (keychain) => {
      using sandbox = new Sandbox();
      await save(sandbox.open("no_service"), "canary-a");
      await sandbox.open(keychain).remove();
      expect(sandbox.filesOutsideKeychain).toEqual([]);
    },
  );

  it("that cannot be read is an error, and no reason for the other place; remove() needs both then", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.open("no_service"), "canary-a");
    for (const damage of ['{"pla', '{"place":"elsewhere"}', '{"place":"file","moved":1}', ""]) {
      sandbox.damageLocationFile(damage);
      const store = sandbox.open("no_service");
      await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
      await expect(save(store, "canary-b")).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
      await expect(store.remove()).rejects.toMatchObject({ reason: "no_service" });
    }
    expect((await sandbox.contents()).file).toBe("canary-a");
    await sandbox.open().remove();
    expect(sandbox.filesOutsideKeychain).toEqual([]);
  });
});

describe("a session in the file that an earlier version has left", () => {
  it("moves to the keychain once, with another version", async () => {
    using sandbox = new Sandbox();
    const version = await save(sandbox.file, "canary-a");
    const store = sandbox.open();
    const found = await store.load();
    expect(found?.value).toBe("canary-a");
    expect(found?.version).not.toBe(version);
    expect(await sandbox.contents()).toEqual({ keychain: "canary-a", file: undefined });
    expect(sandbox.plainTextFiles).toEqual([]);
    await expect(store.save("canary-b", version)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    await store.save("canary-b", found?.version);
    await save(sandbox.file, "canary-another");
    expect((await sandbox.open().load())?.value).toBe("canary-b");
    expect(await sandbox.contents()).toEqual({ keychain: "canary-b", file: "canary-another" });
  });

  it("moves with a save as well, which is told to look again", async () => {
    using sandbox = new Sandbox();
    const version = await save(sandbox.file, "canary-a");
    for (const expected of [undefined, version]) {
      await expect(sandbox.open().save("canary-b", expected)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    }
    expect(await sandbox.contents()).toEqual({ keychain: "canary-a", file: undefined });
  });

  it("is used where it is without a keychain, and the first save remembers that", async () => {
    using sandbox = new Sandbox();
    const version = await save(sandbox.file, "canary-a");
    const store = sandbox.open("no_service");
    expect(await store.load()).toEqual({ value: "canary-a", version });
    expect(sandbox.rememberedLocation).toBeUndefined();
    await store.save("canary-b", version);
    expect(sandbox.rememberedLocation).toEqual({ place: "file" });
    expect((await sandbox.open().load())?.value).toBe("canary-b");
  });

  it("stays where it is while the keychain has one of its own", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.file, "canary-a");
    await save(sandbox.keychain, "canary-b");
    expect((await sandbox.open().load())?.value).toBe("canary-b");
    expect(await sandbox.contents()).toEqual({ keychain: "canary-b", file: "canary-a" });
  });

  it("is found when the chosen keychain was emptied", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.open(), "canary-a");
    rmSync(join(sandbox.directory, "keychain"), { recursive: true });
    await save(sandbox.file, "canary-b");
    expect((await sandbox.open().load())?.value).toBe("canary-b");
    expect(sandbox.plainTextFiles).toEqual([]);
  });
});

describe("what a move has left in the file", () => {
  /** As if a process had died before it removed the copy. */
  async function moved(sandbox: Sandbox): Promise<void> {
    await save(sandbox.keychain, "canary-a");
    await sandbox.remember({ store: "keychain", migratedVersion: await save(sandbox.file, "canary-a") });
  }

  it("is removed by whoever comes next", async () => {
    using sandbox = new Sandbox();
    await moved(sandbox);
    expect((await sandbox.open().load())?.value).toBe("canary-a");
    expect(sandbox.plainTextFiles).toEqual([]);
  });

  it("is left alone where another program has saved since", async () => {
    using sandbox = new Sandbox();
    await moved(sandbox);
    await sandbox.file.save("canary-another", (await sandbox.file.load())?.version);
    expect((await sandbox.open().load())?.value).toBe("canary-a");
    expect((await sandbox.contents()).file).toBe("canary-another");
  });

  it("is removed where it was emptied already", async () => {
    using sandbox = new Sandbox();
    await moved(sandbox);
    await sandbox.file.save("", (await sandbox.file.load())?.version);
    await sandbox.open().load();
    expect(sandbox.plainTextFiles).toEqual([]);
  });

  it("is told of where it cannot be removed, and tried again", async () => {
    using sandbox = new Sandbox();
    await moved(sandbox);
    rmSync(chainOf(sandbox), { recursive: true });
    writeFileSync(chainOf(sandbox), "in the way");
    const store = sandbox.open();
    expect((await store.load())?.value).toBe("canary-a");
    expect(store.describe()).toContain("a copy that could not be removed in the file");
    rmSync(chainOf(sandbox));
    await sandbox.remember({ store: "keychain", migratedVersion: (await sandbox.file.load())?.version });
    await store.load();
    expect(store.describe()).not.toContain("session.json");
    expect(sandbox.plainTextFiles).toEqual([]);
  });

  it("is the session, whatever it is by now, where nothing was copied yet", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.file, "canary-a");
    await sandbox.file.save("canary-b", (await sandbox.file.load())?.version);
    await sandbox.remember({ store: "keychain", migratedVersion: "1-of-canary-a" });
    await expect(sandbox.open("no_service").load()).rejects.toMatchObject({ reason: "no_service" });
    expect((await sandbox.open().load())?.value).toBe("canary-b");
    expect(sandbox.plainTextFiles).toEqual([]);
  });
});

describe("a session in the keychain where the file is remembered and empty", () => {
  it("stays there, and the keychain is remembered", async () => {
    using sandbox = new Sandbox();
    await sandbox.remember({ store: "file" });
    await save(sandbox.keychain, "canary-a");
    expect((await sandbox.open("no_service").load())?.value).toBeUndefined();
    expect((await sandbox.open().load())?.value).toBe("canary-a");
    expect(sandbox.rememberedLocation).toEqual({ place: "keychain" });
    expect(sandbox.plainTextFiles).toEqual([]);
  });

  it.each(UNUSABLE_REASONS)("does not hold up who has the file (%s)", async (keychain) => {
    using sandbox = new Sandbox();
    await sandbox.remember({ store: "file" });
    const store = sandbox.open(keychain);
    expect(await store.load()).toBeUndefined();
    await save(store, "canary-a");
    expect((await sandbox.contents()).file).toBe("canary-a");
  });
});

describe("a store for either", () => {
  it("says where the session is: both places at first, then the one", async () => {
    using sandbox = new Sandbox();
    const [one, other] = [sandbox.open(), sandbox.open()];
    expect(one.describe()).toMatch(
      /^The keychain item .* or, where there is no keychain, the file .*session\.json, in plain text$/,
    );
    await one.load();
    expect(one.describe()).toContain("or, where there is no keychain");
    await save(one, "canary-a");
    await other.load();
    for (const store of [one, other]) expect(store.describe()).not.toContain("session.json");
    await other.remove();
    expect(other.describe()).toContain("or, where there is no keychain");
    const file = sandbox.open("no_service");
    await save(file, "canary-a");
    expect(file.describe()).toBe(`The file ${join(sandbox.directory, "plain", "session.json")}, in plain text`);
  });

  it("claims no more than the lesser of both, and is the same holder", () => {
    using sandbox = new Sandbox();
    const store = sandbox.open();
    expect(store.supports).toEqual({ compareAndSet: "host", durable: false });
    expect(store.holder?.id).toBe(sandbox.keychain.holder?.id);
  });

  it.each(["keychain", "file"] as const)("watches both: the %s", async (where) => {
    using sandbox = new Sandbox();
    // Both are there: to watch what is not calls back at once.
    const versions = { keychain: await save(sandbox.keychain, "canary-a"), file: await save(sandbox.file, "canary-a") };
    let stop: (() => void) | undefined;
    const heard = new Promise<void>((resolve) => {
      stop = sandbox.open().watch?.(resolve);
    });
    await sandbox[where].save("canary-b", versions[where]);
    await heard;
    stop?.();
  });

  it("shows no secret in what it remembers or throws", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.file, "canary-a");
    const store = sandbox.open();
    await store.load();
    const errors = await Promise.allSettled([
      save(store, "canary-b"),
      sandbox.open("locked").load(),
      sandbox.open("locked").remove(),
    ]);
    expect(errors.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    const printed = inspect([store, errors, sandbox.rememberedLocation, store.describe()], {
      depth: 8,
      showHidden: true,
    });
    expect(printed).not.toContain("canary");
  });

  it("wants to be told where plain text is allowed", () => {
    using sandbox = new Sandbox();
    const { plainTextFile: _file, ...keychain } = sandbox.options;
    const open = (options: object) => () => keychainOrFile(options as never);
    expect(open(keychain)).toThrow(/"plainTextFile" .* use keychainStore/);
    expect(open({ ...keychain, plainTextFile: "session.json" })).toThrow(TypeError);
    expect(open({ ...keychain, plainTextFile: {} })).toThrow(/"plainTextFile" .*exactly one of "path" and "appName"/);
    expect(open({ ...sandbox.options, service: "" })).toThrow(/"service"/);
    expect(existsSync(join(sandbox.directory, "plain"))).toBe(false);
  });
});
