import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import type { TokenStore } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { keychainOrFile } from "../../src/index.ts";
import { Place } from "../support/sandbox.ts";

const ABSENT = ["no_service", "no_backend"] as const;
const TROUBLED = ["locked", "timeout"] as const;
const save = (store: TokenStore, value: string) => store.save(value, undefined);
const chainOf = (place: Place) => join(place.directory, "plain", ".session.json.unexpired");

describe("the first save", () => {
  it("goes to the keychain where there is one, and nothing of it to the disk", async () => {
    using place = new Place();
    await save(place.open(), "canary-a");
    expect(place.choice).toEqual({ place: "keychain" });
    expect(await place.held()).toEqual({ keychain: "canary-a", file: undefined });
    for (const file of place.outside) expect(readFileSync(file, "utf8")).not.toContain("canary");
  });

  it.each(ABSENT)("goes to the file where there is none (%s)", async (keychain) => {
    using place = new Place();
    await save(place.open(keychain), "canary-a");
    expect(place.choice).toEqual({ place: "file" });
    expect(await place.held()).toEqual({ keychain: undefined, file: "canary-a" });
    expect((await place.open(keychain).load())?.value).toBe("canary-a");
  });

  it.each(TROUBLED)("goes nowhere where there is one that is no use now (%s)", async (keychain) => {
    using place = new Place();
    await expect(place.open(keychain).load()).rejects.toMatchObject({ reason: keychain });
    await expect(save(place.open(keychain), "canary-a")).rejects.toMatchObject({ reason: keychain });
    expect(place.outside).toEqual([]);
  });

  it("makes files that only their owner may read", async (ctx) => {
    if (process.platform === "win32") ctx.skip("not applicable: Windows has no modes");
    using place = new Place();
    const store = place.open("no_service");
    await store.save("canary-b", await save(store, "canary-a"));
    expect(place.outside.length).toBeGreaterThan(2);
    for (const file of place.outside) {
      expect((statSync(file).mode & 0o777).toString(8), file).toBe("600");
      expect((statSync(dirname(file)).mode & 0o777).toString(8), file).toBe("700");
    }
  });

  it("comes after nothing that is remembered: loading an empty place is no choice", async () => {
    using place = new Place();
    expect(await place.open("no_service").load()).toBeUndefined();
    expect(await place.open().load()).toBeUndefined();
    expect(place.outside).toEqual([]);
  });
});

describe("what is remembered", () => {
  it.each([...ABSENT, ...TROUBLED])("is the keychain, also while it is away (%s)", async (keychain) => {
    using place = new Place();
    const version = await save(place.open(), "canary-a");
    const away = place.open(keychain);
    const calls = [
      () => away.load(),
      () => save(away, "canary-b"),
      () => away.save("canary-b", version),
      () => away.remove(),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ reason: keychain });
    expect(place.plain).toEqual([]);
    expect(await place.open().load()).toEqual({ value: "canary-a", version });
  });

  it("is the file, also when a keychain comes", async () => {
    using place = new Place();
    const version = await save(place.open("no_service"), "canary-a");
    const store = place.open();
    expect(await store.load()).toEqual({ value: "canary-a", version });
    await store.save("canary-b", version);
    expect(await place.held()).toEqual({ keychain: undefined, file: "canary-b" });
  });

  it.each(ABSENT)("is the keychain where an earlier version has a session in it (%s)", async (keychain) => {
    using place = new Place();
    await save(place.keychain, "canary-a");
    await expect(save(place.open(keychain), "canary-b")).rejects.toMatchObject({ reason: keychain });
    await expect(place.open(keychain).remove()).rejects.toMatchObject({ reason: keychain });
    expect(place.plain).toEqual([]);
    const found = await place.open().load();
    expect(found?.value).toBe("canary-a");
    await place.open().save("canary-b", found?.version);
    expect(place.choice).toEqual({ place: "keychain" });
  });

  it("is forgotten by remove(), with everything", async () => {
    using place = new Place();
    await save(place.open("no_service"), "canary-a");
    await save(place.keychain, "canary-another");
    writeFileSync(join(place.directory, "state", "unrelated"), "");
    await place.open().remove();
    expect(place.choice).toBeUndefined();
    expect(await place.held()).toEqual({ keychain: undefined, file: undefined });
    await save(place.open(), "canary-b");
    expect(await place.held()).toEqual({ keychain: "canary-b", file: undefined });
    await place.open().remove();
    expect(place.outside).toEqual([join(place.directory, "state", "unrelated")]);
  });

  it.each([...ABSENT, ...TROUBLED])(
    "being the file, it is removed whatever the keychain does (%s)",
    async (keychain) => {
      using place = new Place();
      await save(place.open("no_service"), "canary-a");
      await place.open(keychain).remove();
      expect(place.outside).toEqual([]);
    },
  );

  it("that cannot be read is an error, and no reason for the other place; remove() needs both then", async () => {
    using place = new Place();
    await save(place.open("no_service"), "canary-a");
    for (const damage of ['{"pla', '{"place":"elsewhere"}', '{"place":"file","moved":1}', ""]) {
      place.damageChoice(damage);
      const store = place.open("no_service");
      await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
      await expect(save(store, "canary-b")).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
      await expect(store.remove()).rejects.toMatchObject({ reason: "no_service" });
    }
    expect((await place.held()).file).toBe("canary-a");
    await place.open().remove();
    expect(place.outside).toEqual([]);
  });
});

