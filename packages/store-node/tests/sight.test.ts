import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StoreError } from "@unexpired/core";
import { describe, expect, test } from "vitest";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { Chain, digestOf, versionOf } from "../src/generations.ts";
import { type Place, placeOf } from "../src/paths.ts";
import type { Reconcile } from "../src/projection.ts";
import { Observer } from "../src/sight.ts";
import { freshDirectory } from "./support.ts";

const { read } = nodeFileSystem;
const asFound: Reconcile = (_truth, found) => found;

const observer = (calls: Partial<FileSystem> = {}, reconcile = asFound): Observer =>
  new Observer({ ...nodeFileSystem, ...calls }, reconcile);

/** A session file's place in which these values were published, the last one also in the file. */
async function placeWith(...values: readonly string[]): Promise<Place> {
  const place = placeOf(join(freshDirectory(), "session.json"));
  if (values.length > 0) mkdirSync(place.chain);
  for (const value of values) await publish(place, value);
  const last = values.at(-1);
  if (last !== undefined) writeFileSync(place.file, last);
  return place;
}

async function publish(place: Place, value: string): Promise<void> {
  const chain = new Chain(nodeFileSystem, place.chain);
  const draft = await chain.draft(value, { head: await chain.head(), foreign: undefined });
  if (!draft || !(await chain.publish(draft))) throw new Error("not published");
}

/** A `read` before which something happens, so often. */
const readingAfter = (happening: (path: string) => unknown, times: number): FileSystem["read"] => {
  let left = times;
  return async (path) => {
    if (left-- > 0) await happening(path);
    return read(path);
  };
};

describe("a look", () => {
  test("finds nothing where there is nothing", async () => {
    const place = await placeWith();
    expect(await observer().look(place)).toEqual({ place, stale: false, torn: false });
  });

  test("finds the truth in both places", async () => {
    const place = await placeWith("first", "second");
    const sight = await observer().look(place);
    const { head } = sight;
    expect(sight).toMatchObject({ stale: false, torn: false, foreign: undefined });
    expect(sight.stored).toEqual({ value: "second", version: head && versionOf(head) });
    expect(sight.file).toEqual(await nodeFileSystem.stat(place.file));
  });

  test("costs nothing more where both places agree", async () => {
    const place = await placeWith("value");
    const stats: string[] = [];
    const stat: FileSystem["stat"] = (path) => {
      stats.push(path);
      return nodeFileSystem.stat(path);
    };
    await observer({ stat }).look(place);
    expect(stats).toEqual([]);
  });

  test("finds a session file that is missing, late or torn", async () => {
    const place = await placeWith("first", "second");
    const found = async (text: string) => {
      writeFileSync(place.file, text);
      return observer().look(place);
    };
    const stored = { value: "second" };
    expect(await found("first")).toMatchObject({ stored, stale: true, torn: false, foreign: undefined });
    expect(await found("sec")).toMatchObject({ stored, stale: true, torn: true, foreign: undefined });
    rmSync(place.file);
    expect(await observer().look(place)).toMatchObject({ stored, stale: true, torn: false, foreign: undefined });
  });

  test("finds what another program wrote, under a version of its own", async () => {
    const place = await placeWith("truth");
    writeFileSync(place.file, "theirs");
    const { head, stored, ...sight } = await observer({}, () => "merged").look(place);
    expect(stored).toEqual({ value: "merged", version: `${head && versionOf(head)}-${digestOf("theirs")}` });
    expect(sight).toMatchObject({ foreign: digestOf("theirs"), stale: false, torn: false });
  });

  test("takes a piece of an earlier truth for torn, and a session for a session", async () => {
    const place = await placeWith("before", "after");
    writeFileSync(place.file, "bef");
    expect(await observer().look(place)).toMatchObject({ stored: { value: "after" }, stale: true, torn: true });
    const merged = await observer({}, () => "merged").look(place);
    expect(merged).toMatchObject({ stored: { value: "merged" }, foreign: digestOf("bef"), stale: false, torn: false });
  });

  test("takes a session file without a chain as it is", async () => {
    const place = await placeWith();
    writeFileSync(place.file, "theirs");
    const version = `0-${digestOf("theirs")}`;
    const sight = await observer().look(place);
    expect(sight).toMatchObject({ stored: { value: "theirs", version }, foreign: digestOf("theirs"), stale: false });
    expect(sight.head).toBeUndefined();
  });

  test("takes an empty session file, and one that is being removed, for nothing", async () => {
    const place = await placeWith();
    const nothing = { place, stale: false, torn: false, file: expect.anything() };
    writeFileSync(place.file, "");
    expect(await observer().look(place)).toEqual(nothing);
    writeFileSync(place.file, "theirs");
    mkdirSync(place.removed);
    expect(await observer().look(place)).toEqual(nothing);
  });
});

describe("a look while somebody saves", () => {
  test("begins anew where the file differs only because of that", async () => {
    const place = await placeWith("first");
    const saveBetween = async (path: string) => {
      if (path !== place.file) return;
      await publish(place, "second");
      writeFileSync(place.file, "second");
    };
    const sight = await observer({ read: readingAfter(saveBetween, 2) }).look(place);
    expect(sight).toMatchObject({ head: { number: 2 }, stored: { value: "second" }, foreign: undefined, stale: false });
  });

  test("looks 50 times, and then says so", async () => {
    const place = await placeWith("first");
    rmSync(place.file);
    const saveBetween = (path: string) => (path === place.file ? publish(place, "again") : undefined);
    const error: unknown = await observer({ read: readingAfter(saveBetween, Number.POSITIVE_INFINITY) })
      .look(place)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", place: place.file });
    expect(String(error)).toContain(`${place.file} changes faster than it can be read. Try again.`);
    expect((await new Chain(nodeFileSystem, place.chain).head())?.number).toBe(51);
  });
});

describe("a sight", () => {
  const touch = (path: string) => writeFileSync(path, "changed!");

  test.each<[string, (place: Place) => unknown, boolean]>([
    ["nothing happens", () => undefined, true],
    ["somebody saves", (place) => publish(place, "next"), false],
    ["the session file changes", (place) => touch(place.file), false],
    ["the session file is removed", (place) => rmSync(place.file), false],
    ["the truth is another one of the same number", (place) => touch(join(place.chain, "1")), false],
    ["everything is removed", (place) => rmSync(place.chain, { recursive: true }), false],
  ])("of a session, after which %s, holds: %o", async (_name, happening, expected) => {
    const place = await placeWith("value");
    const sight = await observer().look(place);
    await happening(place);
    expect(await observer().holds(sight)).toBe(expected);
  });

  test.each<[string, (place: Place) => unknown, boolean]>([
    ["nothing happens", () => undefined, true],
    ["a session file appears", (place) => touch(place.file), false],
    [
      "somebody signs in",
      (place) => {
        mkdirSync(place.chain);
        return publish(place, "first");
      },
      false,
    ],
  ])("of nothing, after which %s, holds: %o", async (_name, happening, expected) => {
    const place = await placeWith();
    const sight = await observer().look(place);
    await happening(place);
    expect(await observer().holds(sight)).toBe(expected);
  });
});
