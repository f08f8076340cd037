import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { StoreConflictError, type StoreError } from "@unexpired/core";
import * as sessionRecord from "@unexpired/core/session-record";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { openFileStore } from "../src/file-store.ts";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { directoryLock } from "../src/lock.ts";
import {
  chainOf,
  exit,
  failure,
  freshPath,
  isPossible,
  message,
  namesIn,
  record,
  run,
  start,
  storeFailing,
  textOf,
} from "./support.ts";

const saveTwice = async (path: string, name: string): Promise<string> => {
  const store = fileStore({ path });
  return store.save(`${name} 2`, await store.save(`${name} 1`, undefined));
};

describe("a session that is missing for a moment (I14)", () => {
  it("is found, although its directory was the same before and after", async () => {
    const path = freshPath();
    let isAway = false;
    const list: FileSystem["list"] = async (directory) => {
      if (!isAway) return nodeFileSystem.list(directory);
      isAway = false;
      renameSync(dirname(path), `${dirname(path)}-away`);
      return nodeFileSystem.list(directory).finally(() => mkdirSync(dirname(path)));
    };
    const read: FileSystem["read"] = async (file) => {
      if (!existsSync(`${dirname(path)}-away`)) return nodeFileSystem.read(file);
      return nodeFileSystem.read(file).finally(() => {
        rmSync(dirname(path), { recursive: true });
        renameSync(`${dirname(path)}-away`, dirname(path));
      });
    };
    const fs = { ...nodeFileSystem, list, read };
    const store = openFileStore(path, { fs, lock: directoryLock, rules: sessionRecord });
    await store.save(record("R1", 1000), undefined);
    await fileStore({ path }).save(record("R2", 2000), (await store.load())?.version);
    isAway = true;
    expect((await store.load())?.value).toBe(record("R2", 2000));
    expect(isAway).toBe(false);
  });
});

describe("unreadable data", () => {
  it("keeps a session file that is not a session", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const own = await store.save(record("R1", 1000), undefined);
    writeFileSync(path, "{ not JSON");
    const error = await failure(store.load());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path, version: own });
    expect(error.hint).toContain("Delete the file to continue with it");
    expect(textOf(path)).toBe("{ not JSON");
    rmSync(path);
    expect(await store.load()).toEqual({ value: record("R1", 1000), version: own });
  });

  it("keeps another program's incomplete session, even if an older generation is damaged", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    await store.save(record("R2", 2000), await store.save(record("R1", 1000), undefined));
    truncateSync(join(chainOf(path), "1"), 20);
    const damaged = record("R9", 9000).slice(0, 90);
    writeFileSync(path, damaged);
    for (const each of [store, store, fileStore({ path })]) {
      expect(await failure(each.load())).toMatchObject({ code: "STORE_UNREADABLE", location: path });
    }
    expect(textOf(path)).toBe(damaged);
  });

  it("reports a directory at the session file's path", async () => {
    const path = freshPath();
    mkdirSync(path);
    const error = await failure(fileStore({ path }).load());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path });
    expect(error.message).toBe(
      `${path} is a directory, not a file. Move it away or choose another path. The stored data is unchanged.`,
    );
    expect(await failure(fileStore({ path }).save("1", undefined))).toMatchObject({ code: "STORE_UNREADABLE" });
  });

  it("reports a socket at the session file's path", async ({ skip }) => {
    skip(process.platform === "win32", "not applicable: no sockets in directories");
    const path = freshPath();
    const server = createServer().listen(path);
    await once(server, "listening");
    const error = await failure(fileStore({ path }).load());
    server.close();
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path });
    expect(error.message).toContain("is a socket or a device, not a file. Move it away");
  });

  it.each<[string, (removed: string) => void]>([
    ["a file", (removed) => writeFileSync(removed, "")],
    ["a link", (removed) => symlinkSync("missing", removed)],
  ])("does not stand in the way of a removal: %s at the path of the removed chain", async (_name, plant) => {
    const path = freshPath();
    await fileStore({ path }).save("1", undefined);
    plant(`${chainOf(path)}-removed`);
    await fileStore({ path }).remove();
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it("reports a damaged generation and leaves it unchanged", async () => {
    const path = freshPath();
    await saveTwice(path, "secret");
    const generation = join(chainOf(path), "2");
    truncateSync(generation, 20);
    const store = fileStore({ path });
    expect(await failure(store.load())).toMatchObject({ code: "STORE_UNREADABLE", location: generation });
    const error = await failure(store.save("2", undefined));
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: generation });
    expect(error.message).not.toContain("secret");
    expect(error.hint).toBe(`Move away ${path}, then ${chainOf(path)}, and sign in again.`);
    expect(textOf(path)).toBe("secret 2");
    expect(statSync(generation).size).toBe(20);
  });

  it.each(["by hand", "by remove()"])("starts a new session after a damaged generation is removed %s", async (how) => {
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

  it("reports a file at the chain's path, and removes nothing", async () => {
    const path = freshPath();
    writeFileSync(path, "1");
    writeFileSync(chainOf(path), "");
    const store = fileStore({ path });
    for (const call of [() => store.load(), () => store.save("2", undefined), () => store.remove()]) {
      const error = await failure(call());
      expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: chainOf(path) });
      expect(error.message).toMatch(/is not a directory\. .*move it away/);
    }
    expect(textOf(path)).toBe("1");
  });

  it("reports missing permissions to read and to write", async ({ skip }) => {
    skip(process.getuid?.() !== 0, "not applicable: only root can become another user");
    const path = freshPath();
    await fileStore({ path }).save("1", undefined);
    const child = start("as-user", { args: [path, "65534"] });
    const errors = (await message(child)) as Record<"loaded" | "saved", StoreError>;
    await exit(child);
    for (const error of [errors.loaded, errors.saved]) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^STORE_UN/) });
      expect(error.message).toMatch(/EACCES/);
    }
    expect(textOf(path)).toBe("1");
  });
});

