import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it, onTestFinished } from "vitest";
import type { FileSystem } from "../src/filesystem.ts";
import { errnoError } from "../src/fs-errors.ts";
import {
  chainOf,
  failure,
  freshDirectory,
  freshPath,
  isPossible,
  run,
  storeFailing,
  storeWith,
  textOf,
} from "./support.ts";

describe("the explanation of a failed call", () => {
  const HARD_LINKS = /does not support hard links, or this process may not create them/;

  it.each<{ call: keyof FileSystem; code: string; syscall: string; text: RegExp }>([
    { call: "link", code: "EACCES", syscall: "link", text: HARD_LINKS },
    { call: "link", code: "EPERM", syscall: "link", text: HARD_LINKS },
    { call: "link", code: "ENOSYS", syscall: "link", text: HARD_LINKS },
    { call: "create", code: "EPERM", syscall: "open", text: /the system does not permit it \(EPERM\).*sandbox/ },
    { call: "create", code: "EACCES", syscall: "open", text: /its directory is not writable \(EACCES\)/ },
    { call: "create", code: "EDQUOT", syscall: "open", text: /the disk quota is used up/ },
    { call: "create", code: "ENOSPC", syscall: "write", text: /the disk is full/ },
    { call: "link", code: "ENOSPC", syscall: "link", text: /no room for another file/ },
    { call: "makeDirectory", code: "ENOSPC", syscall: "mkdir", text: /no room for another file/ },
    { call: "create", code: "ENFILE", syscall: "open", text: /the system has too many files open/ },
  ])("depends on the system call: $code from $syscall", async ({ call, code, syscall, text }) => {
    const path = freshPath();
    const fail = () => Promise.reject(Object.assign(errnoError(code), { syscall }));
    const error = await failure(storeWith(path, { [call]: fail }).save("1", undefined));
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: path, message: expect.stringMatching(text) });
  });

  it("names the action", async () => {
    const path = freshPath();
    await fileStore({ path }).save("1", undefined);
    const error = await failure(storeFailing(path, { rename: "EROFS" }).remove());
    expect(error.problem).toBe("cannot be removed: the file system is read-only (EROFS)");
    expect(error.hint).toBe("Choose a writable path."); // it does not know how far it came
  });

  it("tells a directory that the system protects from one without hard links", async ({ skip }) => {
    const path = freshPath();
    const protect = (flag: string) => run("chattr", flag, dirname(path));
    skip(!isPossible(() => protect("+i")), "not applicable: cannot make a directory immutable");
    onTestFinished(() => protect("-i"));
    const error = await failure(fileStore({ path }).save("1", undefined));
    expect(error.problem).toBe("cannot be saved: the system does not permit it (EPERM)");
  });

  it("reports a link to a missing directory when saving", async () => {
    const directory = freshDirectory();
    symlinkSync(join(directory, "missing"), join(directory, "link"));
    const path = join(directory, "link", "session.json");
    expect(await fileStore({ path }).load()).toBeUndefined();
    const error = await failure(fileStore({ path }).save("1", undefined));
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: path });
    expect(error.message).toContain("a link to a missing one (ENOTDIR). Create the directory that the link points to");
    mkdirSync(join(directory, "missing"));
    await fileStore({ path }).save("1", undefined);
    expect(textOf(join(directory, "missing", "session.json"))).toBe("1");
  });

  it.each([
    [236, true],
    [237, false],
    [244, false],
    [255, false],
  ])("of a name of %d bytes comes with the first save, not with the removal", async (length, isShort) => {
    const path = join(freshDirectory(), "n".repeat(length));
    const store = fileStore({ path });
    if (isShort) {
      await store.save("1", undefined);
      await store.remove();
      expect(readdirSync(dirname(path))).toEqual([]);
      return;
    }
    const error = await failure(store.save("1", undefined));
    expect(error.message).toContain("has too long a name (ENAMETOOLONG). Choose a shorter one");
    expect(readdirSync(dirname(path))).toEqual([]);
  });
});

it("removes what an earlier release saved under a name that is too long", async () => {
  const path = freshPath();
  const longPath = join(dirname(path), "n".repeat(240));
  await fileStore({ path }).save("1", undefined);
  mkdirSync(join(chainOf(path), "lock"));
  renameSync(chainOf(path), chainOf(longPath));
  renameSync(path, longPath);
  expect((await fileStore({ path: longPath }).load())?.value).toBe("1");
  await fileStore({ path: longPath }).remove();
  expect(readdirSync(dirname(path))).toEqual([]);
});

it("removes a session file before its state directory exists", async () => {
  const path = freshPath();
  writeFileSync(path, "1");
  await fileStore({ path, stateDirectory: join(freshDirectory(), "state") }).remove();
  expect(readdirSync(dirname(path))).toEqual([]);
});

describe("a file that is too large", () => {
  const MiB = 1_048_576;

  it("is not read, whether it is the session file or a generation", async () => {
    const path = freshPath();
    writeFileSync(path, "");
    truncateSync(path, 600 * MiB); // without using the disk
    const error = await failure(fileStore({ path }).load());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path });
    expect(error.problem).toBe("is larger than 1 MiB, so it is not a session");
    rmSync(path);
    await fileStore({ path }).save("1", undefined);
    const generation = join(chainOf(path), "1");
    truncateSync(generation, 600 * MiB);
    const damaged = await failure(fileStore({ path }).load());
    expect(damaged).toMatchObject({ code: "STORE_UNREADABLE", location: generation });
    expect(damaged.problem).toBe("is damaged: it is larger than 1 MiB");
  });

  it("is not saved", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const value = "x".repeat(MiB - 1000);
    const version = await store.save(value, undefined);
    const error = await failure(store.save("x".repeat(MiB), version));
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", problem: "cannot be saved: it is larger than 1 MiB" });
    expect(await fileStore({ path }).load()).toEqual({ value, version });
  });
});
