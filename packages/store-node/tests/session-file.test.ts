import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { StoreConflictError, StoreError } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  chainOf,
  exit,
  freshPath,
  generationsOf,
  message,
  record,
  start,
  storeFailing,
  storeWith,
  textOf,
} from "./support.ts";

const run = (program: string, ...args: string[]): void => {
  execFileSync(program, args, { stdio: "ignore" });
};

const failure = async (task: Promise<unknown>): Promise<StoreError> => {
  const error = await task.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StoreError)) throw new Error("a StoreError was expected", { cause: error });
  return error;
};

const saveTwice = async (path: string, name: string): Promise<string> => {
  const store = fileStore({ path });
  return store.save(`${name} 2`, await store.save(`${name} 1`, undefined));
};

describe("the session file is repaired", () => {
  test("when it is missing", async () => {
    const path = freshPath();
    const version = await fileStore({ path }).save("1", undefined);
    rmSync(path);
    expect(await fileStore({ path }).load()).toEqual({ value: "1", version });
    expect(textOf(path)).toBe("1");
  });

  test("when it holds something that was true once, whatever its form", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    let version: string | undefined;
    for (let number = 1; number <= 8; number++) version = await store.save(`text ${number}`, version);
    writeFileSync(path, "text 2");
    expect(await store.load()).toEqual({ value: "text 8", version });
    expect(textOf(path)).toBe("text 8");
  });

  test("when it is torn, at second sight", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save("a long text", undefined);
    truncateSync(path, 6);
    expect((await store.load())?.value).toBe("a long text");
    expect(textOf(path)).toBe("a long");
    expect((await store.load())?.value).toBe("a long text");
    expect(textOf(path)).toBe("a long text");
  });

  test.each([
    ["the truth before", 2, (text: string) => text.slice(0, 90)],
    ["the truth before, with zeros", 2, (text: string) => `${text.slice(0, 90)}\0\0`],
    ["the one before that", 1, (text: string) => text.slice(0, -1)],
  ])("when it is a piece of %s, at second sight", async (_name, number, tear) => {
    const path = freshPath();
    const store = fileStore({ path });
    const [first, second, truth] = [record("R1", 1000), record("R2", 2000), record("R3", 3000)];
    const version = await store.save(truth, await store.save(second, await store.save(first, undefined)));
    const torn = tear([first, second][number - 1] ?? "");
    writeFileSync(path, torn);
    expect(await store.load()).toEqual({ value: truth, version });
    expect(textOf(path)).toBe(torn);
    expect(await store.load()).toEqual({ value: truth, version });
    expect(textOf(path)).toBe(truth);
  });

  test("when its refresh token is spent", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const first = record("R1", 1000);
    const truth = record("R2", 2000, [createHash("sha256").update("R1").digest("base64url")]);
    await store.save(truth, await store.save(first, undefined));
    writeFileSync(path, ` ${first}`);
    expect((await store.load())?.value).toBe(truth);
    expect(textOf(path)).toBe(truth);
  });

  test("not while somebody holds the lock, who is about to", async () => {
    const path = freshPath();
    await fileStore({ path }).save("1", undefined);
    rmSync(path);
    const busy = storeWith(path, {}, async () => undefined);
    expect((await busy.load())?.value).toBe("1");
    expect(existsSync(path)).toBe(false);
  });

  test("in place where it cannot be renamed over", async () => {
    const path = freshPath();
    writeFileSync(path, "mounted", { mode: 0o644 });
    const store = storeFailing(path, { rename: "EBUSY" });
    const version = await store.save("1", (await store.load())?.version);
    expect(textOf(path)).toBe("1");
    expect(await store.load()).toEqual({ value: "1", version });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(chainOf(path))).toEqual(["1"]);
  });

  test("never at the price of a save", async () => {
    const path = freshPath();
    const store = storeFailing(path, { rename: "EPERM", overwrite: "EROFS" });
    const version = await store.save("1", undefined);
    expect(existsSync(path)).toBe(false);
    expect(await store.load()).toEqual({ value: "1", version });
    expect(await fileStore({ path }).load()).toEqual({ value: "1", version });
    expect(textOf(path)).toBe("1");
  });
});

