import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { StoreConflictError, type TokenStore } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { expect, it } from "vitest";
import { type FileSystem, nodeFileSystem, type Stamp } from "../src/filesystem.ts";
import { chainOf, freshPath, generationsOf, latch, namesIn, record, storeWith, textOf } from "./support.ts";

type Suspendable = "create" | "link" | "rename";

/** A store whose first call of `name` waits for `others`, like a process that is suspended before that call. */
function suspendedBefore(path: string, name: Suspendable, others: () => Promise<unknown>): TokenStore {
  let isFirst = true;
  const suspend = async () => {
    if (isFirst) {
      isFirst = false;
      await others();
    }
  };
  const calls: Pick<FileSystem, Suspendable> = {
    create: (...args) => suspend().then(() => nodeFileSystem.create(...args)),
    link: (...args) => suspend().then(() => nodeFileSystem.link(...args)),
    rename: (...args) => suspend().then(() => nodeFileSystem.rename(...args)),
  };
  return storeWith(path, { [name]: calls[name] }, async () => async () => undefined);
}

const refuse = () => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" }));

const saveTimes = async (path: string, times: number): Promise<void> => {
  const store = fileStore({ path });
  for (let time = 1; time <= times; time++) await store.save(`other ${time}`, (await store.load())?.version);
};

it.each([1, 2, 3, 4, 9])("reports a conflict if %d saves overtake a suspended writer (I2)", async (times) => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  const suspended = suspendedBefore(path, "link", () => saveTimes(path, times));
  await expect(suspended.save("late", version)).rejects.toThrow(StoreConflictError);
  expect((await suspended.load())?.value).toBe(`other ${times}`);
  expect((await fileStore({ path }).load())?.value).toBe(`other ${times}`);
  expect(textOf(path)).toBe(`other ${times}`);
});

it("reports an unknown outcome and overwrites nothing if a writer is suspended for too many saves", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  const suspended = suspendedBefore(path, "link", () => saveTimes(path, 20));
  await expect(suspended.save("late", version)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  expect((await fileStore({ path }).load())?.value).toBe("other 20");
});

it.each([1, 5])("succeeds if a writer is suspended after publishing and %d saves follow", async (times) => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  const suspended = storeWith(
    path,
    {
      link: async (from, to) => {
        await nodeFileSystem.link(from, to);
        await saveTimes(path, times);
      },
    },
    async () => async () => undefined,
  );
  await expect(suspended.save("mine", version)).resolves.toMatch(/^2-/);
  expect((await suspended.load())?.value).toBe(`other ${times}`);
  expect(textOf(path)).toBe(`other ${times}`);
});

it("reports a conflict if the session is removed between comparing and publishing, and keeps it removed", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  const suspended = suspendedBefore(path, "link", () => fileStore({ path }).remove());
  await expect(suspended.save("late", version)).rejects.toThrow(StoreConflictError);
  expect(readdirSync(dirname(path))).toEqual([]);
});

it("reports a conflict and keeps the new session if it begins between comparing and publishing", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  const suspended = suspendedBefore(path, "link", async () => {
    await fileStore({ path }).remove();
    await saveTimes(path, 1);
  });
  await expect(suspended.save("late", version)).rejects.toThrow(StoreConflictError);
  expect((await fileStore({ path }).load())?.value).toBe("other 1");
  expect(textOf(path)).toBe("other 1");
});

it("reports a conflict if the session is replaced between comparing and writing the draft", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  const suspended = suspendedBefore(path, "create", async () => {
    await fileStore({ path }).remove();
    await saveTimes(path, 1);
  });
  await expect(suspended.save("late", version)).rejects.toThrow(StoreConflictError);
  expect((await fileStore({ path }).load())?.value).toBe("other 1");
});

it("reports a conflict if another program writes its session before the draft is written, and adopts it", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save(record("R1", 1000), undefined);
  const suspended = suspendedBefore(path, "create", async () => writeFileSync(path, record("R9", 9000)));
  await expect(suspended.save("late", version)).rejects.toThrow(StoreConflictError);
  expect((await suspended.load())?.value).toContain("R9");
  expect(textOf(path)).toContain("R9");
});

it("keeps a session removed that is removed between publishing and writing the session file", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  const suspended = suspendedBefore(path, "rename", () => fileStore({ path }).remove());
  await suspended.save("mine", version);
  expect(readdirSync(dirname(path))).toEqual([]);
  expect(await suspended.load()).toBeUndefined();
});

