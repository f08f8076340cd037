import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { SessionFormat } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { NO_MARKS, readEntry, shownMarkOf, writtenMarkOf } from "../../src/documents/entry.ts";
import { ShownMark } from "../../src/documents/shown-mark.ts";
import { nodeFileSystem } from "../../src/filesystem.ts";
import { jsonFormat } from "../../src/index.ts";
import { freshDirectory } from "../support.ts";

const format = jsonFormat({ at: [], fields: { accessToken: "access", refreshToken: "refresh" } });

it("accepts that another process has remembered the same session in the meantime", async () => {
  const chain = freshDirectory();
  const value = JSON.stringify({ schema: 1, obtainedAt: 0, spent: [], tokens: { accessToken: "canary-a" } });
  const known = await new ShownMark(nodeFileSystem, chain, format).read();
  await new ShownMark(nodeFileSystem, chain, format).remember({ number: 1, value }, known);
  const late = new ShownMark({ ...nodeFileSystem, list: async () => [] }, chain, format);
  await late.remember({ number: 1, value }, known);
  expect(await new ShownMark(nodeFileSystem, chain, format).read()).toEqual({
    shown: [{ number: 1, mark: shownMarkOf(format, value) }],
    writing: [],
  });
});

const recordWith = (accessToken: string): string =>
  JSON.stringify({ schema: 1, obtainedAt: 0, spent: [], tokens: { accessToken, refreshToken: `${accessToken}-r` } });

/** A mark in a fresh directory, and the generations that its marks name. */
function start() {
  const shownMark = new ShownMark(nodeFileSystem, freshDirectory(), format);
  return { shownMark, numbers: async () => (await shownMark.read()).shown.map(({ number }) => number).sort() };
}

it("is kept for a session that another process has found and is about to publish", async () => {
  const { shownMark, numbers } = start();
  const [shown, found] = [recordWith("canary-a"), recordWith("canary-b")];
  await shownMark.noteFound({ number: 2, value: shown }, found);
  await shownMark.remember({ number: 2, value: shown }, NO_MARKS);
  expect(await numbers()).toEqual([2, 3]);
  expect(shownMark.isRemembered({ number: 2, value: shown }, await shownMark.read())).toBe(true);
  await shownMark.forget({ number: 3, value: found });
  expect(await numbers()).toEqual([]);
});

it("is kept if a process that was suspended notes what the document showed before", async () => {
  const { shownMark, numbers } = start();
  const [before, shown] = [recordWith("canary-a"), recordWith("canary-b")];
  await shownMark.remember({ number: 6, value: shown }, NO_MARKS);
  await shownMark.remember({ number: 2, value: before }, NO_MARKS);
  expect(await numbers()).toEqual([2, 6]);
  expect(shownMark.isRemembered({ number: 6, value: shown }, await shownMark.read())).toBe(false);
  await shownMark.remember({ number: 6, value: shown }, await shownMark.read());
  expect(await numbers()).toEqual([6]);
});

it("is noted once while a session stays the same", async () => {
  const { shownMark, numbers } = start();
  const value = recordWith("canary-a");
  await shownMark.remember({ number: 1, value }, NO_MARKS);
  await shownMark.remember({ number: 2, value }, await shownMark.read());
  expect(await numbers()).toEqual([1]);
});

