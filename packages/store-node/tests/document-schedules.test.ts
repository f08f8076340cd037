import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createTokenManager, type TokenManager } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { type DocumentStoreDeps, openDocumentStore } from "../src/documents/document-store.ts";
import { chainNameOf } from "../src/documents/entry.ts";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { errnoError } from "../src/fs-errors.ts";
import { jsonFormat } from "../src/index.ts";
import { directoryLock } from "../src/lock.ts";
import { freshPath, textOf } from "./support.ts";

const HOUR = 3_600_000;
const format = jsonFormat({
  at: ["session"],
  fields: { accessToken: "access", refreshToken: "refresh", expiresAt: "expires" },
});
const EMPTY = '{ "theme": "dark" }';

const documentWith = (number: number): string =>
  JSON.stringify({
    theme: "dark",
    session: { access: `a${number}`, refresh: `r${number}`, expires: Date.now() + HOUR },
  });

const tokensOf = (name: string) => ({
  accessToken: `a${name}`,
  refreshToken: `r${name}`,
  expiresAt: Date.now() + HOUR,
});

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const sessionIn = (path: string) => format.parse(textOf(path))?.tokens.accessToken;
const chainOf = (path: string): string => join(dirname(path), `.${basename(path)}.unexpired`, chainNameOf(format));

/** A store whose monotonic clock advances only when it waits, or through `pass`. */
function open(path: string, fs: Partial<FileSystem> = {}, deps: Partial<DocumentStoreDeps> = {}) {
  let now = 0;
  const pass = (milliseconds: number): void => {
    now += milliseconds;
  };
  const store = openDocumentStore(path, {
    fs: { ...nodeFileSystem, ...fs },
    lock: directoryLock,
    format,
    pause: async (milliseconds) => pass(milliseconds),
    later: () => undefined,
    watch: () => () => undefined,
    monotonic: () => now,
    ...deps,
  });
  return { store, pass };
}

const manage = (store: ReturnType<typeof open>["store"]): TokenManager => createTokenManager({ store });

/** A store that has signed in, and whose document shows it. */
async function signedIn(path: string, fs: Partial<FileSystem> = {}) {
  write(path, EMPTY);
  const opened = open(path, fs);
  const tokens = manage(opened.store);
  await tokens.signIn(tokensOf("1"));
  await tokens.getAccessToken();
  return { ...opened, tokens };
}

/** Runs `act` at the first call that `concerns` selects. */
function once(act: () => unknown): (isNow: boolean) => void {
  let isDone = false;
  return (isNow) => {
    if (!isNow || isDone) return;
    isDone = true;
    act();
  };
}

const inUse = (path: string): Partial<FileSystem> => ({
  rename: (from, to) => (to === path ? Promise.reject(errnoError("EBUSY")) : nodeFileSystem.rename(from, to)),
});

it("does not put back what the other program wrote during a rename over what it has written since", async () => {
  const path = freshPath();
  write(path, EMPTY);
  const first = once(() => writeFileSync(path, '{ "theme": "light" }'));
  const second = once(() => {
    writeFileSync(`${path}.new`, '{ "theme": "blue" }');
    renameSync(`${path}.new`, path);
  });
  const { store } = open(path, {
    async rename(from, to) {
      first(to === path);
      await nodeFileSystem.rename(from, to);
      second(to === path);
    },
  });
  await using tokens = manage(store);
  await tokens.signIn(tokensOf("1"));
  expect(textOf(path)).toMatch(/blue/);
});

describe("a document that cannot be replaced", () => {
  it("is written in place, and a later sign-out of the other program counts", async () => {
    const path = freshPath();
    const { tokens, store, pass } = await signedIn(path, inUse(path));
    expect(sessionIn(path)).toBe("a1");
    write(path, EMPTY);
    await store.load();
    pass(1_000);
    expect(await tokens.hasSession()).toBe(false);
    expect(textOf(path)).toBe(EMPTY);
    await tokens.close();
  });

  it("keeps what the other program writes while the copy is made", async () => {
    const path = freshPath();
    write(path, EMPTY);
    const interfere = once(() => write(path, '{ "theme": "light" }'));
    const { store } = open(path, {
      ...inUse(path),
      async create(target, text, options) {
        const stamp = await nodeFileSystem.create(target, text, options);
        interfere(target.endsWith(".before"));
        return stamp;
      },
    });
    await using tokens = manage(store);
    await tokens.signIn(tokensOf("1"));
    expect(textOf(path)).toMatch(/light/);
    expect(sessionIn(path)).toBe("a1");
  });

  it.each([
    ["is still empty", () => ""],
    ["is half-written", (text: string) => text.slice(0, text.length / 2)],
  ])("is finished by the next process if its writer died while it %s", async (_how, partOf) => {
    const path = freshPath();
    write(path, documentWith(1));
    const dying = open(path, {
      ...inUse(path),
      overwrite: async (target, text) => {
        write(target, partOf(text));
        throw new Error("killed");
      },
      unlink: async (target) => (/\.(before|next)$/.test(target) ? undefined : nodeFileSystem.unlink(target)),
    });
    await using killed = manage(dying.store);
    await killed.signIn(tokensOf("2"));
    const { store, pass } = open(path);
    await using tokens = manage(store);
    expect(await tokens.getAccessToken()).toBe("a2");
    pass(1_000);
    await store.load();
    expect(sessionIn(path)).toBe("a2");
    expect(textOf(path)).toMatch(/dark/);
    expect(existsSync(join(chainOf(path), `${basename(path)}.next`))).toBe(false);
  });
});

