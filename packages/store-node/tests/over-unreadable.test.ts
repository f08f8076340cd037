import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createTokenManager, type SessionFormat, type TokenStore } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { openDocumentStore } from "../src/documents/document-store.ts";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { errnoError } from "../src/fs-errors.ts";
import { fileStore, jsonFormat, migratingFormat, rawTokenFormat } from "../src/index.ts";
import { directoryLock } from "../src/lock.ts";
import { chainOf, failure, freshDirectory, freshPath, latch, record, storeWith, textOf } from "./support.ts";

const OVER = { over: "unreadable" } as const;
const HOUR = 3_600_000;

const tokensOf = (number: number) => ({
  accessToken: `canary-access-${number}`,
  refreshToken: `canary-refresh-${number}`,
  expiresAt: Date.now() + HOUR,
});

/** Returns the copies of unreadable files that are kept beside the session file. */
const copiesOf = (path: string, directory = dirname(path)): Buffer[] =>
  readdirSync(directory)
    .filter((name) => name.startsWith(`${basename(path)}.unreadable-`))
    .map((name) => readFileSync(join(directory, name)));

const LATIN1 = Buffer.from('{"name":"Zo\xeb"}', "latin1");
const TORN = '{"theme":"dark","auth":{"access":"canary-acc';

const format = jsonFormat({ at: ["auth"], fields: { accessToken: "access", refreshToken: "refresh" } });

const entry = (id: string): SessionFormat =>
  jsonFormat({ at: ["pool", { where: { id } }], fields: { accessToken: "access", refreshToken: "refresh" } });

/** A store over a document, whose clock only advances when it waits. */
function openDocument(path: string, calls: Partial<FileSystem> = {}, used: SessionFormat = format): TokenStore {
  let now = Date.now();
  const pause = async (milliseconds: number) => {
    now += milliseconds;
  };
  const fs = { ...nodeFileSystem, now: () => now, ...calls };
  return openDocumentStore(path, {
    fs,
    lock: directoryLock,
    format: used,
    pause,
    later: () => undefined,
    monotonic: () => now,
  });
}

