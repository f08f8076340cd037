import { closeSync, ftruncateSync, openSync, readdirSync, renameSync, writeFileSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { createTokenManager, type SessionEvent, type TokenManager } from "@unexpired/core";
import { describe, expect, it, onTestFinished } from "vitest";
import { openDocumentStore } from "../../src/documents/document-store.ts";
import { chainNameOf } from "../../src/documents/entry.ts";
import { type FileSystem, nodeFileSystem } from "../../src/filesystem.ts";
import { jsonFormat } from "../../src/index.ts";
import { directoryLock } from "../../src/lock.ts";
import { watchNames } from "../../src/watch-names.ts";
import { chainOf, freshPath, latch, textOf } from "../support.ts";

const format = jsonFormat({ at: ["auth"], fields: { accessToken: "access", refreshToken: "refresh" } });

const write = (path: string, document: object): void => writeFileSync(path, JSON.stringify(document));
const read = (path: string) => JSON.parse(textOf(path)) as { auth?: object; n?: number };

/** Renames another program's version of the document over it. */
const replace = (path: string, document: object): void => {
  write(`${path}.tmp`, document);
  renameSync(`${path}.tmp`, path);
};

const auth = (number: number) => ({ access: `access-${number}`, refresh: `refresh-${number}` });

/** A program that opens the document, reads it, and writes it later, in place. */
function openInPlace(path: string) {
  const file = openSync(path, "r+");
  onTestFinished(() => closeSync(file));
  return {
    write(document: object): void {
      ftruncateSync(file, 0);
      writeSync(file, JSON.stringify(document), 0);
    },
  };
}

/** A session with the number 1 in a document, and the manager of one process. */
function open(calls: (path: string) => Partial<FileSystem> = () => ({})) {
  const path = freshPath();
  write(path, { n: 1, auth: auth(1) });
  let now = Date.now();
  const timers: (() => void)[] = [];
  const store = openDocumentStore(path, {
    fs: { ...nodeFileSystem, now: () => now, ...calls(path) },
    lock: directoryLock,
    format,
    pause: async (milliseconds) => {
      now += milliseconds;
    },
    later: (run) => timers.push(run),
    monotonic: () => now,
  });
  let number = 1;
  const refresh = async () => {
    number++;
    return { access_token: `access-${number}`, refresh_token: `refresh-${number}`, expires_in: 3600 };
  };
  const tokens = createTokenManager({ store, refresh });
  onTestFinished(() => tokens.close());
  const chain = join(chainOf(path), chainNameOf(format));
  const leftovers = () => readdirSync(chain).filter((name) => name.startsWith("replaced-"));
  const pass = (milliseconds: number): void => {
    now += milliseconds;
  };
  return { path, tokens, timers, chain, leftovers, pass, lost: lostWritesOf(tokens, path) };
}

/** Collects the events about lost writes. */
function lostWritesOf(tokens: TokenManager, path: string) {
  const lost: SessionEvent[] = [];
  let isLost = (): void => undefined;
  const next = new Promise<void>((resolve) => {
    isLost = resolve;
  });
  tokens.subscribe((event) => {
    if (event.type !== "document-write-lost") return;
    expect(event.location).toBe(path);
    lost.push(event);
    isLost();
  });
  return { count: () => lost.length, next };
}

/** Runs the timers that are due, and waits until `isDone`. */
async function runTimers(timers: (() => void)[], isDone: () => boolean): Promise<void> {
  for (const run of timers.splice(0)) run();
  await expect.poll(isDone, { interval: 1 }).toBe(true);
}

describe("a program that still writes to a document that was replaced", () => {
  it("finds its change in the document, beside our session", async () => {
    const { path, tokens, timers, lost, leftovers } = open();
    await tokens.hasSession();
    const other = openInPlace(path);
    await tokens.refresh();
    other.write({ n: 2, auth: auth(1), theme: "dark" });
    expect(read(path)).toEqual({ n: 1, auth: auth(2) });
    await runTimers(timers, () => read(path).n === 2 && JSON.stringify(read(path).auth) === JSON.stringify(auth(2)));
    expect(read(path)).toEqual({ n: 2, auth: auth(2), theme: "dark" });
    expect(await tokens.getAccessToken()).toBe("access-2");
    expect(lost.count()).toBe(0);
    await runTimers(timers, () => timers.length > 0);
    expect(leftovers()).toHaveLength(1); // of the document that was put back, and printed into
  });

  it("does not bring back the session that a sign-in has replaced", async () => {
    const { path, tokens, timers } = open();
    await tokens.hasSession();
    const other = openInPlace(path);
    await tokens.signIn({ accessToken: "access-7", refreshToken: "refresh-7", expiresAt: Date.now() + 3_600_000 });
    other.write({ n: 2, auth: auth(1) });
    await runTimers(timers, () => read(path).n === 2 && JSON.stringify(read(path).auth) === JSON.stringify(auth(7)));
    expect(await tokens.getAccessToken()).toBe("access-7");
  });

  it("has the session adopted that it signs in with at the same time", async () => {
    const { path, tokens, timers } = open();
    await tokens.hasSession();
    const other = openInPlace(path);
    await tokens.signIn({ accessToken: "access-7", refreshToken: "refresh-7", expiresAt: Date.now() + 3_600_000 });
    other.write({ n: 2, auth: auth(8) });
    await runTimers(timers, () => read(path).n === 2);
    await tokens.hasSession();
    expect(read(path)).toEqual({ n: 2, auth: auth(8) });
  });

  it("finds its change after another refresh, too", async () => {
    const { path, tokens, timers } = open();
    await tokens.hasSession();
    const other = openInPlace(path);
    await tokens.refresh();
    await tokens.refresh();
    other.write({ n: 2, auth: auth(1) });
    await runTimers(timers, () => read(path).n === 2);
    await tokens.hasSession();
    expect(read(path)).toEqual({ n: 2, auth: auth(3) });
  });

  it("loses it, which is reported, if the document has been changed since", async () => {
    const { path, tokens, timers, lost, leftovers } = open();
    await tokens.hasSession();
    const other = openInPlace(path);
    await tokens.refresh();
    other.write({ n: 2, auth: auth(1) });
    replace(path, { n: 5, auth: auth(2) });
    await runTimers(timers, () => lost.count() > 0);
    expect(read(path)).toEqual({ n: 5, auth: auth(2) });
    await expect.poll(leftovers).toEqual([]);
    expect(lost.count()).toBe(1);
  });

  it.each([
    ["signed in", { n: 1, auth: auth(9) }],
    ["signed out", { n: 1 }],
  ])("loses it, which is reported, if that program has %s in a new document since", async (_what, document) => {
    const { path, tokens, timers, lost } = open();
    await tokens.hasSession();
    const other = openInPlace(path);
    await tokens.refresh();
    other.write({ n: 2, auth: auth(1) });
    replace(path, document);
    await runTimers(timers, () => lost.count() > 0);
    expect(read(path)).toEqual(document);
  });

  it("finds its change after a sign-out of another process, too", async () => {
    const { path, tokens, timers } = open();
    await tokens.hasSession();
    const other = openInPlace(path);
    await tokens.refresh();
    await tokens.signOut({ revoke: false });
    other.write({ n: 2, auth: auth(1) });
    await runTimers(timers, () => read(path).n === 2);
    await tokens.hasSession();
    expect(read(path)).toEqual({ n: 2, auth: {} });
  });

  it("signs the session out with it", async () => {
    const { path, tokens, timers, pass } = open();
    await tokens.hasSession();
    const other = openInPlace(path);
    await tokens.refresh();
    other.write({ n: 2 });
    await runTimers(timers, () => read(path).n === 2);
    await tokens.hasSession();
    pass(1_000);
    expect(await tokens.hasSession()).toBe(false);
    expect(read(path)).toEqual({ n: 2 });
  });

  it("has its file watched for two seconds, after which nothing is left of it", async () => {
    const { path, tokens, timers, lost, leftovers } = open();
    await tokens.hasSession();
    await tokens.refresh();
    for (let looks = 0; leftovers().length > 0 && looks < 10; looks++) {
      await runTimers(timers, () => timers.length > 0 || leftovers().length === 0);
    }
    expect([leftovers(), lost.count(), read(path)]).toEqual([[], 0, { n: 1, auth: auth(2) }]);
  });

  it("has its file removed by any process that reads the document a minute later, if this one ends", async () => {
    const { path, tokens, chain, leftovers } = open();
    await tokens.hasSession();
    const [old, recent] = [`replaced-${Date.now() - 61_000}-00`, `replaced-${Date.now() - 1_000}-00`];
    for (const name of [old, recent]) writeFileSync(join(chain, name), "{}");
    const next = openDocumentStore(path, { fs: nodeFileSystem, lock: directoryLock, format });
    await next.load();
    expect(leftovers()).toEqual([recent]);
  });
});

describe.skipIf(!watchNames)("a program that renames its own version over the document", () => {
  it("loses it, which is reported, if that happens right before our own rename", async () => {
    let writes = 0;
    const { path, tokens, lost } = open((path) => ({
      async rename(from, to) {
        if (to === path && writes++ < 1) replace(path, { n: 2, auth: auth(1) });
        await nodeFileSystem.rename(from, to);
        if (to === path && writes === 1) replace(path, { n: 3, auth: auth(2) }); // this one is not lost
      },
    }));
    await tokens.hasSession();
    await tokens.refresh();
    await lost.next;
    expect(read(path)).toEqual({ n: 3, auth: auth(2) });
    expect(lost.count()).toBe(1);
  });

  it("is not said to have lost what our session was printed into", async () => {
    let isFirst = true;
    const { path, tokens, lost } = open((path) => ({
      async link(from, to) {
        if (from === path && isFirst) {
          isFirst = false;
          replace(path, { n: 2, auth: auth(1) });
        }
        await nodeFileSystem.link(from, to);
        if (from === path && read(path).n === 2) replace(path, { n: 3, auth: auth(1) });
      },
    }));
    await tokens.hasSession();
    await tokens.refresh();
    expect(read(path)).toEqual({ n: 3, auth: auth(2) });
    replace(path, { n: 4, auth: auth(2) });
    await tokens.refresh();
    expect(read(path)).toEqual({ n: 4, auth: auth(3) });
    expect(lost.count()).toBe(0);
  });

  it("is not said to have lost a document that it moves away and back before our own rename begins", async () => {
    const notified = latch();
    let isFirst = true;
    const { tokens, lost } = open((path) => ({
      async link(from, to) {
        if (from === path && isFirst) {
          isFirst = false;
          renameSync(path, `${path}.away`);
          renameSync(`${path}.away`, path);
        }
        await nodeFileSystem.link(from, to);
      },
      watchNames: (directories, onPath) =>
        watchNames?.(directories, (changed) => {
          onPath(changed);
          if (basename(changed).startsWith("projection-")) notified.open();
        }) ?? (() => undefined),
    }));
    await tokens.hasSession();
    await tokens.refresh();
    await notified.opened;
    expect([isFirst, lost.count()]).toEqual([false, 0]);
  });
});