it("is no sign-out while another process finishes the write", async () => {
  const path = freshPath();
  const { tokens } = await signedIn(path);
  const text = textOf(path);
  write(path, "");
  let tries = 0;
  const { store } = open(
    path,
    {},
    {
      async lock(directory) {
        if (directory !== chainOf(path) && ++tries > 15) write(path, text);
        return directory === chainOf(path) ? async () => undefined : undefined;
      },
    },
  );
  await store.load();
  expect(await tokens.hasSession()).toBe(true);
  await tokens.close();
});

describe("a document without a session", () => {
  it("is no sign-out if it held the session between two looks", async () => {
    const path = freshPath();
    const { store, pass, tokens } = await signedIn(path);
    const text = textOf(path);
    write(path, EMPTY);
    await store.load();
    write(path, text);
    pass(900);
    write(path, "{ }");
    pass(900);
    await store.load();
    write(path, text);
    expect(await tokens.hasSession()).toBe(true);
    await tokens.close();
  });

  it("is no sign-out if it was missing at two looks that are far apart", async () => {
    const path = freshPath();
    const { store, pass, tokens } = await signedIn(path);
    const text = textOf(path);
    const stop = store.watch?.(() => undefined); // a process that hears of changes looks again by itself
    rmSync(path);
    await store.load();
    pass(60_000);
    await store.load();
    write(path, text);
    expect(await tokens.hasSession()).toBe(true);
    stop?.();
    await tokens.close();
  });

  it("is no sign-out if it has the session again when that is stored", async () => {
    const path = freshPath();
    const { tokens } = await signedIn(path);
    const text = textOf(path);
    const interfere = once(() => write(path, text));
    const { store, pass } = open(path, {
      async create(target, content, options) {
        const stamp = await nodeFileSystem.create(target, content, options);
        interfere(basename(target).startsWith("draft-"));
        return stamp;
      },
    });
    write(path, EMPTY);
    await store.load(); // waits for the second
    pass(1_000);
    expect((await store.load())?.value).toContain("a1");
    expect(await tokens.hasSession()).toBe(true);
    await tokens.close();
  });

  it("is no sign-out because a clock jumps", async () => {
    const path = freshPath();
    let now = Date.now();
    const { store, tokens } = await signedIn(path, { now: () => now });
    const text = textOf(path);
    const stop = store.watch?.(() => undefined);
    write(path, EMPTY);
    await store.load();
    now += HOUR;
    await store.load();
    write(path, text);
    expect(await tokens.hasSession()).toBe(true);
    stop?.();
    await tokens.close();
  });

  it("shows a sign-in that follows the other program's sign-out within the second", async () => {
    const path = freshPath();
    const { store, pass, tokens } = await signedIn(path);
    write(path, EMPTY);
    await store.load();
    await tokens.signIn(tokensOf("2"));
    expect(sessionIn(path)).toBe("a2");
    pass(1_000);
    await store.load();
    expect(await tokens.getAccessToken()).toBe("a2");
    await tokens.close();
  });

  it("is written only after a second if it is blank, because the other program may be about to write it", async () => {
    const path = freshPath();
    write(path, "");
    const { store, pass } = open(path);
    await using tokens = manage(store);
    await tokens.signIn(tokensOf("1"));
    await store.load();
    expect(textOf(path)).toBe("");
    expect(await tokens.getAccessToken()).toBe("a1");
    pass(1_000);
    await store.load();
    expect(sessionIn(path)).toBe("a1");
  });

  it("is not read from memory once other processes have stored sessions", async () => {
    const path = freshPath();
    write(path, "");
    const { store } = open(path);
    expect(await store.load()).toBeUndefined();
    await using tokens = manage(open(path).store);
    for (const name of ["1", "2", "3", "4", "5"]) await tokens.signIn(tokensOf(name));
    expect((await store.load())?.value).toContain("a5");
  });
});

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

it("remembers what the document shows if the writer died before it had", async () => {
  const path = freshPath();
  write(path, EMPTY);
  const dying = open(path, {
    create: (target, text, options) =>
      basename(target).startsWith("shown-")
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
