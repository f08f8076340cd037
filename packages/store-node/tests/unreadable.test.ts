import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import { createTokenManager, type TokenSet } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { errnoError } from "../src/fs-errors.ts";
import { isTornCopy } from "../src/session-file.ts";
import { chainOf, failure, freshPath, latch, record, storeWith, storeWithClock, textOf } from "./support.ts";

const CONFLICT = '<<<<<<< HEAD\n{"schema":1}\n=======\n{"schema":1}\n>>>>>>> theirs\n';

const replaceBy = (path: string, create: () => unknown): void => {
  rmSync(path);
  create();
};

const listen = (path: string): void => {
  const server = createServer().listen(path);
  onTestFinished(() => void server.close());
};

const linkInCircle = (path: string): void => {
  const other = join(dirname(path), "other");
  symlinkSync(other, path);
  symlinkSync(path, other);
};

const utf16 = (text: string): Buffer => Buffer.from(`\uFEFF${text}`, "utf16le");

/** Windows has no pipes in directories. */
const PIPE: readonly [string, (path: string) => void, RegExp][] =
  process.platform === "win32"
    ? []
    : [
        [
          "a pipe",
          (path) => replaceBy(path, () => execFileSync("mkfifo", [path])),
          /is not a regular file.*Delete the file/,
        ],
        ["a socket", (path) => replaceBy(path, () => listen(path)), /is a socket.*Delete the file/],
      ];

describe("a session file without a session, over a healthy chain", () => {
  it.each<[string, (own: string) => string | Buffer]>([
    ["UTF-16, as PowerShell writes it", utf16],
    ["conflict markers", () => CONFLICT],
    ["a page of HTML", () => "<!doctype html>"],
    ["an empty object", () => "{}"],
    ["JSON that only looks like a session", () => '{"schema":1,"tokens":5}'],
    ["another program's JSON", () => '{"tokens":{"accessToken":"a"}}'],
    ["half of another session", () => record("R9", 9000).slice(0, 60)],
  ])("is reported with the version that a save replaces: %s", async (_name, spoil) => {
    const path = freshPath();
    const own = await fileStore({ path }).save(record("R1", 1000), undefined);
    writeFileSync(path, spoil(record("R1", 1000)));
    const store = fileStore({ path });
    const error = await failure(store.load());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path, version: own });
    expect(error.stored?.()).toBe(record("R1", 1000));
    expect(inspect(error, { showHidden: true }) + JSON.stringify(error)).not.toContain("R1");
    expect(error.hint).toContain(`The last session is still in ${chainOf(path)}. Delete the file to continue with it`);
    await expect(store.save("late", "1-another")).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect(await failure(store.load())).toMatchObject({ version: own });
    const version = await store.save(record("R2", 2000), error.version);
    expect(await fileStore({ path }).load()).toEqual({ value: record("R2", 2000), version });
    expect(textOf(path)).toBe(record("R2", 2000));
  });

  it.each<[string, (path: string) => void, RegExp]>([
    ["a file of 2 MiB", (path) => truncateSync(path, 2 * 1024 * 1024), /is larger than 1 MiB.*Delete the file/],
    ["a directory", (path) => replaceBy(path, () => mkdirSync(path)), /is a directory.*Move the directory away/],
    ...PIPE,
    ["a circular link", (path) => replaceBy(path, () => symlinkSync(path, path)), /is a circular.*Delete the file/],
    ["a circle of links", (path) => replaceBy(path, () => linkInCircle(path)), /is a circular.*Delete the file/],
  ])("is reported with what it is, and hides no session from a save: %s", async (name, spoil, message) => {
    const path = freshPath();
    const own = await fileStore({ path }).save(record("R1", 1000), undefined);
    spoil(path);
    const store = fileStore({ path });
    const error = await failure(store.load());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path, version: own });
    expect(error.message).toMatch(message);
    expect(error.stored?.()).toBe(record("R1", 1000));
    await store.save(record("R2", 2000), own);
    if (name === "a directory") rmSync(path, { recursive: true });
    expect((await fileStore({ path }).load())?.value).toBe(record("R2", 2000));
    expect(textOf(path)).toBe(record("R2", 2000));
  });

  it("is left in place by a save if it cannot be read for lack of permission", async () => {
    const path = freshPath();
    const own = await fileStore({ path }).save(record("R1", 1000), undefined);
    writeFileSync(path, record("R9", 9000));
    const read: FileSystem["read"] = (file) =>
      file === path ? Promise.reject(errnoError("EACCES")) : nodeFileSystem.read(file);
    const store = storeWith(path, { read });
    const error = await failure(store.load());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path, version: own });
    expect(error.message).toMatch(/is not readable \(EACCES\).*The last session is still in/);
    expect(error.stored?.()).toBe(record("R1", 1000));
    await store.save(record("R2", 2000), error.version);
    expect(textOf(path)).toBe(record("R9", 9000));
    expect((await fileStore({ path }).load())?.value).toContain("R9");
  });

  it("keeps the advice true: deleting the file restores the session", async () => {
    const path = freshPath();
    const version = await fileStore({ path }).save(record("R1", 1000), undefined);
    writeFileSync(path, CONFLICT);
    const store = fileStore({ path });
    await failure(store.load());
    rmSync(path);
    expect(await store.load()).toEqual({ value: record("R1", 1000), version });
    expect(textOf(path)).toBe(record("R1", 1000));
  });

  it("does not stand in the way of a commit", async () => {
    const path = freshPath();
    const [sent, responded] = [latch(), latch()];
    const presented: unknown[] = [];
    const manager = () =>
      createTokenManager({
        store: fileStore({ path }),
        refresh: async ({ refreshToken }) => {
          presented.push(refreshToken);
          sent.open();
          await responded.opened;
          return { access_token: "A1", refresh_token: "R1", expires_in: 3600 };
        },
      });
    const first = manager();
    await first.signIn({ accessToken: "A0", refreshToken: "R0", expiresAt: 0 });
    const token = first.getAccessToken();
    await sent.opened;
    writeFileSync(path, CONFLICT);
    responded.open();
    expect(await token).toBe("A1");
    await first.close();
    const next = manager();
    expect(await next.getAccessToken()).toBe("A1");
    await next.close();
    expect(presented).toEqual(["R0"]);
  });

  it("does not stand in the way of a commit over what another process has saved", async () => {
    const path = freshPath();
    const sent = latch();
    const responded = latch();
    const revoked: unknown[] = [];
    const refresh = Object.assign(
      async () => {
        sent.open();
        await responded.opened;
        return { access_token: "A1", refresh_token: "R1", expires_in: 3600 };
      },
      { revoke: async ({ refreshToken }: TokenSet) => void revoked.push(refreshToken) },
    );
    await using first = createTokenManager({ store: fileStore({ path }), refresh });
    await first.signIn({ accessToken: "A0", refreshToken: "R0", expiresAt: 0 });
    const token = first.getAccessToken().catch((error: unknown) => error);
    await sent.opened;
    await using other = createTokenManager({ store: fileStore({ path }), refresh });
    await other.signOut({ revoke: false });
    writeFileSync(path, CONFLICT);
    responded.open();
    expect(await token).toMatchObject({ reason: "signed_out" });
    expect(revoked).toEqual(["R1"]);
  });

  it("does not let a sign-in forget which refresh tokens are spent (P1)", async () => {
    const path = freshPath();
    await using first = createTokenManager({
      store: fileStore({ path }),
      refresh: async () => ({ access_token: "A1", refresh_token: "R1", expires_in: 3600 }),
    });
    await first.signIn({ accessToken: "A0", refreshToken: "R0", expiresAt: 0 });
    await first.getAccessToken();
    writeFileSync(path, CONFLICT);
    await using second = createTokenManager({ store: fileStore({ path }) });
    await second.signIn({ accessToken: "B0", refreshToken: "S0" });
    expect(await second.adopt({ refreshToken: "R0" })).toBe(false);
    await second.signOut();
    expect(await second.adopt({ refreshToken: "R0" })).toBe(false);
  });

  it.each([true, false])(
    "does not stand in the way of a sign-in or a sign-out (session known: %s)",
    async (isKnown) => {
      const path = freshPath();
      await using first = createTokenManager({ store: fileStore({ path }) });
      await first.signIn({ accessToken: "A0" });
      await using second = createTokenManager({ store: fileStore({ path }) });
      const manager = isKnown ? first : second;
      writeFileSync(path, CONFLICT);
      if (!isKnown) await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
      await manager.signIn({ accessToken: "A1" });
      await using third = createTokenManager({ store: fileStore({ path }) });
      expect(await third.getAccessToken()).toBe("A1");
      writeFileSync(path, CONFLICT);
      await (isKnown ? first : third).signOut();
      await using next = createTokenManager({ store: fileStore({ path }) });
      await expect(next.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
    },
  );

  it("is not replaced if it is a record of a newer release", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const own = await store.save(record("R1", 1000), undefined);
    const newer = '{"schema":2,"requires":["later"]}';
    writeFileSync(path, newer);
    expect((await store.load())?.value).toBe(newer);
    await expect(store.save("late", own)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect(textOf(path)).toBe(newer);
  });
});

