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
  it("goes to the keychain if there is one, and leaves no secret on the disk", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.open(), "canary-a");
    expect(sandbox.rememberedLocation).toEqual({ place: "keychain" });
    expect(await sandbox.contents()).toEqual({ keychain: "canary-a", file: undefined });
    for (const file of sandbox.filesOutsideKeychain) expect(readFileSync(file, "utf8")).not.toContain("canary");
  });

  it.each(ABSENT_REASONS)("goes to the file if there is no keychain (%s)", async (keychain) => {
    using sandbox = new Sandbox();
    await save(sandbox.open(keychain), "canary-a");
    expect(sandbox.rememberedLocation).toEqual({ place: "file" });
    expect(await sandbox.contents()).toEqual({ keychain: undefined, file: "canary-a" });
    expect((await sandbox.open(keychain).load())?.value).toBe("canary-a");
  });

  it.each(UNUSABLE_REASONS)("fails and writes nothing if the keychain is unusable (%s)", async (keychain) => {
    using sandbox = new Sandbox();
    await expect(sandbox.open(keychain).load()).rejects.toMatchObject({ reason: keychain });
    await expect(save(sandbox.open(keychain), "canary-a")).rejects.toMatchObject({ reason: keychain });
    expect(sandbox.filesOutsideKeychain).toEqual([]);
  });

  it("creates files that only their owner can read", async (ctx) => {
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

  it("is the first to choose a location: loading without a session records nothing", async () => {
    using sandbox = new Sandbox();
    expect(await sandbox.open("no_service").load()).toBeUndefined();
    expect(await sandbox.open().load()).toBeUndefined();
    expect(sandbox.filesOutsideKeychain).toEqual([]);
  });
});

