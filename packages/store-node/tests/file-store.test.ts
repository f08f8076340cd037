import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { StoreConflictError } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, test } from "vitest";
import { chainOf, freshDirectory, freshPath, generationsOf, textOf } from "./support.ts";

describe("one string", () => {
  test.each([
    ["a JSON text", '{"a":1}'],
    ["an empty text", ""],
    ["text of every plane", "é ← \u{1F510} \u2028 \0 \uFEFFx"],
    ["a lone surrogate", "\uD83D."],
    ["64 kB", "0123456789abcdef".repeat(4096)],
  ])("%s comes back as it was", async (_name, value) => {
    const path = freshPath();
    const version = await fileStore({ path }).save(value, undefined);
    const first = fileStore({ path });
    expect(await first.load()).toEqual({ value, version });
    expect(await first.load()).toEqual({ value, version });
    expect(textOf(path)).toBe(Buffer.from(value).toString());
  });

  test("without a session there is nothing, and nothing is created", async () => {
    const path = join(freshDirectory(), "a", "b", "session.json");
    expect(await fileStore({ path }).load()).toBeUndefined();
    expect(existsSync(join(path, "../.."))).toBe(false);
  });

  test("a store says what it can do, and shows nothing of the session", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("secret-1", undefined);
    await store.load();
    expect(store.supports).toEqual({ compareAndSet: "host", durable: true });
    expect(store.describe()).toBe(path);
    expect(inspect(store, { depth: 9, showHidden: true }) + JSON.stringify(store)).not.toContain("secret-1");
  });

  test("two sessions in one directory do not mix", async () => {
    const directory = freshDirectory();
    const [a, b] = [fileStore({ path: join(directory, "a") }), fileStore({ path: join(directory, "b") })];
    await a.save("of a", undefined);
    await b.save("of b", undefined);
    await a.remove();
    expect(await a.load()).toBeUndefined();
    expect((await b.load())?.value).toBe("of b");
  });
});

describe("compare and set", () => {
  test("saves over the expected version only", async () => {
    const path = freshPath();
    const [store, other] = [fileStore({ path }), fileStore({ path })];
    const first = await store.save("1", undefined);
    const second = await other.save("2", first);
    await expect(store.save("late", first)).rejects.toThrow(StoreConflictError);
    await expect(store.save("late", undefined)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect(await store.load()).toEqual({ value: "2", version: second });
    expect(await store.save("3", second)).not.toBe(second);
    expect(textOf(path)).toBe("3");
  });

  test("an expected version where there is none is a conflict, and makes no directory", async () => {
    const path = join(freshDirectory(), "missing", "session.json");
    await expect(fileStore({ path }).save("1", "1-abc")).rejects.toThrow(StoreConflictError);
    expect(existsSync(dirname(path))).toBe(false);
  });

  test("of many saves over one version one wins", async () => {
    const path = freshPath();
    const version = await fileStore({ path }).save("start", undefined);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => fileStore({ path }).save(`by ${index}`, version)),
    );
    const winners = outcomes.flatMap(({ status }, index) => (status === "fulfilled" ? [index] : []));
    expect(winners).toHaveLength(1);
    expect((await fileStore({ path }).load())?.value).toBe(`by ${winners[0]}`);
    expect(textOf(path)).toBe(`by ${winners[0]}`);
  });

  test("a version never comes again, also when the same text does", async () => {
    const path = freshPath();
    const [store, watching] = [fileStore({ path }), fileStore({ path })];
    const versions: string[] = [];
    for (let round = 0; round < 20; round++) {
      const version = await store.save("same", undefined);
      expect(await watching.load()).toEqual({ value: "same", version });
      versions.push(version);
      await store.remove();
    }
    expect(new Set(versions).size).toBe(20);
    await store.save("same", undefined);
    for (const version of versions) await expect(store.save("late", version)).rejects.toThrow(StoreConflictError);
  });

  test("few old generations are kept, and no temporary file", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    let version: string | undefined;
    for (let number = 1; number <= 9; number++) version = await store.save(`secret ${number}`, version);
    expect(readdirSync(chainOf(path)).sort()).toEqual(["7", "8", "9"]);
  });
});

