import { chmodSync, existsSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createTokenManager, memoryStore, type StoreEvent, type TokenStore } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { chainNameOf } from "../../src/documents/entry.ts";
import { nodeFileSystem } from "../../src/filesystem.ts";
import { fileDocument, fileStore, jsonFormat, mirroredStore } from "../../src/index.ts";
import { freshDirectory } from "../support.ts";
import { documentWith, format, HOUR, sessionOf } from "./support.ts";

const notesOf = (path: string) => join(dirname(path), `.${basename(path)}.unexpired`);
const refreshIn = (path: string) =>
  (JSON.parse(readFileSync(path, "utf8")) as { session?: { refresh: string } }).session?.refresh;
const signIn = (store: TokenStore, name: number | string = 1) =>
  createTokenManager({ store }).signIn(sessionOf(name, Date.now() + HOUR));
const configurationError = { code: "CONFIGURATION", message: expect.stringMatching(/same primary/) as string };

/** A directory with two documents, and stores that list both. */
function start() {
  const directory = freshDirectory();
  const paths = ["a.json", "b.json"].map((name) => join(directory, name));
  for (const path of paths) writeFileSync(path, '{"theme":"dark"}');
  const [a = "", b = ""] = paths;
  const open = (primary: TokenStore = fileStore({ path: join(directory, "session.json") })) =>
    mirroredStore(
      primary,
      paths.map((path) => fileDocument({ path, format })),
    );
  return { directory, a, b, open };
}