describe("the recorded location", () => {
  it.each([...ABSENT_REASONS, ...UNUSABLE_REASONS])(
    "stays the keychain while the keychain cannot be accessed (%s)",
    async (keychain) => {
      using sandbox = new Sandbox();
      const version = await save(sandbox.open(), "canary-a");
      const unavailable = sandbox.open(keychain);
      const calls = [
        () => unavailable.load(),
        () => save(unavailable, "canary-b"),
        () => unavailable.save("canary-b", version),
        () => unavailable.remove(),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ reason: keychain });
      expect(sandbox.plainTextFiles).toEqual([]);
      expect(await sandbox.open().load()).toEqual({ value: "canary-a", version });
    },
  );

  it("stays the file when a keychain becomes available", async () => {
    using sandbox = new Sandbox();
    const version = await save(sandbox.open("no_service"), "canary-a");
    const store = sandbox.open();
    expect(await store.load()).toEqual({ value: "canary-a", version });
    await store.save("canary-b", version);
    expect(await sandbox.contents()).toEqual({ keychain: undefined, file: "canary-b" });
  });

  it.each(ABSENT_REASONS)(
    "defaults to the keychain if keychainStore has saved a session there (%s)",
    async (keychain) => {
      using sandbox = new Sandbox();
      await save(sandbox.keychain, "canary-a");
      await expect(save(sandbox.open(keychain), "canary-b")).rejects.toMatchObject({ reason: keychain });
      await expect(sandbox.open(keychain).remove()).rejects.toMatchObject({ reason: keychain });
      expect(sandbox.plainTextFiles).toEqual([]);
      const found = await sandbox.open().load();
      expect(found?.value).toBe("canary-a");
      await sandbox.open().save("canary-b", found?.version);
      expect(sandbox.rememberedLocation).toEqual({ place: "keychain" });
    },
  );

  it("is reset by remove(), which deletes everything", async () => {
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
    "is removed without the keychain if it is the file (%s)",
    async (keychain) => {
      using sandbox = new Sandbox();
      await save(sandbox.open("no_service"), "canary-a");
      await sandbox.open(keychain).remove();
      expect(sandbox.filesOutsideKeychain).toEqual([]);
    },
  );

  it("is an error if it is damaged, and remove() then needs the keychain as well", async () => {
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

describe("a session that fileStore has saved in the file", () => {
  it("moves to the keychain once, and gets a new version", async () => {
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

  it("also moves on a save, which fails with a conflict", async () => {
    using sandbox = new Sandbox();
    const version = await save(sandbox.file, "canary-a");
    for (const expected of [undefined, version]) {
      await expect(sandbox.open().save("canary-b", expected)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    }
    expect(await sandbox.contents()).toEqual({ keychain: "canary-a", file: undefined });
  });

  it("stays in the file if there is no keychain, and the first save records that", async () => {
    using sandbox = new Sandbox();
    const version = await save(sandbox.file, "canary-a");
    const store = sandbox.open("no_service");
    expect(await store.load()).toEqual({ value: "canary-a", version });
    expect(sandbox.rememberedLocation).toBeUndefined();
    await store.save("canary-b", version);
    expect(sandbox.rememberedLocation).toEqual({ place: "file" });
    expect((await sandbox.open().load())?.value).toBe("canary-b");
  });

  it("is ignored if the keychain has a session", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.file, "canary-a");
    await save(sandbox.keychain, "canary-b");
    expect((await sandbox.open().load())?.value).toBe("canary-b");
    expect(await sandbox.contents()).toEqual({ keychain: "canary-b", file: "canary-a" });
  });

  it("moves if the keychain is chosen but was emptied", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.open(), "canary-a");
    rmSync(join(sandbox.directory, "keychain"), { recursive: true });
    await save(sandbox.file, "canary-b");
    expect((await sandbox.open().load())?.value).toBe("canary-b");
    expect(sandbox.plainTextFiles).toEqual([]);
  });
});

describe("a copy that a migration has left in the file", () => {
  /** Sets up the state in which a process died before it removed the copy. */
  async function leaveCopy(sandbox: Sandbox, session = "canary-a"): Promise<void> {
    await save(sandbox.keychain, session);
    await sandbox.remember({ store: "keychain", migratedVersion: await save(sandbox.file, session) });
  }

  it("is removed by the next process", async () => {
    using sandbox = new Sandbox();
    await leaveCopy(sandbox);
    expect((await sandbox.open().load())?.value).toBe("canary-a");
    expect(sandbox.plainTextFiles).toEqual([]);
  });

  it("is left alone if another program has saved to the file since", async () => {
    using sandbox = new Sandbox();
    await leaveCopy(sandbox);
    await sandbox.file.save("canary-another", (await sandbox.file.load())?.version);
    expect((await sandbox.open().load())?.value).toBe("canary-a");
    expect((await sandbox.contents()).file).toBe("canary-another");
  });

  it("is removed if it has already been emptied", async () => {
    using sandbox = new Sandbox();
    await leaveCopy(sandbox);
    await sandbox.file.save("", (await sandbox.file.load())?.version);
    await sandbox.open().load();
    expect(sandbox.plainTextFiles).toEqual([]);
  });

  it("is reported by describe() if it cannot be removed, and removed on the next attempt", async () => {
    using sandbox = new Sandbox();
    // Without its version files, other text than a record would be kept as unreadable.
    const session = JSON.stringify({ schema: 1, obtainedAt: 1, spent: [], tokens: { accessToken: "canary-a" } });
    await leaveCopy(sandbox, session);
    rmSync(chainOf(sandbox), { recursive: true });
    writeFileSync(chainOf(sandbox), "in the way");
    const store = sandbox.open();
    expect((await store.load())?.value).toBe(session);
    expect(store.describe()).toContain("a copy could not be removed from the file");
    rmSync(chainOf(sandbox));
    await sandbox.remember({ store: "keychain", migratedVersion: (await sandbox.file.load())?.version });
    await store.load();
    expect(store.describe()).not.toContain("session.json");
    expect(sandbox.plainTextFiles).toEqual([]);
  });

  it("is the session, even if it has changed since, if it was not copied yet", async () => {
    using sandbox = new Sandbox();
    await save(sandbox.file, "canary-a");
    await sandbox.file.save("canary-b", (await sandbox.file.load())?.version);
    await sandbox.remember({ store: "keychain", migratedVersion: "1-of-canary-a" });
    await expect(sandbox.open("no_service").load()).rejects.toMatchObject({ reason: "no_service" });
    expect((await sandbox.open().load())?.value).toBe("canary-b");
    expect(sandbox.plainTextFiles).toEqual([]);
  });
});

describe("a session in the keychain while the file is chosen and empty", () => {
  it("stays there, and makes the keychain the chosen location", async () => {
    using sandbox = new Sandbox();
    await sandbox.remember({ store: "file" });
    await save(sandbox.keychain, "canary-a");
    expect((await sandbox.open("no_service").load())?.value).toBeUndefined();
    expect((await sandbox.open().load())?.value).toBe("canary-a");
    expect(sandbox.rememberedLocation).toEqual({ place: "keychain" });
    expect(sandbox.plainTextFiles).toEqual([]);
  });

  it.each(UNUSABLE_REASONS)("does not block a process that can only use the file (%s)", async (keychain) => {
    using sandbox = new Sandbox();
    await sandbox.remember({ store: "file" });
    const store = sandbox.open(keychain);
    expect(await store.load()).toBeUndefined();
    await save(store, "canary-a");
    expect((await sandbox.contents()).file).toBe("canary-a");
  });
});

describe("keychainOrFile", () => {
  it("describes both locations before the first save, then the chosen one", async () => {
    using sandbox = new Sandbox();
    const [first, second] = [sandbox.open(), sandbox.open()];
    expect(first.describe()).toMatch(
      /^The keychain item .* or, if there is no keychain, the file .*session\.json, in plain text$/,
    );
    await first.load();
    expect(first.describe()).toContain("or, if there is no keychain");
    await save(first, "canary-a");
    await second.load();
    for (const store of [first, second]) expect(store.describe()).not.toContain("session.json");
    await second.remove();
    expect(second.describe()).toContain("or, if there is no keychain");
    const file = sandbox.open("no_service");
    await save(file, "canary-a");
    expect(file.describe()).toBe(`The file ${join(sandbox.directory, "plain", "session.json")}, in plain text`);
  });

  it("supports what both stores support, and has the same holder as the keychain", () => {
    using sandbox = new Sandbox();
    const store = sandbox.open();
    expect(store.supports).toEqual({ compareAndSet: "host", durable: false });
    expect(store.holder?.id).toBe(sandbox.keychain.holder?.id);
  });

  it.each(["keychain", "file"] as const)("watches the %s", async (kind) => {
    using sandbox = new Sandbox();
    // Both stores must exist, because watching a missing one calls back immediately.
    const versions = { keychain: await save(sandbox.keychain, "canary-a"), file: await save(sandbox.file, "canary-a") };
    let stop: (() => void) | undefined;
    const notified = new Promise<void>((resolve) => {
      stop = sandbox.open().watch?.(resolve);
    });
    await sandbox[kind].save("canary-b", versions[kind]);
    await notified;
    stop?.();
  });

  it("reveals no secret in the recorded location, in errors or when inspected", async () => {
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

  it("throws a TypeError if plainTextFile is missing or invalid", () => {
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