describe("remove", () => {
  test("leaves nothing, twice, and a session can begin anew", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("1", undefined);
    await store.remove();
    expect(readdirSync(dirname(path))).toEqual([]);
    expect(await store.load()).toBeUndefined();
    await store.remove();
    await store.save("2", undefined);
    expect(generationsOf(path)).toEqual([1]);
  });

  test("also removes a session that another program wrote", async () => {
    const path = freshPath();
    writeFileSync(path, "foreign");
    await fileStore({ path }).remove();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test("finishes a removal that was interrupted", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("1", undefined);
    mkdirSync(join(dirname(path), ".session.json.unexpired-removed"));
    writeFileSync(join(dirname(path), ".session.json.unexpired-removed", "1"), "old");
    await store.remove();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test("where there is no directory there is nothing to do", async () => {
    const directory = freshDirectory();
    await fileStore({ path: join(directory, "missing", "session.json") }).remove();
    expect(readdirSync(directory)).toEqual([]);
  });

  test("never removes a directory that stands in the file's place", async () => {
    const path = freshPath();
    mkdirSync(path);
    writeFileSync(join(path, "precious"), "");
    await expect(fileStore({ path }).remove()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(readdirSync(path)).toEqual(["precious"]);
  });
});

describe("symbolic links", () => {
  test("are followed and stay", async () => {
    const directory = freshDirectory();
    const [real, link] = [join(directory, "real.json"), join(directory, "link.json")];
    writeFileSync(real, "foreign");
    symlinkSync("real.json", link);
    const store = fileStore({ path: link });
    await store.save("1", (await store.load())?.version);
    expect(readlinkSync(link)).toBe("real.json");
    expect(lstatSync(real).isFile()).toBe(true);
    expect(textOf(real)).toBe("1");
    expect((await fileStore({ path: real }).load())?.value).toBe("1");
  });

  test("lead to a session that is yet to come", async () => {
    const directory = freshDirectory();
    const link = join(directory, "link.json");
    symlinkSync("deep/real.json", link);
    await fileStore({ path: link }).save("1", undefined);
    expect(readlinkSync(link)).toBe("deep/real.json");
    expect((await fileStore({ path: join(directory, "deep/real.json") }).load())?.value).toBe("1");
  });

  test("of directories lead to one session", async () => {
    const directory = freshDirectory();
    mkdirSync(join(directory, "real"));
    symlinkSync("real", join(directory, "link"));
    const version = await fileStore({ path: join(directory, "link", "s") }).save("1", undefined);
    expect(await fileStore({ path: join(directory, "real", "s") }).load()).toEqual({ value: "1", version });
  });

  test("in a circle are an error", async () => {
    const path = freshPath();
    symlinkSync("session.json", path);
    await expect(fileStore({ path }).load()).rejects.toMatchObject({ code: "STORE_UNREADABLE", place: path });
  });
});

describe("for the owner only", () => {
  test("files are 0600 and created directories 0700, existing ones are left alone", async () => {
    const path = join(freshDirectory(), "new", "session.json");
    const before = statSync(dirname(dirname(path))).mode;
    await fileStore({ path }).save("1", undefined);
    const modeOf = (name: string) => statSync(name).mode & 0o777;
    expect(modeOf(path)).toBe(0o600);
    expect(modeOf(join(chainOf(path), "1"))).toBe(0o600);
    expect(modeOf(chainOf(path))).toBe(0o700);
    expect(modeOf(dirname(path))).toBe(0o700);
    expect(statSync(dirname(dirname(path))).mode).toBe(before);
  });

  test("an open session file of another program becomes private", async () => {
    const path = freshPath();
    writeFileSync(path, "foreign", { mode: 0o644 });
    const store = fileStore({ path });
    await store.save("1", (await store.load())?.version);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});

describe("a directory that vanishes", () => {
  test("is not taken for the end of the session by who has seen it", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("1", undefined);
    rmSync(dirname(path), { recursive: true });
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", place: path });
    mkdirSync(dirname(path));
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect(store.save("2", "1-abc")).rejects.toThrow(StoreConflictError);
    expect(await fileStore({ path }).load()).toBeUndefined();
  });

  test("nor after a save that met the conflict (P2)", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const version = await store.save("1", undefined);
    rmSync(dirname(path), { recursive: true });
    await expect(store.save("2", version)).rejects.toThrow();
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  test("a session removed by somebody else is just gone", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("1", undefined);
    await fileStore({ path }).remove();
    expect(await store.load()).toBeUndefined();
  });
});