describe("fileDocument", () => {
  it("shows the session, and keeps its notes beside the file", async () => {
    const { a, b, open } = start();
    await signIn(open());
    expect([a, b].map(refreshIn)).toEqual([canary("refresh", 1), canary("refresh", 1)]);
    const names = readdirSync(notesOf(a), { recursive: true }).map(String);
    expect(names).toContain("primary");
    expect(names.filter((name) => /draft|projection|lock/.test(name))).toEqual([]);
    expect(readdirSync(notesOf(a), { recursive: true }).join()).not.toContain("canary");
  });

  it("removes what processes left beside the file when they died a minute ago", async () => {
    const { a, open } = start();
    await signIn(open());
    const chain = join(notesOf(a), chainNameOf(format));
    const leftovers = ["draft-00", "projection-00", `replaced-${Date.now() - 61_000}-00`, `replaced-${Date.now()}-00`];
    for (const name of leftovers) writeFileSync(join(chain, name), "");
    utimesSync(join(chain, "draft-00"), 0, 0);
    await signIn(open(), 2);
    const left = readdirSync(chain);
    expect(leftovers.map((name) => left.includes(name))).toEqual([false, true, false, true]);
  });

  it("names the primary once, so that a program with another one gets an error", async () => {
    const { a, open } = start();
    await signIn(open());
    const noted = readFileSync(join(notesOf(a), "primary"), "utf8");
    await signIn(open(), 2);
    expect(readFileSync(join(notesOf(a), "primary"), "utf8")).toBe(noted);
    await expect(open(memoryStore()).load()).rejects.toMatchObject(configurationError);
    expect(refreshIn(a)).toBe(canary("refresh", 2));
  });

  it("accepts exactly one of several primaries that are new at the same moment", async () => {
    const { a, b, open } = start();
    const results = await Promise.allSettled(
      Array.from({ length: 5 }, async (_, index) => {
        const store = open(memoryStore());
        await signIn(store, index);
        await store.load();
        return canary("refresh", index);
      }),
    );
    const winners = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(winners).toHaveLength(1);
    expect([a, b].map(refreshIn)).toEqual([winners[0], winners[0]]);
  });

  it("finds the session of a file store in the document, which is its own primary", async () => {
    const { a, open } = start();
    await signIn(fileStore({ path: a, format }));
    await expect(open().load()).rejects.toMatchObject(configurationError);
    await expect(signIn(open(), 2)).rejects.toMatchObject(configurationError);
    expect(refreshIn(a)).toBe(canary("refresh", 1));
  });

  it("cannot be the document of a file store as well", async () => {
    const { a, open } = start();
    await signIn(open());
    await expect(signIn(fileStore({ path: a, format }), 2)).rejects.toMatchObject(configurationError);
    expect(refreshIn(a)).toBe(canary("refresh", 1));
  });

  it("holds several sessions, each with a primary of its own", async () => {
    const { a } = start();
    const fields = { accessToken: "access", refreshToken: "refresh" };
    const open = (id: string) =>
      mirroredStore(memoryStore(), [
        fileDocument({ path: a, format: jsonFormat({ at: ["pool", { where: { id } }], fields }) }),
      ]);
    const [one, two] = [open("one"), open("two")];
    await signIn(one, 1);
    await signIn(two, 2);
    await one.load();
    await two.load();
    expect(JSON.parse(readFileSync(a, "utf8"))).toMatchObject({
      pool: [
        { id: "one", refresh: canary("refresh", 1) },
        { id: "two", refresh: canary("refresh", 2) },
      ],
    });
    await expect(open("two").load()).rejects.toMatchObject(configurationError);
    await one.remove();
    await two.load();
    await expect(open("two").load()).rejects.toMatchObject(configurationError);
    await two.remove();
    expect(existsSync(notesOf(a))).toBe(false);
  });

  it("follows a symbolic link, and leaves it in place", async () => {
    const { directory, a, b } = start();
    const link = join(directory, "link.json");
    symlinkSync(a, link);
    const store = mirroredStore(memoryStore(), [fileDocument({ path: link, format })]);
    await signIn(store);
    expect([a, link].map(refreshIn)).toEqual([canary("refresh", 1), canary("refresh", 1)]);
    const other = mirroredStore(memoryStore(), [fileDocument({ path: a, format }), fileDocument({ path: b, format })]);
    await expect(other.load()).rejects.toMatchObject(configurationError);
  });

  it("is not created in a directory that does not exist", async () => {
    const { directory } = start();
    const path = join(directory, "missing", "auth.json");
    await signIn(mirroredStore(memoryStore(), [fileDocument({ path, format })]));
    expect(existsSync(dirname(path))).toBe(false);
  });

  it.each([
    ["its mode has no write permission", (path: string) => chmodSync(path, 0o444), "read_only"],
    ["its notes cannot be kept", (path: string) => writeFileSync(notesOf(path), ""), "unavailable"],
  ])("is left alone and reported if %s", async (_why, spoil, reason) => {
    const { a, b, open } = start();
    spoil(b);
    const store = open();
    const events: StoreEvent[] = [];
    store.subscribe?.((event) => events.push(event));
    await signIn(store);
    expect(refreshIn(a)).toBe(canary("refresh", 1));
    expect(readFileSync(b, "utf8")).toBe('{"theme":"dark"}');
    expect(events).toMatchObject([{ type: "document-failed", location: b, reason }]);
    expect(JSON.stringify(events)).toContain(b);
  });

  it("is left alone and reported if it is mounted by itself, as its notes are those of one side", async () => {
    const { a, b, open } = start();
    const mounted = vi.spyOn(nodeFileSystem, "isMountPoint").mockImplementation(async (path) => path === b);
    onTestFinished(() => mounted.mockRestore());
    const store = open();
    const events: StoreEvent[] = [];
    store.subscribe?.((event) => events.push(event));
    await signIn(store);
    expect([refreshIn(a), readFileSync(b, "utf8")]).toEqual([canary("refresh", 1), '{"theme":"dark"}']);
    const message = expect.stringContaining("mounted as a single file") as string;
    expect(events).toMatchObject([{ type: "document-failed", location: b, reason: "read_only", message }]);
  });

  it("can be replaced although nothing has been noted about it", async () => {
    const { a } = start();
    const document = fileDocument({ path: a, format });
    const text = documentWith(1, Date.now() + HOUR);
    expect(await document.replace(await document.read(), text)).toBe(true);
    expect(readFileSync(a, "utf8")).toBe(text);
  });

  it("that is read-only can still tell of a newer session", async () => {
    const { a, b, open } = start();
    writeFileSync(b, documentWith(7, Date.now() + HOUR));
    chmodSync(b, 0o444);
    await open().load();
    expect(refreshIn(a)).toBe(canary("refresh", 7));
  });

  it("tells a process that watches of a session that another program puts into any file", async () => {
    const { a, b, open } = start();
    const store = open();
    await signIn(store);
    await using tokens = createTokenManager({ store });
    expect(await tokens.getAccessToken()).toBe(canary("access", 1));
    const adopted = new Promise((resolve) =>
      tokens.subscribe(({ type }) => type === "tokens-adopted" && resolve(type)),
    );
    writeFileSync(b, documentWith(7, Date.now() + 2 * HOUR));
    await adopted;
    expect(await tokens.getAccessToken()).toBe(canary("access", 7));
    await expect.poll(() => refreshIn(a)).toBe(canary("refresh", 7));
  });

  it.each([
    [{ path: "a.json" }, /"format" must be a SessionFormat/],
    [{ path: 1, format }, /"path" must be the path of a file/],
    [{ path: "a.json", format, stateDirectory: "x" }, /unknown option "stateDirectory"/],
  ])("names an invalid option", (options, message) => {
    expect(() => fileDocument(options as never)).toThrow(message);
  });

  it("is one of a list, after a store", () => {
    expect(() => mirroredStore({} as never, [])).toThrow(/first argument must be a TokenStore/);
    expect(() => mirroredStore(memoryStore(), ["a.json" as never])).toThrow(/second argument must be an array/);
  });
});