it("reports a pipe at the session file's path without blocking on it", async () => {
  const path = freshPath();
  run("mkfifo", path);
  expect(await failure(fileStore({ path }).load())).toMatchObject({ code: "STORE_UNREADABLE", location: path });
});

describe("a failed save", () => {
  it.each([
    ["create", "ENOSPC", "the disk is full"],
    ["create", "EROFS", "read-only"],
    ["link", "EIO", "EIO"],
  ] as const)("reports %s failing with %s, and leaves everything unchanged", async (call, code, text) => {
    const path = freshPath();
    const version = await fileStore({ path }).save("1", undefined);
    const error = await failure(storeFailing(path, { [call]: code }).save("2", version));
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: path });
    expect(error.message).toContain(path);
    expect(error.message).toContain(text);
    expect(await fileStore({ path }).load()).toEqual({ value: "1", version });
    expect(namesIn(chainOf(path))).toEqual(["1"]);
    expect(readdirSync(dirname(path)).sort()).toEqual([".session.json.unexpired", "session.json"]);
  });
});

const isMounted = (directory: string, options: string): boolean =>
  isPossible(() => run("mount", "-t", "tmpfs", "-o", options, "tmpfs", directory));

it("reports a full disk, and leaves no incomplete file", async ({ skip }) => {
  const path = freshPath();
  skip(!isMounted(dirname(path), "size=48k"), "not applicable: cannot mount a small disk");
  onTestFinished(() => run("umount", dirname(path)));
  const store = fileStore({ path });
  const old = "1".repeat(12_000);
  const version = await store.save(old, undefined);
  const error = await failure(store.save("2".repeat(40_000), version));
  expect(error).toMatchObject({
    code: "STORE_UNAVAILABLE",
    location: path,
    message: expect.stringContaining("disk is full"),
  });
  expect(await fileStore({ path }).load()).toEqual({ value: old, version });
  expect(namesIn(chainOf(path))).toEqual(["1"]);
  // There is room for the generation but not for the session file: the value is saved, and the file repaired later.
  const later = await store.save("3".repeat(16_000), version);
  expect(await fileStore({ path }).load()).toEqual({ value: "3".repeat(16_000), version: later });
});

it("reports a file system without room for another file, which may have free space", async ({ skip }) => {
  const path = freshPath();
  skip(!isMounted(dirname(path), "nr_inodes=3"), "not applicable: cannot mount a small disk");
  onTestFinished(() => run("umount", dirname(path)));
  const error = await failure(fileStore({ path }).save("1", undefined));
  expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: path });
  expect(error.problem).toBe("cannot be saved: its file system has no room for another file (ENOSPC)");
  expect(error.hint).toContain("df -i");
});
