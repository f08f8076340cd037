import { existsSync, mkdirSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { watchPath } from "../src/watch.ts";
import { freshDirectory, record } from "./support.ts";

/** Creates a symbolic link, or replaces one. */
function link(path: string, target: string): void {
  symlinkSync(target, `${path}.new`);
  renameSync(`${path}.new`, path);
}

/** Publishes files in a new directory, as Kubernetes does for a volume: `..data` is a link that is replaced. */
function publish(volume: string, name: string, text: string): void {
  const data = join(volume, "..data");
  const before = name === "..1" ? undefined : readlinkSync(data);
  mkdirSync(join(volume, name));
  writeFileSync(join(volume, name, "session.json"), text);
  link(data, name);
  if (before !== undefined) rmSync(join(volume, before), { recursive: true });
}

/** Counts the notifications about a path. */
function watched(path: string, stateDirectory?: string) {
  let count = 0;
  const stop = watchPath(path, () => count++, { stateDirectory });
  onTestFinished(stop);
  return async (action: () => unknown): Promise<void> => {
    const before = count;
    await action();
    await expect.poll(() => count).toBeGreaterThan(before);
  };
}

/** Creates a link to one of two session files. */
async function switchable() {
  const directory = freshDirectory();
  for (const name of ["ada", "bob"]) await fileStore({ path: join(directory, name) }).save(record(name, 1), undefined);
  const path = join(directory, "session.json");
  link(path, "ada");
  return path;
}

describe("a symbolic link at the session's path", () => {
  it("leads to another session once it is replaced", async () => {
    const path = await switchable();
    const store = fileStore({ path });
    expect((await store.load())?.value).toBe(record("ada", 1));
    link(path, "bob");
    const found = await store.load();
    expect(found?.value).toBe(record("bob", 1));
    link(path, "ada");
    await expect(store.save("late", found?.version)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect((await store.load())?.value).toBe(record("ada", 1));
  });

  it("leads a running manager to the other session", async () => {
    const path = await switchable();
    await using tokens = createTokenManager({ store: fileStore({ path }) });
    expect(await tokens.getAccessToken()).toBe("access for ada");
    for (const name of ["bob", "ada"]) {
      link(path, name);
      await expect.poll(() => tokens.getAccessToken()).toBe(`access for ${name}`);
    }
  });

  it("is watched, and so is what it leads to", async () => {
    const path = await switchable();
    const notified = watched(path);
    const bob = fileStore({ path: join(path, "../bob") });
    await notified(() => link(path, "bob"));
    await notified(async () => bob.save("next", (await bob.load())?.version));
    await notified(() => link(path, "ada"));
    await notified(() => rmSync(path));
    await notified(() => link(path, "bob"));
    await notified(() => writeFileSync(path, "theirs"));
  });

  it("is watched if it is the directory above that is linked, as in a volume of Kubernetes", async () => {
    const volume = freshDirectory();
    const path = join(volume, "session.json");
    publish(volume, "..1", record("R1", 1));
    symlinkSync("..data/session.json", path);
    const store = fileStore({ path });
    const notified = watched(path);
    for (const number of [2, 3, 4, 5]) {
      await notified(() => publish(volume, `..${number}`, record(`R${number}`, number)));
      expect((await store.load())?.value).toBe(record(`R${number}`, number));
    }
  });

  it("may lead to another state directory", async () => {
    const directory = freshDirectory();
    const path = join(directory, "session.json");
    for (const name of ["one", "two"]) {
      rmSync(path, { force: true });
      await fileStore({ path, stateDirectory: join(directory, name) }).save(record(name, 1), undefined);
    }
    const stateDirectory = join(directory, "state");
    link(stateDirectory, "two");
    const store = fileStore({ path, stateDirectory });
    expect((await store.load())?.value).toBe(record("two", 1));
    const notified = watched(path, stateDirectory);
    await notified(() => link(stateDirectory, "one"));
    await store.load(); // publishes the session file there
    expect(existsSync(join(directory, "one", ".session.json.unexpired", "2"))).toBe(true);
  });
});
