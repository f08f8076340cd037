import { existsSync, mkdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";
import { directoryLock, type Lock, withAdvisoryLock } from "../src/lock.ts";
import { exit, freshDirectory, message, start } from "./support.ts";

const wait = async () => {};

it("is held by one process at a time, and goes to the one that waits next", async () => {
  const directory = freshDirectory();
  const release = await directoryLock(directory, { wait: undefined });
  expect(await directoryLock(directory, { wait: undefined })).toBeUndefined();
  const waiting = directoryLock(directory, { wait });
  await setTimeout(15); // by now it has found the lock held
  await release?.();
  const releaseSecond = await waiting;
  expect(releaseSecond).toBeDefined();
  expect(existsSync(join(directory, "lock"))).toBe(true);
  await releaseSecond?.();
  expect(existsSync(join(directory, "lock"))).toBe(false);
});

it("stops waiting after a while", async () => {
  const directory = freshDirectory();
  const release = await directoryLock(directory, { wait: undefined });
  expect(await directoryLock(directory, { wait })).toBeUndefined();
  await release?.();
});

it("does not end the process if the lock is lost", async () => {
  const child = start("lose-lock", { args: [freshDirectory()] });
  expect(await message(child)).toBe("alive");
  expect(await exit(child)).toBe(0);
});

it("releases a lock that no longer exists", async () => {
  const release = await directoryLock(join(freshDirectory(), "missing"), { wait });
  await release?.();
  expect(release).toBeDefined();
});

it.each([
  ["long ago", 1],
  ["in the future, by a clock that was wrong", Date.now() / 1000 + 3600],
])("takes over the lock that a process that ended has taken %s", async (_name, time) => {
  const directory = freshDirectory();
  const path = join(directory, "lock");
  mkdirSync(path);
  utimesSync(path, time, time);
  const release = await directoryLock(directory, { wait: undefined });
  expect(Math.abs(Date.now() - statSync(path).mtimeMs)).toBeLessThan(60_000);
  expect(await directoryLock(directory, { wait: undefined })).toBeUndefined();
  await release?.();
  expect(existsSync(path)).toBe(false);
});

it("goes on without a lock if an old one cannot be removed", async () => {
  const directory = freshDirectory();
  const path = join(directory, "lock");
  writeFileSync(path, "a file of another program");
  utimesSync(path, 1, 1);
  const release = await directoryLock(directory, { wait: undefined });
  await release?.();
  expect(release).toBeDefined();
  expect(existsSync(path)).toBe(true);
});

it.each([1, 4])("is asked for as often as it takes, up to four times (%s)", async (attempts) => {
  const directories: string[] = [];
  const released: string[] = [];
  const lock: Lock = async (directory) => {
    directories.push(directory);
    return directories.length < attempts ? undefined : async () => void released.push(directory);
  };
  expect(await withAdvisoryLock(lock, "directory", async () => released.length)).toBe(0);
  expect([directories.length, released]).toEqual([attempts, ["directory"]]);
});

it("is given up if another process keeps it, because it only saves work", async () => {
  const directory = freshDirectory();
  mkdirSync(join(directory, "lock"));
  expect(await withAdvisoryLock(directoryLock, directory, async () => "updated")).toBe("updated");
  expect(existsSync(join(directory, "lock"))).toBe(true);
});

it("is released if the update fails", async () => {
  const directory = freshDirectory();
  const update = () => Promise.reject(new Error("failed"));
  await expect(withAdvisoryLock(directoryLock, directory, update)).rejects.toThrow("failed");
  expect(existsSync(join(directory, "lock"))).toBe(false);
});