describe("a session in the file that an earlier version has left", () => {
  it("moves to the keychain once, with another version", async () => {
    using place = new Place();
    const version = await save(place.file, "canary-a");
    const store = place.open();
    const found = await store.load();
    expect(found?.value).toBe("canary-a");
    expect(found?.version).not.toBe(version);
    expect(await place.held()).toEqual({ keychain: "canary-a", file: undefined });
    expect(place.plain).toEqual([]);
    await expect(store.save("canary-b", version)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    await store.save("canary-b", found?.version);
    await save(place.file, "canary-another");
    expect((await place.open().load())?.value).toBe("canary-b");
    expect(await place.held()).toEqual({ keychain: "canary-b", file: "canary-another" });
  });

  it("moves with a save as well, which is told to look again", async () => {
    using place = new Place();
    const version = await save(place.file, "canary-a");
    for (const expected of [undefined, version]) {
      await expect(place.open().save("canary-b", expected)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    }
    expect(await place.held()).toEqual({ keychain: "canary-a", file: undefined });
  });

  it("is used where it is without a keychain, and the first save remembers that", async () => {
    using place = new Place();
    const version = await save(place.file, "canary-a");
    const store = place.open("no_service");
    expect(await store.load()).toEqual({ value: "canary-a", version });
    expect(place.choice).toBeUndefined();
    await store.save("canary-b", version);
    expect(place.choice).toEqual({ place: "file" });
    expect((await place.open().load())?.value).toBe("canary-b");
  });

  it("stays where it is while the keychain has one of its own", async () => {
    using place = new Place();
    await save(place.file, "canary-a");
    await save(place.keychain, "canary-b");
    expect((await place.open().load())?.value).toBe("canary-b");
    expect(await place.held()).toEqual({ keychain: "canary-b", file: "canary-a" });
  });

  it("is found when the chosen keychain was emptied", async () => {
    using place = new Place();
    await save(place.open(), "canary-a");
    rmSync(join(place.directory, "keychain"), { recursive: true });
    await save(place.file, "canary-b");
    expect((await place.open().load())?.value).toBe("canary-b");
    expect(place.plain).toEqual([]);
  });
});

describe("what a move has left in the file", () => {
  /** As if a process had died before it removed the copy. */
  async function moved(place: Place): Promise<void> {
    await save(place.keychain, "canary-a");
    await place.choose({ place: "keychain", moved: await save(place.file, "canary-a") });
  }

  it("is removed by whoever comes next", async () => {
    using place = new Place();
    await moved(place);
    expect((await place.open().load())?.value).toBe("canary-a");
    expect(place.plain).toEqual([]);
  });

  it("is left alone where another program has saved since", async () => {
    using place = new Place();
    await moved(place);
    await place.file.save("canary-another", (await place.file.load())?.version);
    expect((await place.open().load())?.value).toBe("canary-a");
    expect((await place.held()).file).toBe("canary-another");
  });

  it("is removed where it was emptied already", async () => {
    using place = new Place();
    await moved(place);
    await place.file.save("", (await place.file.load())?.version);
    await place.open().load();
    expect(place.plain).toEqual([]);
  });

  it("is told of where it cannot be removed, and tried again", async () => {
    using place = new Place();
    await moved(place);
    rmSync(chainOf(place), { recursive: true });
    writeFileSync(chainOf(place), "in the way");
    const store = place.open();
    expect((await store.load())?.value).toBe("canary-a");
    expect(store.describe()).toContain("a copy that could not be removed in the file");
    rmSync(chainOf(place));
    await place.choose({ place: "keychain", moved: (await place.file.load())?.version });
    await store.load();
    expect(store.describe()).not.toContain("session.json");
    expect(place.plain).toEqual([]);
  });

  it("is the session, whatever it is by now, where nothing was copied yet", async () => {
    using place = new Place();
    await save(place.file, "canary-a");
    await place.file.save("canary-b", (await place.file.load())?.version);
    await place.choose({ place: "keychain", moved: "1-of-canary-a" });
    await expect(place.open("no_service").load()).rejects.toMatchObject({ reason: "no_service" });
    expect((await place.open().load())?.value).toBe("canary-b");
    expect(place.plain).toEqual([]);
  });
});

describe("a session in the keychain where the file is remembered and empty", () => {
  it("stays there, and the keychain is remembered", async () => {
    using place = new Place();
    await place.choose({ place: "file" });
    await save(place.keychain, "canary-a");
    expect((await place.open("no_service").load())?.value).toBeUndefined();
    expect((await place.open().load())?.value).toBe("canary-a");
    expect(place.choice).toEqual({ place: "keychain" });
    expect(place.plain).toEqual([]);
  });

  it.each(TROUBLED)("does not hold up who has the file (%s)", async (keychain) => {
    using place = new Place();
    await place.choose({ place: "file" });
    const store = place.open(keychain);
    expect(await store.load()).toBeUndefined();
    await save(store, "canary-a");
    expect((await place.held()).file).toBe("canary-a");
  });
});

describe("a store for either", () => {
  it("says where the session is: both places at first, then the one", async () => {
    using place = new Place();
    const [one, other] = [place.open(), place.open()];
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
    const file = place.open("no_service");
    await save(file, "canary-a");
    expect(file.describe()).toBe(`The file ${join(place.directory, "plain", "session.json")}, in plain text`);
  });

  it("claims no more than the lesser of both, and is the same holder", () => {
    using place = new Place();
    const store = place.open();
    expect(store.supports).toEqual({ compareAndSet: "host", durable: false });
    expect(store.holder?.id).toBe(place.keychain.holder?.id);
  });

  it.each(["keychain", "file"] as const)("watches both: the %s", async (where) => {
    using place = new Place();
    // Both are there: to watch what is not calls back at once.
    const versions = { keychain: await save(place.keychain, "canary-a"), file: await save(place.file, "canary-a") };
    let stop: (() => void) | undefined;
    const heard = new Promise<void>((resolve) => {
      stop = place.open().watch?.(resolve);
    });
    await place[where].save("canary-b", versions[where]);
    await heard;
    stop?.();
  });

  it("shows no secret in what it remembers or throws", async () => {
    using place = new Place();
    await save(place.file, "canary-a");
    const store = place.open();
    await store.load();
    const errors = await Promise.allSettled([
      save(store, "canary-b"),
      place.open("locked").load(),
      place.open("locked").remove(),
    ]);
    expect(errors.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    const printed = inspect([store, errors, place.choice, store.describe()], { depth: 8, showHidden: true });
    expect(printed).not.toContain("canary");
  });

  it("wants to be told where plain text is allowed", () => {
    using place = new Place();
    const { plainTextFile: _file, ...keychain } = place.options;
    const open = (options: object) => () => keychainOrFile(options as never);
    expect(open(keychain)).toThrow(/"plainTextFile" .* use keychainStore/);
    expect(open({ ...keychain, plainTextFile: "session.json" })).toThrow(TypeError);
    expect(open({ ...keychain, plainTextFile: {} })).toThrow(/"plainTextFile" .*exactly one of "path" and "appName"/);
    expect(open({ ...place.options, service: "" })).toThrow(/"service"/);
    expect(existsSync(join(place.directory, "plain"))).toBe(false);
  });
});
