import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeFileSystem } from "../../src/filesystem.ts";
import { errnoError } from "../../src/fs-errors.ts";
import { directoryLock, type Lock } from "../../src/lock.ts";
import { chainOf, failure, freshDirectory, textOf } from "../support.ts";
import { documentWith, format, isSignedOut, open, recordingFileSystem, recordOf } from "./support.ts";

const LIMIT = 1_048_576;
const CLEARED = '{"theme":"dark","auth":{}}';

describe("the chain of a document", () => {
  it("is kept out of repositories", async () => {
    const { path, store } = open({ text: "{}" });
    await store.save(recordOf(1), undefined);
    expect(readFileSync(join(chainOf(path), ".gitignore"), "utf8")).toBe("*\n");
  });
});

describe("a sign-out by another program", () => {
  it("is found by a look after the second, on the monotonic clock alone", async () => {
    const { path, store, clock, waits } = open({ text: documentWith(1) });
    const stop = store.watch?.(() => undefined);
    await store.load();
    writeFileSync(path, "{}");
    clock.wall += 5 * 3_600_000;
    expect(isSignedOut((await store.load())?.value)).toBe(false);
    clock.wall -= 10 * 3_600_000;
    clock.monotonic += 400;
    expect(isSignedOut((await store.load())?.value)).toBe(false);
    clock.monotonic += 600;
    expect(isSignedOut((await store.load())?.value)).toBe(true);
    expect(waits).toEqual([]);
    stop?.();
  });

  it("makes a store that is watched call back after the second", async () => {
    const { path, store, timers } = open({ text: documentWith(1) });
    let calls = 0;
    const stop = store.watch?.(() => calls++);
    await store.load();
    writeFileSync(path, "{}");
    await store.load();
    calls = 0; // the file system may have told of changes
    timers.find(({ milliseconds }) => milliseconds === 1_000)?.run();
    stop?.();
    expect(calls).toBe(1);
  });
});

it("looks at a blank document again a second after a save that has left it blank", async () => {
  const { path, store, timers } = open({ text: "" });
  let calls = 0;
  const stop = store.watch?.(() => calls++);
  await store.save(recordOf(1), undefined);
  expect(textOf(path)).toBe("");
  calls = 0; // the file system may have told of changes
  timers.find(({ milliseconds }) => milliseconds === 1_000)?.run();
  stop?.();
  expect(calls).toBe(1);
});

describe("remove", () => {
  it("clears the document again if another process writes the session while the chain is removed", async () => {
    const { path, store, chain } = open({
      text: documentWith(1),
      calls: (path) => ({
        async rename(from, to) {
          if (to.endsWith("-removed")) writeFileSync(path, documentWith(1));
          await nodeFileSystem.rename(from, to);
        },
      }),
    });
    await store.load();
    await store.remove();
    expect([textOf(path), existsSync(chain)]).toEqual([CLEARED, false]);
    expect(await open({ path }).store.load()).toBeUndefined();
  });

  it("clears the document before the chain is removed: nothing adopts the session in between", async () => {
    const found: (string | undefined)[] = [];
    const { path, store, chain } = open({
      text: documentWith(1),
      calls: (path) => ({
        async rename(from, to) {
          if (to.endsWith("-removed")) found.push(textOf(path));
          await nodeFileSystem.rename(from, to);
        },
      }),
    });
    await store.load();
    await store.remove();
    expect(found).toEqual([CLEARED]);
    expect([textOf(path), existsSync(chain)]).toEqual([CLEARED, false]);
  });

  it("clears a document that has no chain yet", async () => {
    const { path, store, chain } = open({ text: documentWith(1) });
    await store.remove();
    expect([textOf(path), existsSync(chain)]).toEqual([CLEARED, false]);
  });
});

describe("a document that is mounted by itself", () => {
  const isMountPoint = (path: string) => async (other: string) => other === path;

  it("can be read, and neither saved nor removed", async () => {
    const { path, store, chain } = open({ text: "{}", calls: (path) => ({ isMountPoint: isMountPoint(path) }) });
    expect(await store.load()).toBeUndefined();
    for (const task of [() => store.save(recordOf(1), undefined), () => store.remove()]) {
      expect(await failure(task())).toMatchObject({
        code: "STORE_UNAVAILABLE",
        message: expect.stringContaining("mounted as a single file"),
      });
    }
    expect([textOf(path), existsSync(chain)]).toEqual(["{}", false]);
  });

  it("is saved if the chain is in a state directory, which all sides share", async () => {
    const { path, store } = open({
      text: "{}",
      stateDirectory: freshDirectory(),
      calls: (path) => ({ isMountPoint: isMountPoint(path) }),
    });
    await store.save(recordOf(1), undefined);
    expect(format.parse(textOf(path))).toBeDefined();
    await store.remove();
    expect(format.parse(textOf(path))).toBeUndefined();
  });
});

