import { createHook } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { watchPath } from "../src/watch.ts";
import { freshDirectory, freshPath, latch, storeFailing, textOf } from "./support.ts";

/** Counts the handles that are opened for watching. `closed` resolves when all of them are closed. */
function countHandles() {
  const open = new Set<number>();
  const closed = latch();
  const hook = createHook({
    init: (id, type) => {
      if (["FSEVENTWRAP", "STATWATCHER"].includes(type)) open.add(id);
    },
    destroy: (id) => {
      if (open.delete(id) && open.size === 0) closed.open();
    },
  }).enable();
  onTestFinished(() => {
    hook.disable();
  });
  return { count: () => open.size, closed: closed.opened };
}

/** Watches a path. `next` resolves after the next change. */
function watched(path: string, stateDirectory?: string) {
  let changed = latch();
  const stop = watchPath(path, () => changed.open(), { stateDirectory });
  onTestFinished(stop);
  return {
    stop,
    next: async (action: () => unknown): Promise<void> => {
      changed = latch();
      await action();
      await changed.opened;
    },
  };
}

describe("watching", () => {
  it("costs the same for one store and for 50 in the same directory, and nothing after they stop", async () => {
    const directory = freshDirectory();
    const handles = countHandles();
    const stops = Array.from({ length: 50 }, () => watchPath(join(directory, "session.json"), () => undefined));
    expect(handles.count()).toBe(2); // notifications and the poll
    for (let name = 0; name < 50; name++) stops.push(watchPath(join(directory, `${name}.json`), () => undefined));
    expect(handles.count()).toBe(2);
    for (const stop of stops) stop();
    await handles.closed;
  });

  it("causes no warning about listeners", () => {
    const limit = EventEmitter.defaultMaxListeners;
    const warnings: unknown[] = [];
    const onWarning = (warning: unknown) => warnings.push(warning);
    process.on("warning", onWarning);
    const path = freshPath();
    const stops = Array.from({ length: limit + 1 }, () => watchPath(path, () => undefined));
    for (const stop of stops) stop();
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
  });

  it("keeps notifying the others after one of them stops, even if it stops twice", async () => {
    const path = freshPath();
    const [first, second] = [watched(path), watched(path)];
    first.stop();
    first.stop();
    await second.next(() => fileStore({ path }).save("1", undefined));
  });

  it("notifies of changes in a directory that was replaced", async () => {
    const path = freshPath();
    const directory = dirname(path);
    const watcher = watched(path);
    await watcher.next(() => renameSync(directory, `${directory}-old`));
    await watcher.next(() => mkdirSync(directory));
    await watcher.next(() => writeFileSync(path, "1"));
    await watcher.next(() => rmSync(directory, { recursive: true }));
    await watcher.next(() => fileStore({ path }).save("1", undefined));
    await watcher.next(() => writeFileSync(path, "2"));
  });

  it("notifies of a session whose directories are all created later", async () => {
    const path = join(freshDirectory(), "a", "b", "c", "session.json");
    const watcher = watched(path);
    mkdirSync(dirname(path), { recursive: true });
    await watcher.next(() => writeFileSync(path, "1"));
  });

  it("notifies of a new generation if the session file is not written", async () => {
    const path = freshPath();
    const version = await fileStore({ path }).save("1", undefined);
    const watcher = watched(path);
    const refused = storeFailing(path, { rename: "EPERM", overwrite: "EPERM" });
    await watcher.next(() => refused.save("2", version));
    expect(textOf(path)).toBe("1");
  });

  it("notifies of a new generation in a state directory", async () => {
    const [path, stateDirectory] = [freshPath(), join(freshDirectory(), "state")];
    const watcher = watched(path, stateDirectory);
    const store = fileStore({ path, stateDirectory });
    let version: string | undefined;
    await watcher.next(async () => {
      version = await store.save("1", undefined);
    });
    await watcher.next(() => store.save("2", version));
  });
});
