import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StoreError } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { Chain, digestOf, versionOf } from "../src/generations.ts";
import { pathsOf, type SessionPaths } from "../src/paths.ts";
import type { RecordRules } from "../src/session-file.ts";
import { SnapshotReader } from "../src/snapshot.ts";
import { freshDirectory } from "./support.ts";

const { read } = nodeFileSystem;
const THEIRS = '{"schema":1,"theirs":true}';
const preferFound: RecordRules["reconcileRecords"] = (_stored, found) => found;

const readerWith = (calls: Partial<FileSystem> = {}, reconcile = preferFound): SnapshotReader =>
  new SnapshotReader(
    { ...nodeFileSystem, ...calls },
    {
      recordKindOf: (text) =>
        /^\{"schema":\d.*\}$/.test(text) ? (text.includes(":1") ? "record" : "newer") : undefined,
      reconcileRecords: reconcile,
    },
  );

/** Creates a session in which `values` were published, the last one also in the session file. Returns its paths. */
async function pathsWith(...values: readonly string[]): Promise<SessionPaths> {
  const paths = pathsOf(join(freshDirectory(), "session.json"));
  if (values.length > 0) mkdirSync(paths.chain);
  for (const value of values) await publish(paths, value);
  const last = values.at(-1);
  if (last !== undefined) writeFileSync(paths.file, last);
  return paths;
}

async function publish(paths: SessionPaths, value: string): Promise<void> {
  const chain = new Chain(nodeFileSystem, paths.chain);
  const draft = await chain.draft(value, { head: await chain.head(), foreignDigest: undefined });
  if (!draft || !(await chain.publish(draft))) throw new Error("the draft was not published");
}

/** A `read` that is preceded by `action` in its first `times` calls. */
const readingAfter = (action: (path: string) => unknown, times: number): FileSystem["read"] => {
  let left = times;
  return async (path) => {
    if (left-- > 0) await action(path);
    return read(path);
  };
};

describe("read", () => {
  it("returns an empty snapshot if nothing is stored", async () => {
    const paths = await pathsWith();
    expect(await readerWith().read(paths)).toEqual({ paths, status: "current" });
  });

  it("returns the latest generation if the session file agrees", async () => {
    const paths = await pathsWith("first", "second");
    const snapshot = await readerWith().read(paths);
    const { head } = snapshot;
    expect(snapshot).toMatchObject({ status: "current", foreignDigest: undefined });
    expect(snapshot.stored).toEqual({ value: "second", version: head && versionOf(head) });
    expect(snapshot.fileStamp).toEqual(await nodeFileSystem.stat(paths.file));
  });

  it("does not check again if chain and session file agree", async () => {
    const paths = await pathsWith("value");
    const stats: string[] = [];
    const stat: FileSystem["stat"] = (path) => {
      stats.push(path);
      return nodeFileSystem.stat(path);
    };
    await readerWith({ stat }).read(paths);
    expect(stats).toEqual([]);
  });

  it("detects a session file that is missing, outdated or torn", async () => {
    const paths = await pathsWith("first", "second");
    const found = async (text: string) => {
      writeFileSync(paths.file, text);
      return readerWith().read(paths);
    };
    const stored = { value: "second" };
    expect(await found("first")).toMatchObject({ stored, status: "stale", foreignDigest: undefined });
    expect(await found("sec")).toMatchObject({ stored, status: "torn", foreignDigest: undefined });
    rmSync(paths.file);
    expect(await readerWith().read(paths)).toMatchObject({
      stored,
      status: "stale",
      foreignDigest: undefined,
    });
  });

  it("returns what another program wrote, with a separate version", async () => {
    const paths = await pathsWith("stored");
    writeFileSync(paths.file, THEIRS);
    const { head, stored, ...snapshot } = await readerWith({}, () => "merged").read(paths);
    expect(stored).toEqual({ value: "merged", version: `${head && versionOf(head)}-${digestOf(THEIRS)}` });
    expect(snapshot).toMatchObject({ foreignDigest: digestOf(THEIRS), status: "foreign" });
  });

  it("returns the latest generation, marked as unreadable, if the session file holds no session", async () => {
    const paths = await pathsWith("first", "second");
    writeFileSync(paths.file, "theirs");
    const { head, ...snapshot } = await readerWith().read(paths);
    const stored = { value: "second", version: head && versionOf(head) };
    expect(snapshot).toMatchObject({ stored, foreignDigest: undefined, status: "unreadable" });
  });

  it("treats a part of an earlier value as torn, unless it is a session", async () => {
    const paths = await pathsWith(`${THEIRS} and more`, "after");
    writeFileSync(paths.file, '{"schema":1,');
    expect(await readerWith().read(paths)).toMatchObject({ stored: { value: "after" }, status: "torn" });
    writeFileSync(paths.file, THEIRS);
    const foreignDigest = digestOf(THEIRS);
    expect(await readerWith().read(paths)).toMatchObject({
      stored: { value: THEIRS },
      foreignDigest,
      status: "foreign",
    });
  });

  it("tells a session of a newer release from one that it can compare", async () => {
    const newer = '{"schema":2}';
    const paths = await pathsWith(newer, "after");
    writeFileSync(paths.file, newer);
    const snapshot = await readerWith().read(paths);
    expect(snapshot).toMatchObject({ stored: { value: newer }, foreignDigest: digestOf(newer), status: "newer" });
  });

  it("adopts a session file if there is no chain", async () => {
    const paths = await pathsWith();
    writeFileSync(paths.file, "theirs");
    const version = `0-${digestOf("theirs")}`;
    const snapshot = await readerWith().read(paths);
    expect(snapshot).toMatchObject({
      stored: { value: "theirs", version },
      foreignDigest: digestOf("theirs"),
      status: "foreign",
    });
    expect(snapshot.head).toBeUndefined();
  });

  it("ignores a session file that is empty or being removed", async () => {
    const paths = await pathsWith();
    const nothing = { paths, status: "current", fileStamp: expect.anything() };
    writeFileSync(paths.file, "");
    expect(await readerWith().read(paths)).toEqual(nothing);
    writeFileSync(paths.file, "theirs");
    mkdirSync(paths.removed);
    expect(await readerWith().read(paths)).toEqual(nothing);
  });
});

