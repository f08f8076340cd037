import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type FileSystem, nodeFileSystem, type Stamp } from "../src/filesystem.ts";
import { errnoError } from "../src/fs-errors.ts";
import { digestOf, type Generation } from "../src/generations.ts";
import { pathsOf } from "../src/paths.ts";
import { classifySessionFile, installSessionFile, stageSessionFile } from "../src/session-file.ts";
import { freshDirectory, textOf } from "./support.ts";

const head = (value: string, ...past: string[]): Generation => ({
  number: 3,
  id: "id",
  value,
  ancestors: past.map((text) => `id.${digestOf(text)}`),
  stamp: {} as Stamp,
});

describe("the session file's text", () => {
  const LONE = "lone \uD800 surrogate";
  const reconcile = (current: string, found: string) => (found.startsWith("old") ? current : `merged ${found}`);

  test.each<[string, readonly [Generation, string | undefined], object]>([
    ["missing", [head("now"), undefined], { kind: "stale" }],
    ["the truth", [head("now"), "now"], { kind: "current" }],
    ["the truth, which was true before, too", [head("now", "now"), "now"], { kind: "current" }],
    ["what a file can hold of it", [head(LONE), "lone \uFFFD surrogate"], { kind: "current" }],
    ["what was true before", [head("now", "then", "before"), "then"], { kind: "stale" }],
    ["what was true before, and begins like the truth", [head("now", "no"), "no"], { kind: "stale" }],
    ["empty", [head("now"), ""], { kind: "torn" }],
    ["the truth's beginning", [head("now"), "no"], { kind: "torn" }],
    ["the truth's beginning, and zeros", [head("now"), "no\0\0"], { kind: "torn" }],
    ["the truth's beginning, and half a character", [head("now"), "no\uFFFD"], { kind: "torn" }],
    ["zeros alone", [head("now"), "\0\0"], { kind: "torn" }],
    ["the beginning of what a file can hold of it", [head(LONE), "lone \uFFFD surr"], { kind: "torn" }],
    ["zeros in the middle", [head("now"), "n\0w"], { kind: "foreign", value: "merged n\0w" }],
    ["more than the truth", [head("now"), "now!"], { kind: "foreign", value: "merged now!" }],
    ["another program's", [head("now"), "theirs"], { kind: "foreign", value: "merged theirs" }],
    ["an older session", [head("now"), "older"], { kind: "stale" }],
  ])("%s", (_name, [generation, found], expected) => {
    expect(classifySessionFile(generation, found, reconcile)).toEqual(expected);
  });
});

describe("writing the session file", () => {
  const stageIn = async (calls: Partial<FileSystem> = {}) => {
    const paths = pathsOf(join(freshDirectory(), "session.json"));
    await nodeFileSystem.makeDirectory(paths.chain);
    writeFileSync(paths.file, "before");
    const fs = { ...nodeFileSystem, ...calls };
    return { fs, paths, staged: await stageSessionFile(fs, paths, "text") };
  };
  /** Fails so often, then works. */
  const rename = (times: number, code = "EPERM") => {
    let calls = 0;
    const call = async (from: string, to: string) => {
      calls++;
      if (calls <= times) throw errnoError(code);
      return nodeFileSystem.rename(from, to);
    };
    return { call, count: () => calls };
  };

  test("begins within the chain, and is not synced", async () => {
    const options: object[] = [];
    const create: FileSystem["create"] = (path, text, given) => {
      options.push(given);
      return nodeFileSystem.create(path, text, given);
    };
    const { paths, staged } = await stageIn({ create });
    expect(readdirSync(paths.chain).map((name) => join(paths.chain, name))).toEqual([staged.temporaryPath]);
    expect(staged).toMatchObject({ text: "text", stamp: await nodeFileSystem.stat(staged.temporaryPath) });
    expect(staged.temporaryPath).toMatch(/projection-[0-9a-f]{16}$/);
    expect(options).toEqual([{ durable: false }]);
  });

  test.each([0, 2])("renames, also where that fails %d times", async (times) => {
    const { call } = rename(times);
    const { fs, paths, staged } = await stageIn({ rename: call });
    expect(await installSessionFile(fs, paths, staged)).toBe(staged.stamp);
    expect(textOf(paths.file)).toBe("text");
    expect(readdirSync(paths.chain)).toEqual([]);
  });

  test("writes in place where renaming fails three times", async () => {
    const { call, count } = rename(3);
    const { fs, paths, staged } = await stageIn({ rename: call });
    const stamp = await installSessionFile(fs, paths, staged);
    expect(stamp).toEqual(await nodeFileSystem.stat(paths.file));
    expect(stamp?.fileId).not.toBe(staged.stamp.fileId);
    expect(textOf(paths.file)).toBe("text");
    expect(count()).toBe(3);
  });

  test("leaves it to others where it cannot be written in place", async () => {
    const overwrite = () => Promise.reject(errnoError("EROFS"));
    const { fs, paths, staged } = await stageIn({ rename: rename(3).call, overwrite });
    expect(await installSessionFile(fs, paths, staged)).toBeUndefined();
    expect(textOf(paths.file)).toBe("before");
  });

  test("ends where the session was removed meanwhile", async () => {
    const { call, count } = rename(1, "ENOENT");
    const { fs, paths, staged } = await stageIn({ rename: call });
    expect(await installSessionFile(fs, paths, staged)).toBeUndefined();
    expect(textOf(paths.file)).toBe("before");
    expect(count()).toBe(1);
  });
});
