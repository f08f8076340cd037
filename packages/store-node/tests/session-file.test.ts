import { readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type FileSystem, nodeFileSystem, type Stamp } from "../src/filesystem.ts";
import { errnoError } from "../src/fs-errors.ts";
import { digestOf, type Generation } from "../src/generations.ts";
import { pathsOf } from "../src/paths.ts";
import { classifySessionFile, installSessionFile, type RecordRules, stageSessionFile } from "../src/session-file.ts";
import { freshDirectory, namesIn, textOf } from "./support.ts";

const head = (value: string, ...past: string[]): Generation => ({
  number: 3,
  id: "id",
  value,
  ancestors: past.map((text) => `id.${digestOf(text)}`),
  stamp: {} as Stamp,
});

describe("classifySessionFile", () => {
  const LONE = "lone \uD800 surrogate";
  const RECORD = '{"schema":1}';
  const NEWER = '{"schema":2}';
  const rules: RecordRules = {
    recordKindOf: (text: string) =>
      text.startsWith('{"schema":1') ? "record" : text.startsWith('{"schema":2') ? "newer" : undefined,
    reconcileRecords: (current: string, found: string) => (found.includes("old") ? current : `merged ${found}`),
  };

  it.each<[string, readonly [Generation, string | undefined], object]>([
    ["a missing file", [head("now"), undefined], { kind: "stale" }],
    ["the latest value", [head("now"), "now"], { kind: "current" }],
    ["the latest value if it is also an earlier one", [head("now", "now"), "now"], { kind: "current" }],
    ["the latest value as UTF-8", [head(LONE), "lone \uFFFD surrogate"], { kind: "current" }],
    ["an earlier value", [head("now", "then", "before"), "then"], { kind: "stale" }],
    ["an earlier value that is a prefix of the latest", [head("now", "no"), "no"], { kind: "stale" }],
    ["an empty file", [head("now"), ""], { kind: "torn" }],
    ["a prefix of the latest value", [head("now"), "no"], { kind: "torn" }],
    ["a prefix and zeros", [head("now"), "no\0\0"], { kind: "torn" }],
    ["a prefix and half a character", [head("now"), "no\uFFFD"], { kind: "torn" }],
    ["only zeros", [head("now"), "\0\0"], { kind: "torn" }],
    ["a prefix of the latest value as UTF-8", [head(LONE), "lone \uFFFD surr"], { kind: "torn" }],
    ["zeros in the middle", [head("now"), "n\0w"], { kind: "unreadable" }],
    ["the latest value and more", [head("now"), "now!"], { kind: "unreadable" }],
    ["another program's text", [head("now"), "theirs"], { kind: "unreadable" }],
    ["JSON that is not a record", [head("now"), '{"tokens":{}}'], { kind: "unreadable" }],
    ["a number", [head("now"), "7"], { kind: "unreadable" }],
    ["another program's record", [head("now"), RECORD], { kind: "foreign", value: `merged ${RECORD}` }],
    ["a record that was stored", [head("now", RECORD), RECORD], { kind: "foreign", value: `merged ${RECORD}` }],
    ["an older record", [head("now"), '{"schema":1,"old":1}'], { kind: "stale" }],
    ["a newer release's record", [head("now"), NEWER], { kind: "newer", value: NEWER }],
    ["a newer release's record that was stored", [head("now", NEWER), NEWER], { kind: "newer", value: NEWER }],
  ])("classifies %s", (_name, [generation, found], expected) => {
    expect(classifySessionFile(generation, found, rules)).toEqual(expected);
  });
});

describe("stageSessionFile and installSessionFile", () => {
  const stageIn = async (calls: Partial<FileSystem> = {}) => {
    const paths = pathsOf(join(freshDirectory(), "session.json"));
    await nodeFileSystem.makeDirectory(paths.chain);
    writeFileSync(paths.file, "before");
    const fs = { ...nodeFileSystem, ...calls };
    const before = { paths, fileStamp: await nodeFileSystem.stat(paths.file) };
    return { fs, paths, before, staged: await stageSessionFile(fs, paths, "text") };
  };
  /** A `rename` that fails a number of times, then works. */
  const failingRename = (times: number, code = "EPERM") => {
    let calls = 0;
    const call = async (from: string, to: string) => {
      calls++;
      if (calls <= times) throw errnoError(code);
      return nodeFileSystem.rename(from, to);
    };
    return { call, count: () => calls };
  };

  it("stages the file in the chain without syncing it", async () => {
    const isDurable: boolean[] = [];
    const create: FileSystem["create"] = (path, text, given) => {
      isDurable.push(given.durable);
      return nodeFileSystem.create(path, text, given);
    };
    const { paths, staged } = await stageIn({ create });
    expect(readdirSync(paths.chain).sort()).toEqual([basename(staged.markPath), basename(staged.temporaryPath)]);
    expect(staged).toMatchObject({ text: "text", stamp: await nodeFileSystem.stat(staged.temporaryPath) });
    expect(staged.temporaryPath).toMatch(/projection-[0-9a-f]{16}$/);
    expect(isDurable).toEqual([false, false]);
  });

  it.each([0, 2])("installs the file by renaming, even if that fails %d times", async (times) => {
    const { call } = failingRename(times);
    const { fs, paths, before, staged } = await stageIn({ rename: call });
    expect(await installSessionFile(fs, before, staged)).toBe(staged.stamp);
    expect(textOf(paths.file)).toBe("text");
    expect(namesIn(paths.chain)).toEqual([]);
  });

  it("overwrites in place if renaming fails three times", async () => {
    const { call, count } = failingRename(3);
    const { fs, paths, before, staged } = await stageIn({ rename: call });
    const stamp = await installSessionFile(fs, before, staged);
    expect(stamp).toEqual(await nodeFileSystem.stat(paths.file));
    expect(stamp?.fileId).not.toBe(staged.stamp.fileId);
    expect(textOf(paths.file)).toBe("text");
    expect(count()).toBe(3);
  });

  it("returns undefined if the file cannot be overwritten in place", async () => {
    const overwrite = () => Promise.reject(errnoError("EROFS"));
    const { fs, paths, before, staged } = await stageIn({ rename: failingRename(3).call, overwrite });
    expect(await installSessionFile(fs, before, staged)).toBeUndefined();
    expect(textOf(paths.file)).toBe("before");
  });

  it("does not overwrite what another program writes in the meantime", async () => {
    const rename = async () => {
      writeFileSync(paths.file, "theirs");
      throw errnoError("EBUSY");
    };
    const { fs, paths, before, staged } = await stageIn({ rename });
    expect(await installSessionFile(fs, before, staged)).toBeUndefined();
    expect(textOf(paths.file)).toBe("theirs");
  });

  it("returns undefined if the session was removed concurrently", async () => {
    const { call, count } = failingRename(1, "ENOENT");
    const { fs, paths, before, staged } = await stageIn({ rename: call });
    expect(await installSessionFile(fs, before, staged)).toBeUndefined();
    expect(textOf(paths.file)).toBe("before");
    expect(count()).toBe(1);
  });
});