describe("a session file that was edited", () => {
  it("is read without its byte order mark", async () => {
    const path = freshPath();
    writeFileSync(path, `\uFEFF${record("R1", 1000)}`);
    const store = fileStore({ path });
    const found = await store.load();
    expect(found?.value).toBe(record("R1", 1000));
    const version = await store.save(record("R2", 2000), found?.version);
    writeFileSync(path, `\uFEFF${record("R2", 2000)}`);
    expect(await fileStore({ path }).load()).toEqual({ value: record("R2", 2000), version });
    writeFileSync(path, `\uFEFF${record("R3", 3000)}`);
    expect((await fileStore({ path }).load())?.value).toContain("R3");
  });

  it.each([" \n\t", "\uFEFF", "\uFEFF\r\n"])("counts as empty if it contains only %j", async (text) => {
    const path = freshPath();
    writeFileSync(path, text);
    const { store, pass } = storeWithClock(path);
    expect(await store.load()).toBeUndefined();
    const version = await store.save(record("R1", 1000), undefined);
    writeFileSync(path, text);
    for (const _look of [1, 2]) {
      expect(await store.load()).toEqual({ value: record("R1", 1000), version });
      pass(1_000);
    }
    expect(textOf(path)).toBe(record("R1", 1000));
  });

  it("keeps a value that begins with a byte order mark", async () => {
    const path = freshPath();
    const version = await fileStore({ path }).save("\uFEFFvalue", undefined);
    expect(await fileStore({ path }).load()).toEqual({ value: "\uFEFFvalue", version });
  });

  it("is compared in linear time", () => {
    const zeros = "\0".repeat(1_000_000);
    const before = process.cpuUsage(); // not the time that passes: other processes use the machine, too
    expect(isTornCopy("now", `${zeros}x`)).toBe(false);
    expect(isTornCopy("now", zeros)).toBe(true);
    expect(process.cpuUsage(before).user).toBeLessThan(5_000_000); // µs; the quadratic form takes minutes
  });
});
