import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeFileSystem } from "../../src/filesystem.ts";
import { errnoError } from "../../src/fs-errors.ts";
import { freshPath, textOf } from "../support.ts";
import {
  chainOf,
  documentWith,
  EMPTY,
  HOUR,
  manage,
  once,
  open,
  sessionIn,
  signedIn,
  tokensOf,
  write,
} from "./virtual-time.ts";

describe("a session that was adopted", () => {
  it("is signed out if the other program signs out before the document is looked at again", async () => {
    const path = freshPath();
    write(path, documentWith(1));
    await using first = manage(open(path).store);
    await first.getAccessToken();
    write(path, documentWith(2));
    const interfere = once(() => write(path, EMPTY));
    const { store } = open(path, {
      async link(from, to) {
        await nodeFileSystem.link(from, to);
        interfere(/\/\d+$/.test(to));
      },
    });
    expect(await store.load()).toMatchObject({ value: expect.stringContaining("signed_out") });
    expect(textOf(path)).toBe(EMPTY);
  });

  it("is shown again if a process that was slow to sign out wrote over it", async () => {
    const path = freshPath();
    const { tokens } = await signedIn(path);
    const login = async () => {
      writeFileSync(`${path}.new`, documentWith(2));
      renameSync(`${path}.new`, path);
      await open(path, {}, { lock: async () => async () => undefined }).store.load();
    };
    let isFirst = true;
    const slow = open(path, {
      async rename(from, to) {
        if (to === path && isFirst) {
          isFirst = false;
          await login();
        }
        await nodeFileSystem.rename(from, to);
      },
    });
    await using leaving = manage(slow.store);
    await leaving.signOut({ revoke: false });
    expect(sessionIn(path)).toBe("a2");
    await tokens.close();
  });

  it("is not what a process was slow to write before a sign-in", async () => {
    const path = freshPath();
    write(path, EMPTY);
    const records = ["1", "2"].map((name) =>
      JSON.stringify({
        schema: 1,
        session: `0.${name}`,
        obtainedAt: 1,
        spent: [],
        tokens: { ...tokensOf(name), tokenType: "Bearer" },
      }),
    );
    let isFirst = true;
    const slow = open(path, {
      async rename(from, to) {
        if (to === path && isFirst) {
          isFirst = false;
          const other = open(
            path,
            {},
            { lock: async (directory) => (directory === chainOf(path) ? async () => undefined : undefined) },
          ).store;
          await other.save(records[1] ?? "", (await other.load())?.version);
        }
        await nodeFileSystem.rename(from, to);
      },
    });
    await slow.store.save(records[0] ?? "", undefined);
    expect(sessionIn(path)).toBe("a2");
    expect((await slow.store.load())?.value).toContain("a2");
  });

  it("is old by the clock of the file system", async () => {
    const path = freshPath();
    write(path, documentWith(1));
    const { store } = open(path, { now: () => Date.now() - 100 * HOUR });
    await store.load();
    const past = { access: "a2", refresh: "r2", expires: Date.now() - HOUR };
    write(path, JSON.stringify({ session: past }));
    expect((await store.load())?.value).toContain("a2");
  });
});

it("does not adopt a session that a sign-in replaced while the document was torn", async () => {
  const path = freshPath();
  write(path, documentWith(1));
  const { store } = open(path);
  await store.load();
  const text = textOf(path);
  const first = await store.load();
  write(path, text.slice(0, 20));
  const other = manage(open(path).store);
  const value = first?.value
    .replaceAll('"a1"', '"a9"')
    .replaceAll('"r1"', '"r9"')
    .replace(/"session":"[^"]*"/, '"session":"0.9"');
  await store.save(value ?? "", first?.version);
  write(path, text);
  expect((await store.load())?.value).toContain("a9");
  expect(sessionIn(path)).toBe("a9");
  await other.close();
});

it("is no sign-out if a process dies over a torn document, and the other program repairs it without a session", async () => {
  const path = freshPath();
  const { tokens } = await signedIn(path);
  write(path, textOf(path).slice(0, 20));
  const rename = (from: string, to: string) =>
    to === path ? Promise.reject(errnoError("EIO")) : nodeFileSystem.rename(from, to);
  await using killed = manage(open(path, { rename }).store);
  const sameSession = { ...tokensOf("1"), accessToken: "a2" };
  await expect(killed.signIn(sameSession, { over: "unreadable" })).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  write(path, EMPTY);
  await using next = manage(open(path).store);
  expect(await next.getAccessToken()).toBe("a2");
  expect(sessionIn(path)).toBe("a2");
  await tokens.close();
});

it("remembers what the document shows if the writer died before it had", async () => {
  const path = freshPath();
  write(path, EMPTY);
  const dying = open(path, {
    create: (target, text, options) =>
      /^shown-/.test(basename(target))
        ? Promise.reject(new Error("killed"))
        : nodeFileSystem.create(target, text, options),
  });
  await using killed = manage(dying.store);
  await killed.signIn(tokensOf("1"));
  expect(sessionIn(path)).toBe("a1");
  const { store, pass } = open(path);
  await store.load();
  write(path, EMPTY);
  await store.load();
  pass(1_000);
  expect((await store.load())?.value).toContain("signed_out");
});

it("syncs what a failed save has published before it relies on it", async () => {
  const path = freshPath();
  const { store, tokens } = await signedIn(path);
  const found = await store.load();
  const synced: string[] = [];
  let isBroken = true;
  const failing = open(path, {
    syncDirectory: async (target) => {
      if (isBroken && target === chainOf(path)) throw errnoError("EIO");
      synced.push(target);
      await nodeFileSystem.syncDirectory(target);
    },
  }).store;
  await expect(failing.save(`${found?.value} `, found?.version)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await expect(failing.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  isBroken = false;
  await failing.load();
  expect(synced).toContain(chainOf(path));
  await tokens.close();
});

it("misses a directory that was replaced right after a sign-in", async () => {
  const path = freshPath();
  write(path, EMPTY);
  const { store } = open(path);
  const record = JSON.stringify({
    schema: 1,
    obtainedAt: 1,
    spent: [],
    tokens: { ...tokensOf("1"), tokenType: "Bearer" },
  });
  await store.save(record, undefined);
  renameSync(dirname(path), `${dirname(path)}.gone`);
  mkdirSync(dirname(path));
  await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});
