import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { directoryLock } from "../src/lock.ts";
import { exit, freshDirectory, message, start } from "./support.ts";

const wait = async () => {};

test("one holds it, who does not wait goes without, and who waits gets it next", async () => {
  const directory = freshDirectory();
  const release = await directoryLock(directory, { wait: undefined });
  expect(await directoryLock(directory, { wait: undefined })).toBeUndefined();
  const waiting = directoryLock(directory, { wait });
  await setTimeout(15); // it has found the lock taken by now
  await release?.();
  const releaseSecond = await waiting;
  expect(releaseSecond).toBeDefined();
  expect(existsSync(join(directory, "lock"))).toBe(true);
  await releaseSecond?.();
  expect(existsSync(join(directory, "lock"))).toBe(false);
});

test("nobody waits for ever", async () => {
  const directory = freshDirectory();
  const release = await directoryLock(directory, { wait: undefined });
  expect(await directoryLock(directory, { wait })).toBeUndefined();
  await release?.();
});

test("a lock that was lost does not end the process", async () => {
  const child = start("lose-lock", { args: [freshDirectory()] });
  expect(await message(child)).toBe("alive");
  expect(await exit(child)).toBe(0);
});

test("releasing what is gone is no error", async () => {
  const release = await directoryLock(join(freshDirectory(), "missing"), { wait });
  await release?.();
  expect(release).toBeDefined();
});