it("does not collect generations of a new session that began while a writer was suspended", async () => {
  const path = freshPath();
  await saveTimes(path, 6);
  const suspended = suspendedBefore(path, "rename", async () => {
    await fileStore({ path }).remove();
    await saveTimes(path, 2);
  });
  await suspended.save("late", (await suspended.load())?.version).catch(() => undefined);
  expect(generationsOf(path)).toEqual([1, 2]);
  expect((await fileStore({ path }).load())?.value).toBe("other 2");
});

it("keeps the newest value in the session file if a writer is suspended before writing an older one", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  const suspended = suspendedBefore(path, "rename", () => saveTimes(path, 2));
  await suspended.save("mine", version);
  expect(textOf(path)).toBe("other 2");
});

it("does not write an old value if a reader is suspended before it repairs the session file", async () => {
  const path = freshPath();
  await fileStore({ path }).save("start", undefined);
  rmSync(path);
  const suspended = suspendedBefore(path, "rename", () => saveTimes(path, 2));
  await suspended.load();
  expect(textOf(path)).toBe("other 2");
});

it("does not restore a removed session if a reader is suspended before it repairs the session file", async () => {
  const path = freshPath();
  await fileStore({ path }).save("start", undefined);
  rmSync(path);
  const suspended = suspendedBefore(path, "create", async () => {
    await fileStore({ path }).remove();
    await saveTimes(path, 1);
  });
  expect((await suspended.load())?.value).toBe("other 1");
  expect(textOf(path)).toBe("other 1");
});

it("treats a session with the same number and no session file as a different one", async () => {
  const path = freshPath();
  const store = storeWith(path, { rename: refuse, overwrite: refuse });
  await store.save("1", undefined);
  expect((await store.load())?.value).toBe("1");
  const other = fileStore({ path });
  await other.remove();
  const version = await other.save("2", undefined);
  rmSync(path);
  expect(await store.load()).toEqual({ value: "2", version });
});

it("succeeds if anything fails after publishing", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("1", undefined);
  let isPublished = false;
  const store = storeWith(path, {
    link: (...args) =>
      nodeFileSystem.link(...args).finally(() => {
        isPublished = true;
      }),
    stat: (name) => (isPublished ? refuse() : nodeFileSystem.stat(name)),
  });
  const saved = await store.save("2", version);
  expect(await fileStore({ path }).load()).toEqual({ value: "2", version: saved });
});

it("does not adopt a session file that was saved after the chain was read", async () => {
  const path = freshPath();
  await fileStore({ path }).save(record("R1", 1000), undefined);
  let isFirst = true;
  const suspended = storeWith(path, {
    read: async (name) => {
      if (name === path && isFirst) {
        isFirst = false;
        const other = fileStore({ path });
        await other.save(record("R2", 2000), (await other.load())?.version);
      }
      return nodeFileSystem.read(name);
    },
  });
  expect(await suspended.load()).toEqual(await fileStore({ path }).load());
});

it("reads the newer generation if one is collected between listing and reading", async () => {
  const path = freshPath();
  await fileStore({ path }).save("start", undefined);
  let isFirst = true;
  const suspended = storeWith(path, {
    list: async (directory) => {
      const names = await nodeFileSystem.list(directory);
      if (isFirst) {
        isFirst = false;
        await saveTimes(path, 6);
      }
      return names;
    },
  });
  expect((await suspended.load())?.value).toBe("other 6");
});

it("succeeds if a published generation is collected while its writer verifies it", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  let isPublished = false;
  const suspended = storeWith(
    path,
    {
      link: (...args) =>
        nodeFileSystem.link(...args).finally(() => {
          isPublished = true;
        }),
      list: async (directory) => {
        const names = await nodeFileSystem.list(directory);
        const isFirst = isPublished;
        isPublished = false;
        if (isFirst) await saveTimes(path, 6);
        return names;
      },
    },
    async () => async () => undefined,
  );
  await expect(suspended.save("mine", version)).resolves.toMatch(/^2-/);
});

it("distinguishes a session from its successor by length if inodes and clock ticks are reused", async () => {
  const path = freshPath();
  const blur = <T extends Stamp | undefined>(stamp: T): T => stamp && { ...stamp, fileId: "reused", modified: 0n };
  const store = storeWith(path, {
    stat: async (name) => blur(await nodeFileSystem.stat(name)),
    create: async (...args) => blur(await nodeFileSystem.create(...args)),
    read: async (name) => {
      const { text, stamp } = await nodeFileSystem.read(name);
      return { text, stamp: blur(stamp) };
    },
  });
  const other = fileStore({ path });
  let distinguished = 0;
  for (let round = 0; round < 6; round++) {
    const version = await other.save("same", undefined);
    if ((await store.load())?.version === version) distinguished++;
    await other.remove();
    await other.save("same", undefined);
    if ((await store.load())?.version !== version) distinguished++;
    await other.remove();
  }
  expect(distinguished).toBeGreaterThan(6);
});