describe("another program's session", () => {
  test("is the value where there is no chain, and is saved over by its version", async () => {
    const path = freshPath();
    writeFileSync(path, "foreign");
    const store = fileStore({ path });
    const found = await store.load();
    expect(found?.value).toBe("foreign");
    await expect(store.save("late", undefined)).rejects.toThrow(StoreConflictError);
    await store.save("1", found?.version);
    expect(generationsOf(path)).toEqual([1]);
    writeFileSync(path, "foreign");
    expect((await store.load())?.value).toBe("1");
  });

  test("is not saved over once it is another one", async () => {
    const path = freshPath();
    writeFileSync(path, "foreign");
    const store = fileStore({ path });
    const found = await store.load();
    writeFileSync(path, "changed");
    await expect(store.save("late", found?.version)).rejects.toThrow(StoreConflictError);
    expect(textOf(path)).toBe("changed");
  });

  test("is adopted over the chain when it is newer", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const own = await store.save(record("R1", 1000), undefined);
    writeFileSync(path, record("R9", 2000));
    const found = await store.load();
    expect(found?.value).toContain("R9");
    await expect(store.save("late", own)).rejects.toThrow(StoreConflictError);
    expect(await fileStore({ path }).load()).toEqual(found);
    const version = await store.save(record("R10", 3000), found?.version);
    expect(await fileStore({ path }).load()).toEqual({ value: record("R10", 3000), version });
  });

  test("that appears while we save is left for the next load", async () => {
    const path = freshPath();
    const store = storeWith(path, {
      link: async (from, to) => {
        const { link } = await import("node:fs/promises");
        await link(from, to);
        writeFileSync(path, record("R9", 9000));
      },
    });
    const first = await fileStore({ path }).save(record("R1", 1000), undefined);
    await store.save(record("R2", 2000), first);
    expect((await store.load())?.value).toContain("R9");
    expect(textOf(path)).toContain("R9");
  });

  test("an empty file is no session yet", async () => {
    const path = freshPath();
    writeFileSync(path, "");
    const store = fileStore({ path });
    expect(await store.load()).toBeUndefined();
    await store.save("1", undefined);
    expect(textOf(path)).toBe("1");
  });
});

