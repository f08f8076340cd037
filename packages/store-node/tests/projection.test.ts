import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type FileSystem, nodeFileSystem, type Stamp } from "../src/filesystem.ts";
import { digestOf, type Generation } from "../src/generations.ts";
import { placeOf } from "../src/paths.ts";
import { errnoError } from "../src/problems.ts";
import { judge, stage, swap } from "../src/projection.ts";
import { freshDirectory, textOf } from "./support.ts";

const truth = (value: string, ...past: string[]): Generation => ({
  number: 3,
  id: "id",
  value,
  past: past.map((text) => `id.${digestOf(text)}`),
  stamp: {} as Stamp,
});

describe("the session file's text", () => {
  const LONE = "lone \uD800 surrogate";
  const reconcile = (current: string, found: string) => (found.startsWith("old") ? current : `merged ${found}`);

  test.each<[string, readonly [Generation, string | undefined], object]>([
    ["missing", [truth("now"), undefined], { kind: "stale" }],
    ["the truth", [truth("now"), "now"], { kind: "current" }],
    ["the truth, which was true before, too", [truth("now", "now"), "now"], { kind: "current" }],
    ["what a file can hold of it", [truth(LONE), "lone \uFFFD surrogate"], { kind: "current" }],
    ["what was true before", [truth("now", "then", "before"), "then"], { kind: "stale" }],
    ["what was true before, and begins like the truth", [truth("now", "no"), "no"], { kind: "stale" }],
    ["empty", [truth("now"), ""], { kind: "torn" }],
    ["the truth's beginning", [truth("now"), "no"], { kind: "torn" }],
    ["the truth's beginning, and zeros", [truth("now"), "no\0\0"], { kind: "torn" }],
    ["the truth's beginning, and half a character", [truth("now"), "no\uFFFD"], { kind: "torn" }],
    ["zeros alone", [truth("now"), "\0\0"], { kind: "torn" }],
    ["the beginning of what a file can hold of it", [truth(LONE), "lone \uFFFD surr"], { kind: "torn" }],
    ["zeros in the middle", [truth("now"), "n\0w"], { kind: "foreign", value: "merged n\0w" }],
    ["more than the truth", [truth("now"), "now!"], { kind: "foreign", value: "merged now!" }],
    ["another program's", [truth("now"), "theirs"], { kind: "foreign", value: "merged theirs" }],
    ["an older session", [truth("now"), "older"], { kind: "stale" }],
  ])("%s", (_name, [generation, found], expected) => {
    expect(judge(generation, found, reconcile)).toEqual(expected);
  });
});

describe("writing the session file", () => {
  const stageIn = async (calls: Partial<FileSystem> = {}) => {
    const place = placeOf(join(freshDirectory(), "session.json"));
    await nodeFileSystem.makeDirectory(place.chain);
    writeFileSync(place.file, "before");
    const fs = { ...nodeFileSystem, ...calls };
    return { fs, place, staged: await stage(fs, place, "text") };
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
    const { place, staged } = await stageIn({ create });
    expect(readdirSync(place.chain).map((name) => join(place.chain, name))).toEqual([staged.temporary]);
    expect(staged).toMatchObject({ text: "text", stamp: await nodeFileSystem.stat(staged.temporary) });
    expect(staged.temporary).toMatch(/projection-[0-9a-f]{16}$/);
    expect(options).toEqual([{ durable: false }]);
  });

  test.each([0, 2])("renames, also where that fails %d times", async (times) => {
    const { call } = rename(times);
    const { fs, place, staged } = await stageIn({ rename: call });
    expect(await swap(fs, place, staged)).toBe(staged.stamp);
    expect(textOf(place.file)).toBe("text");
    expect(readdirSync(place.chain)).toEqual([]);
  });

  test("writes in place where renaming fails three times", async () => {
    const { call, count } = rename(3);
    const { fs, place, staged } = await stageIn({ rename: call });
    const stamp = await swap(fs, place, staged);
    expect(stamp).toEqual(await nodeFileSystem.stat(place.file));
    expect(stamp?.object).not.toBe(staged.stamp.object);
    expect(textOf(place.file)).toBe("text");
    expect(count()).toBe(3);
  });

  test("leaves it to others where it cannot be written in place", async () => {
    const overwrite = () => Promise.reject(errnoError("EROFS"));
    const { fs, place, staged } = await stageIn({ rename: rename(3).call, overwrite });
    expect(await swap(fs, place, staged)).toBeUndefined();
    expect(textOf(place.file)).toBe("before");
  });

  test("ends where the session was removed meanwhile", async () => {
    const { call, count } = rename(1, "ENOENT");
    const { fs, place, staged } = await stageIn({ rename: call });
    expect(await swap(fs, place, staged)).toBeUndefined();
    expect(textOf(place.file)).toBe("before");
    expect(count()).toBe(1);
  });
});