it("does not adopt a session file while its session is being removed", async () => {
  const path = freshPath();
  await fileStore({ path }).save("start", undefined);
  const found: unknown[] = [];
  const removing = storeWith(path, {
    unlink: async (name) => {
      if (name === path) found.push(existsSync(path), await fileStore({ path }).load());
      await nodeFileSystem.unlink(name);
    },
  });
  await removing.remove();
  expect(found).toEqual([true, undefined]);
});

it("reports a conflict if an adopted session is removed between comparing and publishing", async () => {
  const path = freshPath();
  writeFileSync(path, "foreign");
  const suspended = suspendedBefore(path, "link", () => fileStore({ path }).remove());
  await expect(suspended.save("late", (await suspended.load())?.version)).rejects.toThrow(StoreConflictError);
  expect(readdirSync(dirname(path))).toEqual([]);
});

it("collects the temporary files of a dead writer after a while, but not recent ones", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("1", undefined);
  for (const name of ["draft-00aa", "projection-00aa", "draft-00bb"]) writeFileSync(join(chainOf(path), name), "");
  for (const name of ["draft-00aa", "projection-00aa"]) utimesSync(join(chainOf(path), name), 1, 1);
  await fileStore({ path }).save("2", version);
  expect(namesIn(chainOf(path)).sort()).toEqual(["1", "2", "draft-00bb"]);
});

it("reports a conflict if the draft of a suspended writer was collected", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("1", undefined);
  const suspended = suspendedBefore(path, "link", async () => {
    for (const name of namesIn(chainOf(path))) if (name.startsWith("draft-")) rmSync(join(chainOf(path), name));
  });
  await expect(suspended.save("2", version)).rejects.toThrow(StoreConflictError);
});

it.each(["a directory of a dead process", "a plain file"])(
  "saves and repairs despite %s at the lock's path",
  async (kind) => {
    const path = freshPath();
    const store = fileStore({ path });
    const version = await store.save("1", undefined);
    const lock = join(chainOf(path), "lock");
    if (kind === "a plain file") writeFileSync(lock, "");
    else mkdirSync(lock);
    const later = await store.save("2", version);
    rmSync(path);
    expect(await store.load()).toEqual({ value: "2", version: later });
    utimesSync(lock, 1, 1);
    await store.save("3", later);
    if (kind === "a plain file") rmSync(lock);
    expect(() => rmdirSync(lock)).toThrow("ENOENT");
    expect(generationsOf(path)).toEqual([1, 2, 3]);
  },
);

it("returns a value whose sync failed only after it has been synced", async () => {
  const path = freshPath();
  const version = await fileStore({ path }).save("start", undefined);
  let isBroken = true;
  const store = storeWith(path, {
    syncDirectory: (directory) => (isBroken ? refuse() : nodeFileSystem.syncDirectory(directory)),
  });
  await expect(store.save("mine", version)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  isBroken = false;
  expect((await store.load())?.value).toBe("mine");
});

it("syncs the name of a session directory that another process created but may have failed to sync (P2)", async () => {
  const path = freshPath();
  const synced: string[] = [];
  const store = storeWith(path, {
    syncDirectory: async (directory) => {
      synced.push(directory);
      await nodeFileSystem.syncDirectory(directory);
    },
  });
  await store.save("start", undefined);
  expect(synced).toContain(dirname(dirname(path)));
});

it("loads although a save that fails at the same time discards what was known", async () => {
  const path = freshPath();
  const held = latch();
  let isHeld = false;
  const store = storeWith(path, {
    async stat(file) {
      const found = await nodeFileSystem.stat(file);
      if (isHeld) {
        isHeld = false;
        await held.opened;
      }
      return found;
    },
    link: (from, to) => (to.endsWith("2") ? refuse() : nodeFileSystem.link(from, to)),
  });
  const version = await store.save("1", undefined);
  await store.load();
  isHeld = true;
  const loading = store.load();
  await expect(store.save("2", version)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  held.open();
  expect(await loading).toEqual({ value: "1", version });
});
