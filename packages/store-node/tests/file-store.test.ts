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
import { describe, expect, it } from "vitest";
import { chainOf, freshDirectory, freshPath, generationsOf, namesIn, textOf } from "./support.ts";

describe("load and save", () => {
  it.each([
    ["a JSON text", '{"a":1}'],
    ["an empty text", ""],
    ["text with characters of every Unicode plane", "é ← \u{1F510} \u2028 \0 \uFEFFx"],
    ["a lone surrogate", "\uD83D."],
    ["64 kB of text", "0123456789abcdef".repeat(4096)],
  ])("returns %s unchanged", async (_name, value) => {
    const path = freshPath();
    const version = await fileStore({ path }).save(value, undefined);
    const first = fileStore({ path });
    expect(await first.load()).toEqual({ value, version });
    expect(await first.load()).toEqual({ value, version });
    expect(textOf(path)).toBe(Buffer.from(value).toString());
  });

  it("returns undefined and creates nothing if there is no session", async () => {
    const path = join(freshDirectory(), "a", "b", "session.json");
    expect(await fileStore({ path }).load()).toBeUndefined();
    expect(existsSync(join(path, "../.."))).toBe(false);
  });

  it("declares its capabilities, and hides the session from inspection", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("secret-1", undefined);
    await store.load();
    expect(store.supports).toEqual({ compareAndSet: "host", durable: true });
    expect(store.describe()).toBe(path);
    expect(inspect(store, { depth: 9, showHidden: true }) + JSON.stringify(store)).not.toContain("secret-1");
  });

  it("keeps two sessions in one directory apart", async () => {
    const directory = freshDirectory();
    const [a, b] = [fileStore({ path: join(directory, "a") }), fileStore({ path: join(directory, "b") })];
    await a.save("value of a", undefined);
    await b.save("value of b", undefined);
    await a.remove();
    expect(await a.load()).toBeUndefined();
    expect((await b.load())?.value).toBe("value of b");
  });
});

describe("compare-and-set", () => {
  it("saves only over the expected version", async () => {
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

  it("reports a conflict and creates no directory if a version is expected but none exists", async () => {
    const path = join(freshDirectory(), "missing", "session.json");
    await expect(fileStore({ path }).save("1", "1-abc")).rejects.toThrow(StoreConflictError);
    expect(existsSync(dirname(path))).toBe(false);
  });

  it("lets exactly one of many saves over the same version win", async () => {
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

  it("never repeats a version, even for the same text", async () => {
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

  it("keeps three generations and no temporary files", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    let version: string | undefined;
    for (let number = 1; number <= 9; number++) version = await store.save(`secret ${number}`, version);
    expect(namesIn(chainOf(path)).sort()).toEqual(["7", "8", "9"]);
  });
});

describe("remove", () => {
  it("leaves nothing behind, can be repeated, and allows a new session", async () => {
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

  it("also removes a session that another program wrote", async () => {
    const path = freshPath();
    writeFileSync(path, "foreign");
    await fileStore({ path }).remove();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it("finishes a removal that was interrupted", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("1", undefined);
    mkdirSync(join(dirname(path), ".session.json.unexpired-removed"));
    writeFileSync(join(dirname(path), ".session.json.unexpired-removed", "1"), "old");
    await store.remove();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it("does nothing if there is no directory", async () => {
    const directory = freshDirectory();
    await fileStore({ path: join(directory, "missing", "session.json") }).remove();
    expect(readdirSync(directory)).toEqual([]);
  });

  it("never removes a directory at the session file's path", async () => {
    const path = freshPath();
    mkdirSync(path);
    writeFileSync(join(path, "precious"), "");
    await expect(fileStore({ path }).remove()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(readdirSync(path)).toEqual(["precious"]);
  });
});

describe("a path with symbolic links", () => {
  it("follows and keeps the links", async () => {
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

  it("creates the session that a dangling link points to", async () => {
    const directory = freshDirectory();
    const link = join(directory, "link.json");
    symlinkSync("deep/real.json", link);
    await fileStore({ path: link }).save("1", undefined);
    expect(readlinkSync(link)).toBe("deep/real.json");
    expect((await fileStore({ path: join(directory, "deep/real.json") }).load())?.value).toBe("1");
  });

  it("opens the same session through a link to its directory", async () => {
    const directory = freshDirectory();
    mkdirSync(join(directory, "real"));
    symlinkSync("real", join(directory, "link"));
    const version = await fileStore({ path: join(directory, "link", "s") }).save("1", undefined);
    expect(await fileStore({ path: join(directory, "real", "s") }).load()).toEqual({ value: "1", version });
  });

  it("rejects a circular link", async () => {
    const path = freshPath();
    symlinkSync("session.json", path);
    await expect(fileStore({ path }).load()).rejects.toMatchObject({ code: "STORE_UNREADABLE", location: path });
  });
});

describe("permissions", () => {
  it("creates files with 0600 and directories with 0700, and leaves existing directories alone", async () => {
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

  it("makes another program's readable session file private", async () => {
    const path = freshPath();
    writeFileSync(path, "foreign", { mode: 0o644 });
    const store = fileStore({ path });
    await store.save("1", (await store.load())?.version);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});

describe("a directory that disappears", () => {
  it("reports STORE_UNAVAILABLE, not the end of the session, to a process that has seen the session", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("1", undefined);
    rmSync(dirname(path), { recursive: true });
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", location: path });
    mkdirSync(dirname(path));
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect(store.save("2", "1-abc")).rejects.toThrow(StoreConflictError);
    expect(await fileStore({ path }).load()).toBeUndefined();
  });

  it("still reports STORE_UNAVAILABLE after a save that found a conflict (P2)", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const version = await store.save("1", undefined);
    rmSync(dirname(path), { recursive: true });
    await expect(store.save("2", version)).rejects.toThrow();
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });

  it("reports no session after another store removes it", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("1", undefined);
    await fileStore({ path }).remove();
    expect(await store.load()).toBeUndefined();
  });
});