it("reports a directory that vanished with the session, rather than a missing session", async () => {
  const { path, store } = open({ text: documentWith(1) });
  await store.load();
  rmSync(dirname(path), { recursive: true });
  expect(await failure(store.load())).toMatchObject({
    code: "STORE_UNAVAILABLE",
    message: expect.stringContaining("its directory no longer exists"),
  });
});

describe("the lock of a document", () => {
  it("is held while the document is read, compared and replaced", async () => {
    const { fs, calls } = recordingFileSystem();
    const lock: Lock = async (directory, options) => {
      const release = await directoryLock(directory, options);
      calls.push(`lock ${directory}`);
      return async () => {
        calls.push(`unlock ${directory}`);
        await release?.();
      };
    };
    const { path, store } = open({ text: "{}", calls: () => fs, lock });
    await store.save(recordOf(1), undefined);
    const held = calls.slice(calls.indexOf(`lock ${chainOf(path)}`), calls.indexOf(`unlock ${chainOf(path)}`));
    const steps = held.flatMap((call) => {
      const [step, of] = [call.split(" ")[0] ?? "", call.endsWith(` ${path}`)];
      if (step === "create" && call.includes("projection")) return "create";
      return of && ["read", "stat", "rename"].includes(step) ? step : [];
    });
    expect(steps.slice(0, steps.indexOf("rename") + 1)).toEqual(["read", "stat", "create", "stat", "rename"]);
    expect(calls.filter((call) => call === `rename ${path}`)).toHaveLength(1);
  });

  it("is waited for for a moment if a process that died holds it: then the document is written", async () => {
    let asked = 0;
    const { path, store, events } = open({
      text: "{}",
      lock: async (directory, options) => {
        if (directory !== chainOf(path)) return directoryLock(directory, options);
        asked++;
        return undefined;
      },
    });
    await store.save(recordOf(1), undefined);
    expect(format.parse(textOf(path))).toBeDefined();
    expect([asked, events]).toEqual([4, []]);
  });

  it("does not keep a load from repairing the document if a process that died holds it", async () => {
    const rename = (_from: string, _to: string) => Promise.reject(errnoError("EACCES"));
    const { path, store } = open({ text: documentWith(1) });
    const { version } = (await store.load()) ?? {};
    await open({ path, calls: () => ({ rename }) }).store.save(recordOf(2), version);
    expect(textOf(path)).toBe(documentWith(1));
    await open({ path, lock: async () => undefined }).store.load();
    expect(textOf(path)).toBe(documentWith(2));
  });
});

describe("a document that cannot be written", () => {
  it("is reported once for as long as the reason lasts, and when it shows the session again", async () => {
    let code: string | undefined = "EACCES";
    const { path, store, events } = open({
      text: "{}",
      calls: (path) => ({
        async rename(from, to) {
          if (to !== path || !code) return nodeFileSystem.rename(from, to);
          throw Object.assign(errnoError(code), { message: `${code}: failed, rename '${from}' -> '${to}'` });
        },
      }),
    });
    await store.save(recordOf(1), undefined);
    expect(events).toHaveLength(1);
    await store.load();
    await store.load();
    expect(events).toMatchObject([{ type: "document-failed", location: path, reason: "unavailable" }]);
    code = "EROFS";
    await store.load();
    expect(events.slice(1)).toMatchObject([
      { type: "document-failed", location: path, message: expect.stringContaining("read-only") },
    ]);
    code = undefined;
    await store.load();
    await store.load();
    expect(events.slice(2)).toEqual([{ type: "document-recovered", location: path }]);
    expect(JSON.parse(textOf(path))).toEqual(JSON.parse(documentWith(1, {})));
    const { version } = (await store.load()) ?? {};
    const next = await store.save(recordOf(2), version);
    expect(events).toHaveLength(3);
    code = "EROFS";
    await store.save(recordOf(3), next);
    expect(events.slice(3)).toMatchObject([{ type: "document-failed", location: path }]);
    expect(JSON.stringify(events)).not.toMatch(/canary|projection/);
  });

  it("is reported if it would be larger than 1 MiB, until there is room", async () => {
    const { path, store, events } = open({ text: "{}".padEnd(LIMIT, " ") });
    await store.save(recordOf(1), undefined);
    expect(events).toHaveLength(1);
    await store.load();
    expect(events).toMatchObject([
      { type: "document-failed", location: path, message: expect.stringContaining("larger than 1 MiB") },
    ]);
    expect(textOf(path)).toHaveLength(LIMIT);
    writeFileSync(path, "{}");
    await store.load();
    expect(events.slice(1)).toEqual([{ type: "document-recovered", location: path }]);
    expect(format.parse(textOf(path))).toBeDefined();
  });
});