describe("a session that a process announces before it writes it", () => {
  const markOf = (value: string) => writtenMarkOf(format, value);

  it("is announced once, and withdrawn once the document shows it", async () => {
    const shownMark = new ShownMark(nodeFileSystem, freshDirectory(), format);
    const mark = markOf(recordWith("canary-a"));
    await shownMark.announce(mark);
    await shownMark.announce(mark);
    await shownMark.announce(undefined);
    expect((await shownMark.read()).writing).toEqual([mark]);
    await shownMark.withdraw();
    expect(await shownMark.read()).toEqual(NO_MARKS);
  });

  it("is not withdrawn while another call of the process writes", async () => {
    const shownMark = new ShownMark(nodeFileSystem, freshDirectory(), format);
    const mark = markOf(recordWith("canary-a"));
    await shownMark.announce(mark);
    await shownMark.whileWriting(mark, () => shownMark.withdraw());
    expect((await shownMark.read()).writing).toEqual([mark]);
    await shownMark.withdraw();
    expect(await shownMark.read()).toEqual(NO_MARKS);
  });

  it("is not withdrawn after a write that failed, as that may still take effect, until one succeeds", async () => {
    const shownMark = new ShownMark(nodeFileSystem, freshDirectory(), format);
    const mark = markOf(recordWith("canary-a"));
    await shownMark.announce(mark);
    await expect(shownMark.whileWriting(mark, () => Promise.reject(new Error("timed out")))).rejects.toThrow(
      "timed out",
    );
    await shownMark.withdraw();
    expect((await shownMark.read()).writing).toEqual([mark]);
    await shownMark.whileWriting(mark, async () => undefined);
    await shownMark.withdraw();
    expect(await shownMark.read()).toEqual(NO_MARKS);
  });

  it("is forgotten after ten minutes, and then removed with the next mark", async () => {
    const chain = freshDirectory();
    let now = 1_000_000;
    const fs = { ...nodeFileSystem, now: () => now };
    const mark = markOf(recordWith("canary-a"));
    const failing = new ShownMark(fs, chain, format);
    await failing.announce(mark);
    const next = new ShownMark(fs, chain, format);
    now += 600_000;
    expect((await next.read()).writing).toEqual([mark]);
    now += 1;
    expect((await next.read()).writing).toEqual([]);
    await failing.announce(mark); // it tries again
    expect((await next.read()).writing).toEqual([mark]);
    expect(readdirSync(chain)).toHaveLength(1);
    now += 600_001;
    await next.remember({ number: 1, value: recordWith("canary-b") }, NO_MARKS);
    expect(readdirSync(chain)).toEqual([expect.stringMatching(/^shown-/)]);
  });

  it("is never forgotten by the process itself, which may have been suspended while it wrote", async () => {
    const chain = freshDirectory();
    let now = 1_000_000;
    const shownMark = new ShownMark({ ...nodeFileSystem, now: () => now }, chain, format);
    const mark = markOf(recordWith("canary-a"));
    await shownMark.announce(mark);
    now += 600_001;
    for (const name of readdirSync(chain)) rmSync(join(chain, name)); // by another process
    expect((await shownMark.read()).writing).toEqual([mark]);
  });

  it("does not pass for another program's, even after a later session was shown", () => {
    const [old, value] = [recordWith("canary-a"), recordWith("canary-b")];
    const head = { number: 2, id: "0", value, ancestors: [], stamp: { fileId: "1", modified: 1n, size: 1n } };
    const text = format.print(JSON.parse(old), "{}");
    const shown = [{ number: 2, mark: shownMarkOf(format, value) ?? "" }];
    const kindWith = (writing: readonly string[]) =>
      readEntry(format, text, { head, marks: { shown, writing }, now: 0 }).status.kind;
    expect([kindWith([markOf(old) ?? ""]), kindWith([])]).toEqual(["stale", "foreign"]);
  });
});

it("is that of the tokens that the document can hold", () => {
  const tokenOnly: SessionFormat = {
    key: "token only",
    parse: (text) => ({ tokens: { accessToken: text } }),
    print: (session) => session?.tokens.accessToken,
  };
  const value = recordWith("canary-a");
  const head = { number: 1, id: "0", value, ancestors: [], stamp: { fileId: "1", modified: 1n, size: 1n } };
  const { mark } = readEntry(tokenOnly, "canary-a", { head, marks: NO_MARKS, now: 0 });
  expect(shownMarkOf(tokenOnly, value)).toMatch(new RegExp(`^${mark}\\.`));
});