describe("read while another process saves", () => {
  it("starts over if the session file differs only because of that save", async () => {
    const paths = await pathsWith("first");
    const saveBetween = async (path: string) => {
      if (path !== paths.file) return;
      await publish(paths, "second");
      writeFileSync(paths.file, "second");
    };
    const snapshot = await readerWith({ read: readingAfter(saveBetween, 2) }).read(paths);
    expect(snapshot).toMatchObject({
      head: { number: 2 },
      stored: { value: "second" },
      foreignDigest: undefined,
      status: "current",
    });
  });

  it("rejects after 50 attempts", async () => {
    const paths = await pathsWith("first");
    rmSync(paths.file);
    const saveBetween = (path: string) => (path === paths.file ? publish(paths, "again") : undefined);
    const error: unknown = await readerWith({ read: readingAfter(saveBetween, Number.POSITIVE_INFINITY) })
      .read(paths)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: paths.file });
    expect(String(error)).toContain(`${paths.file} changes faster than it can be read. Try again.`);
    expect((await new Chain(nodeFileSystem, paths.chain).head())?.number).toBe(51);
  });
});

describe("isCurrent", () => {
  const touch = (path: string) => writeFileSync(path, "changed!");

  it.each<[string, (paths: SessionPaths) => unknown, boolean]>([
    ["nothing happens", () => undefined, true],
    ["another process saves", (paths) => publish(paths, "next"), false],
    ["the session file changes", (paths) => touch(paths.file), false],
    ["the session file is removed", (paths) => rmSync(paths.file), false],
    ["the latest generation is replaced under the same number", (paths) => touch(join(paths.chain, "1")), false],
    ["the chain is removed", (paths) => rmSync(paths.chain, { recursive: true }), false],
  ])("tells whether a snapshot is current after %s: %o", async (_name, action, expected) => {
    const paths = await pathsWith("value");
    const snapshot = await readerWith().read(paths);
    await action(paths);
    expect(await readerWith().isCurrent(snapshot)).toBe(expected);
  });

  it.each<[string, (paths: SessionPaths) => unknown, boolean]>([
    ["nothing happens", () => undefined, true],
    ["a session file appears", (paths) => touch(paths.file), false],
    [
      "another process signs in",
      (paths) => {
        mkdirSync(paths.chain);
        return publish(paths, "first");
      },
      false,
    ],
  ])("tells whether an empty snapshot is current after %s: %o", async (_name, action, expected) => {
    const paths = await pathsWith();
    const snapshot = await readerWith().read(paths);
    await action(paths);
    expect(await readerWith().isCurrent(snapshot)).toBe(expected);
  });
});