describe("what cannot be read is an error that names it, and stays", () => {
  test("a session file that nobody understands", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const own = await store.save(record("R1", 1000), undefined);
    writeFileSync(path, "{ not JSON");
    expect((await store.load())?.value).toBe("{ not JSON");
    await expect(store.save("late", own)).rejects.toThrow(StoreConflictError);
    expect(textOf(path)).toBe("{ not JSON");
  });

  test("a piece of what another program wrote, also where an older generation is damaged", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save(record("R2", 2000), await store.save(record("R1", 1000), undefined));
    truncateSync(join(chainOf(path), "1"), 20);
    const damaged = record("R9", 9000).slice(0, 90);
    writeFileSync(path, damaged);
    for (const each of [store, store, fileStore({ path })]) expect((await each.load())?.value).toBe(damaged);
    expect(textOf(path)).toBe(damaged);
  });

  test("a directory in the file's place", async () => {
    const path = freshPath();
    mkdirSync(path);
    const error = await failure(fileStore({ path }).load());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", place: path });
    expect(error.message).toBe(
      `${path} is a directory, not a file. Move it away or choose another path. What is stored was left as it is.`,
    );
    expect(await failure(fileStore({ path }).save("1", undefined))).toMatchObject({ code: "STORE_UNREADABLE" });
  });

  test("a damaged generation", async () => {
    const path = freshPath();
    await saveTwice(path, "secret");
    const generation = join(chainOf(path), "2");
    truncateSync(generation, 20);
    const store = fileStore({ path });
    expect(await failure(store.load())).toMatchObject({ code: "STORE_UNREADABLE", place: generation });
    const error = await failure(store.save("2", undefined));
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", place: generation });
    expect(error.message).not.toContain("secret");
    expect(error.advice).toContain(`Move the session file beside ${chainOf(path)} and then that whole directory away`);
    expect(textOf(path)).toBe("secret 2");
    expect(statSync(generation).size).toBe(20);
  });

  test.each(["by hand", "by remove()"])("a damaged generation, until all is put away %s", async (how) => {
    const path = freshPath();
    const version = await saveTwice(path, "old");
    truncateSync(join(chainOf(path), "2"), 20);
    const store = fileStore({ path });
    await failure(store.load());
    if (how === "by hand") for (const name of [path, chainOf(path)]) renameSync(name, `${name}.bak`);
    else await store.remove();
    expect(await store.load()).toBeUndefined();
    await expect(store.save("late", version)).rejects.toThrow(StoreConflictError);
    await store.save("new", undefined);
    expect((await fileStore({ path }).load())?.value).toBe("new");
  });

  test("something else in the chain's place", async () => {
    const path = freshPath();
    writeFileSync(chainOf(path), "");
    expect(await failure(fileStore({ path }).load())).toMatchObject({
      code: "STORE_UNAVAILABLE",
      place: chainOf(path),
    });
    expect(await failure(fileStore({ path }).save("1", undefined))).toMatchObject({
      code: "STORE_UNAVAILABLE",
      place: chainOf(path),
    });
  });

  test("what this user may not read or write", async ({ skip }) => {
    skip(process.getuid?.() !== 0, "not applicable: only root can become another user");
    const path = freshPath();
    await fileStore({ path }).save("1", undefined);
    const child = start("without-rights", { args: [path] });
    const errors = (await message(child)) as Record<"load" | "save", StoreError>;
    await exit(child);
    for (const error of [errors.load, errors.save]) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^STORE_UN/) });
      expect(error.message).toMatch(/EACCES/);
    }
    expect(textOf(path)).toBe("1");
  });
});

test("a pipe in the file's place is an error, and nobody waits for its other end", async () => {
  const path = freshPath();
  run("mkfifo", path);
  expect(await failure(fileStore({ path }).load())).toMatchObject({ code: "STORE_UNREADABLE", place: path });
});

describe("a save that fails", () => {
  test.each([
    ["create", "ENOSPC", "the disk is full"],
    ["create", "EROFS", "read-only"],
    ["link", "EIO", "EIO"],
  ] as const)("in %s with %s says so and leaves all as it was", async (call, code, text) => {
    const path = freshPath();
    const version = await fileStore({ path }).save("1", undefined);
    const error = await failure(storeFailing(path, { [call]: code }).save("2", version));
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", place: path });
    expect(error.message).toContain(path);
    expect(error.message).toContain(text);
    expect(await fileStore({ path }).load()).toEqual({ value: "1", version });
    expect(readdirSync(chainOf(path))).toEqual(["1"]);
    expect(readdirSync(dirname(path)).sort()).toEqual([".session.json.unexpired", "session.json"]);
  });
});

const isMounted = (directory: string): boolean => {
  try {
    run("mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", directory);
    return true;
  } catch {
    return false;
  }
};

test("a disk that is really full is an error that says so, and leaves no half of a file", async ({ skip }) => {
  const path = freshPath();
  skip(!isMounted(dirname(path)), "may not mount a small disk here");
  onTestFinished(() => run("umount", dirname(path)));
  const store = fileStore({ path });
  const old = "1".repeat(12_000);
  const version = await store.save(old, undefined);
  const error = await failure(store.save("2".repeat(40_000), version));
  expect(error).toMatchObject({
    code: "STORE_UNAVAILABLE",
    place: path,
    message: expect.stringContaining("disk is full"),
  });
  expect(await fileStore({ path }).load()).toEqual({ value: old, version });
  expect(readdirSync(chainOf(path))).toEqual(["1"]);
  // There is room for the generation and none for the session file: that is saved, and repaired later.
  const later = await store.save("3".repeat(16_000), version);
  expect(await fileStore({ path }).load()).toEqual({ value: "3".repeat(16_000), version: later });
});