describe("a session file that holds no session, without a chain", () => {
  it.each([LATIN1, Buffer.from(TORN), Buffer.from("\uFEFFtext", "utf16le")])(
    "is replaced by a sign-in on request, and a copy of its bytes is kept: %s",
    async (bytes) => {
      const path = freshPath();
      writeFileSync(path, bytes);
      await using manager = createTokenManager({ store: fileStore({ path }) });
      await expect(manager.signIn(tokensOf(1))).rejects.toThrow('signIn(tokens, { over: "unreadable" })');
      expect(readFileSync(path)).toEqual(bytes);
      expect(copiesOf(path)).toEqual([]);
      await manager.signIn(tokensOf(1), OVER);
      expect(copiesOf(path)).toEqual([bytes]);
      await using other = createTokenManager({ store: fileStore({ path }) });
      expect(await other.getAccessToken()).toBe("canary-access-1");
    },
  );

  it("is replaced by a sign-out on request", async () => {
    const path = freshPath();
    writeFileSync(path, TORN);
    await using manager = createTokenManager({ store: fileStore({ path }) });
    await expect(manager.signOut()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    await manager.signOut(OVER);
    expect(copiesOf(path)).toEqual([Buffer.from(TORN)]);
    await using other = createTokenManager({ store: fileStore({ path }) });
    await expect(other.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it("says what to do if there is no version of it", async () => {
    const path = freshPath();
    mkdirSync(path);
    await using manager = createTokenManager({ store: fileStore({ path }) });
    await expect(manager.signIn(tokensOf(1), OVER)).rejects.toMatchObject({
      code: "STORE_UNREADABLE",
      hint: expect.stringMatching(
        /^Move it away or choose another path\..*cannot be replaced by { over: "unreadable" }\.$/,
      ),
    });
  });
});

describe("a copy of an unreadable file", () => {
  it("is kept of each text, once, and only its owner can read it", async () => {
    const path = freshPath();
    await using manager = createTokenManager({ store: fileStore({ path }) });
    await manager.signIn(tokensOf(1));
    for (const text of ["one", "two", "one"]) {
      writeFileSync(path, text);
      chmodSync(path, 0o644);
      await manager.signIn(tokensOf(2));
    }
    expect(copiesOf(path).map(String).toSorted()).toEqual(["one", "two"]);
    const names = readdirSync(dirname(path)).filter((name) => name.includes(".unreadable-"));
    if (process.platform !== "win32")
      for (const name of names) expect(statSync(join(dirname(path), name)).mode & 0o777).toBe(0o600);
  });

  it("is synced before the file is replaced", async () => {
    const path = freshPath();
    writeFileSync(path, TORN);
    const calls: string[] = [];
    const store = storeWith(path, {
      async copy(from, to) {
        const digest = await nodeFileSystem.copy(from, to);
        calls.push("copy");
        return digest;
      },
      async syncDirectory(directory) {
        await nodeFileSystem.syncDirectory(directory);
        if (directory === dirname(path)) calls.push("sync");
      },
      async rename(from, to) {
        await nodeFileSystem.rename(from, to);
        if (to === path) calls.push("rename");
      },
    });
    await store.save(record("R1", 1000), (await store.load())?.version);
    expect(calls.slice(calls.indexOf("copy"), -1)).toContain("sync");
    expect(calls.at(-1)).toBe("rename");
  });

  it("keeps the file in place if it cannot be written", async () => {
    const path = freshPath();
    const own = await fileStore({ path }).save(record("R1", 1000), undefined);
    writeFileSync(path, TORN);
    const store = storeWith(path, { copy: () => Promise.reject(errnoError("ENOSPC")) });
    await store.save(record("R2", 2000), own);
    expect(textOf(path)).toBe(TORN);
    expect((await failure(fileStore({ path }).load())).stored?.()).toBe(record("R2", 2000));
  });

  it("is in the state directory if there is one", async () => {
    const path = freshPath();
    const stateDirectory = freshDirectory();
    writeFileSync(path, TORN);
    await using manager = createTokenManager({ store: fileStore({ path, stateDirectory }) });
    await manager.signIn(tokensOf(1), OVER);
    expect([copiesOf(path), copiesOf(path, stateDirectory)]).toEqual([[], [Buffer.from(TORN)]]);
  });

  it("outlives the session", async () => {
    const path = freshPath();
    writeFileSync(path, TORN);
    const store = fileStore({ path });
    await using manager = createTokenManager({ store });
    await manager.signIn(tokensOf(1), OVER);
    await store.remove();
    expect(copiesOf(path)).toHaveLength(1);
  });
});

describe("a document that its format cannot read", () => {
  it.each([LATIN1, Buffer.from(TORN), Buffer.from('{"auth":{"access":7}}')])(
    "is replaced by a sign-in on request, and a copy of its bytes is kept: %s",
    async (bytes) => {
      const path = freshPath();
      writeFileSync(path, bytes);
      await using manager = createTokenManager({ store: openDocument(path) });
      const error = await manager.signIn(tokensOf(1)).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path });
      expect(error).toMatchObject({ hint: expect.stringContaining('signIn(tokens, { over: "unreadable" })') });
      expect(readFileSync(path)).toEqual(bytes);
      await manager.signIn(tokensOf(1), OVER);
      expect(copiesOf(path)).toEqual([bytes]);
      expect(JSON.parse(textOf(path))).toEqual({ auth: { access: "canary-access-1", refresh: "canary-refresh-1" } });
      await using other = createTokenManager({ store: openDocument(path) });
      expect(await other.getAccessToken()).toBe("canary-access-1");
    },
  );

  it("keeps its other entries, if only one of them is unreadable", async () => {
    const path = freshPath();
    const text = `{ // kept
  "pool": [
    { "id": "one", "access": 7, "label": "mine" },
    { "id": "two", "access": "canary-access-9", "refresh": "canary-refresh-9" }
  ]
}`;
    writeFileSync(path, text);
    await using manager = createTokenManager({ store: openDocument(path, {}, migratingFormat(entry("one"))) });
    await manager.signIn(tokensOf(1), OVER);
    expect(copiesOf(path).map(String)).toEqual([text]);
    expect(textOf(path)).toContain('{ "id": "two", "access": "canary-access-9", "refresh": "canary-refresh-9" }');
    expect(textOf(path)).toMatch(/"id": "one",[^}]*"label": "mine"/);
    expect(entry("one").parse(textOf(path))?.tokens).toMatchObject({ accessToken: "canary-access-1" });
    expect(textOf(path)).toContain("// kept");
  });

  it("stays if its entry cannot be told from the others", async () => {
    const path = freshPath();
    const text = '{"pool":[{"id":"one"},{"id":"one"}]}';
    writeFileSync(path, text);
    const store = openDocument(path, {}, entry("one"));
    await using manager = createTokenManager({ store });
    await expect(manager.signIn(tokensOf(1), OVER)).rejects.toThrow("matches several entries");
    expect([textOf(path), copiesOf(path)]).toEqual([text, []]);
    expect(await failure(store.load())).not.toHaveProperty("stored");
  });

  it("is replaced by a sign-out on request", async () => {
    const path = freshPath();
    writeFileSync(path, '{"theme":"dark","auth":{"access":7}}');
    await using manager = createTokenManager({ store: openDocument(path) });
    await manager.signOut(OVER);
    expect(JSON.parse(textOf(path))).toEqual({ theme: "dark", auth: {} });
    await using other = createTokenManager({ store: openDocument(path) });
    await expect(other.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it("is left alone by a commit over a healthy chain, and replaced on request, without forgetting what is spent", async () => {
    const path = freshPath();
    const [sent, responded] = [latch(), latch()];
    const refresh = async () => {
      sent.open();
      await responded.opened;
      return { access_token: "canary-access-2", refresh_token: "canary-refresh-2", expires_in: 3600 };
    };
    await using manager = createTokenManager({ store: openDocument(path), refresh });
    await manager.signIn({ ...tokensOf(1), expiresAt: 0 });
    const token = manager.getAccessToken();
    await sent.opened;
    writeFileSync(path, TORN);
    responded.open();
    expect(await token).toBe("canary-access-2");
    expect(textOf(path)).toBe(TORN);
    await manager.signIn(tokensOf(5), OVER);
    expect(format.parse(textOf(path))?.tokens).toMatchObject({ accessToken: "canary-access-5" });
    expect(copiesOf(path).map(String)).toEqual([TORN]);
    expect(await manager.adopt({ refreshToken: "canary-refresh-1" })).toBe(false);
    await manager.signOut();
    expect(await manager.adopt({ refreshToken: "canary-refresh-1" })).toBe(false);
  });

  it("becomes no sign-out if the new session has no access token yet", async () => {
    const path = freshPath();
    const refresh = async () => ({ access_token: "canary-access-3", refresh_token: "canary-refresh-3" });
    await using manager = createTokenManager({ store: openDocument(path), refresh });
    await manager.signIn(tokensOf(1));
    writeFileSync(path, TORN);
    await manager.signIn({ refreshToken: "canary-refresh-2" }, OVER);
    await using other = createTokenManager({ store: openDocument(path), refresh });
    expect(await other.getAccessToken()).toBe("canary-access-3");
    expect(await other.hasSession()).toBe(true);
    expect(format.parse(textOf(path))?.tokens).toMatchObject({ refreshToken: "canary-refresh-3" });
  });

  const NEW = { access: "canary-access-1", refresh: "canary-refresh-1" };
  it.each([
    ["[1, 2]", { auth: NEW }],
    ['"canary-text"', { auth: NEW }],
    ["7", { auth: NEW }],
    ['{"auth":"canary-text","theme":"dark"}', { theme: "dark", auth: NEW }],
    ['{"auth":["canary-text"],"theme":"dark"}', { theme: "dark", auth: NEW }],
    ['{"auth":{"access":{"a":1},"theme":"dark"}}', { auth: { theme: "dark", ...NEW } }],
  ])("loses only the value that is in the way: %s", async (text, expected) => {
    const path = freshPath();
    writeFileSync(path, text);
    await using manager = createTokenManager({ store: openDocument(path) });
    await expect(manager.signIn(tokensOf(1))).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    expect(textOf(path)).toBe(text);
    await manager.signIn(tokensOf(1), OVER);
    expect(JSON.parse(textOf(path))).toEqual(expected);
    expect(copiesOf(path).map(String)).toEqual([text]);
  });

  it("keeps the other entries of an array, and replaces what should be the array", async () => {
    const [path, other] = [freshPath(), freshPath()];
    const neighbour = { id: "b", access: "canary-b" };
    writeFileSync(path, JSON.stringify({ pool: [{ id: "a", refresh: [1], name: "Ada" }, neighbour] }));
    writeFileSync(other, JSON.stringify({ pool: { a: 1 }, theme: "dark" }));
    for (const each of [path, other]) {
      await using manager = createTokenManager({ store: openDocument(each, {}, entry("a")) });
      await manager.signIn(tokensOf(1), OVER);
    }
    expect(JSON.parse(textOf(path))).toEqual({ pool: [{ id: "a", name: "Ada", ...NEW }, neighbour] });
    expect(JSON.parse(textOf(other))).toEqual({ theme: "dark", pool: [{ id: "a", ...NEW }] });
  });

  it("is not replaced if the copy cannot be written, or if another program repairs it first", async () => {
    const path = freshPath();
    writeFileSync(path, TORN);
    const full = openDocument(path, { copy: () => Promise.reject(errnoError("ENOSPC")) });
    await using refused = createTokenManager({ store: full });
    await expect(refused.signIn(tokensOf(1), OVER)).rejects.toThrow("the disk is full");
    const store = openDocument(path);
    const { overwriteVersion } = await failure(store.load());
    const repaired = '{"auth":{"access":"canary-access-8"}}';
    writeFileSync(path, repaired);
    await expect(store.save(record("R1", 1000), overwriteVersion)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect([textOf(path), copiesOf(path)]).toEqual([repaired, []]);
  });

  it("is replaced as a whole if its format cannot discard an entry", async () => {
    const path = freshPath();
    writeFileSync(path, "two tokens");
    await using manager = createTokenManager({ store: openDocument(path, {}, rawTokenFormat()) });
    await manager.signIn({ accessToken: "canary-access-1" }, OVER);
    expect([textOf(path), copiesOf(path).map(String)]).toEqual(["canary-access-1", ["two tokens"]]);
  });

  it("tells a caller whose document could not be replaced", async () => {
    const path = freshPath();
    writeFileSync(path, TORN);
    const rename: FileSystem["rename"] = (from, to) =>
      to === path ? Promise.reject(errnoError("EACCES")) : nodeFileSystem.rename(from, to);
    await using manager = createTokenManager({ store: openDocument(path, { rename }) });
    await expect(manager.signIn(tokensOf(1), OVER)).rejects.toThrow(/its directory is not writable/);
  });
});

describe("a document", () => {
  const LIMIT = 1_048_576;
  const paddedTo = (size: number, text = '{"auth":{"access":"canary-access-1","refresh":"canary-refresh-1"}}') =>
    text.padEnd(size, " ");

  it("is read if it has 1 MiB, and left alone if it has more", async () => {
    const path = freshPath();
    writeFileSync(path, paddedTo(LIMIT));
    await using manager = createTokenManager({ store: openDocument(path) });
    expect(await manager.getAccessToken()).toBe("canary-access-1");
    writeFileSync(path, paddedTo(LIMIT + 1));
    await using other = createTokenManager({ store: openDocument(path) });
    await expect(other.getAccessToken()).rejects.toThrow("is larger than 1 MiB");
    await expect(other.signIn(tokensOf(2), OVER)).rejects.toThrow(
      /larger than 1 MiB.*Move it away.*cannot be replaced/,
    );
    expect(statSync(path).size).toBe(LIMIT + 1);
  });

  it("is not written if it would be larger than that: the chain alone holds the session", async () => {
    const path = freshPath();
    writeFileSync(path, paddedTo(LIMIT, "{}"));
    await using manager = createTokenManager({ store: openDocument(path) });
    await manager.signIn(tokensOf(1));
    expect(textOf(path)).toBe(paddedTo(LIMIT, "{}"));
    await using other = createTokenManager({ store: openDocument(path) });
    expect(await other.getAccessToken()).toBe("canary-access-1");
  });

  it("is not rewritten by remove() if it is not UTF-8", async () => {
    const path = freshPath();
    const store = openDocument(path);
    await using manager = createTokenManager({ store });
    await manager.signIn(tokensOf(1));
    const bytes = Buffer.concat([readFileSync(path), Buffer.from([0xff])]);
    writeFileSync(path, bytes);
    await expect(store.remove()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    expect(readFileSync(path)).toEqual(bytes);
    rmSync(chainOf(path), { recursive: true });
  });
});
