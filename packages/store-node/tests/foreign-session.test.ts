import { rmSync, writeFileSync } from "node:fs";
import { StoreConflictError } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it } from "vitest";
import { freshPath, generationsOf, record, storeWith, textOf } from "./support.ts";

describe("a session file that another program wrote", () => {
  it("is adopted if there is no chain, and is replaced by a save over its version", async () => {
    const path = freshPath();
    writeFileSync(path, "foreign");
    const store = fileStore({ path });
    const found = await store.load();
    expect(found?.value).toBe("foreign");
    await expect(store.save("late", undefined)).rejects.toThrow(StoreConflictError);
    await store.save("1", found?.version);
    expect(generationsOf(path)).toEqual([1]);
    writeFileSync(path, "foreign");
    expect((await store.load())?.value).toBe("1");
  });

  it("is not replaced by a save over its version after it has changed", async () => {
    const path = freshPath();
    writeFileSync(path, "foreign");
    const store = fileStore({ path });
    const found = await store.load();
    writeFileSync(path, "changed");
    await expect(store.save("late", found?.version)).rejects.toThrow(StoreConflictError);
    expect(textOf(path)).toBe("changed");
  });

  it("replaces the latest generation if it is newer", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const own = await store.save(record("R1", 1000), undefined);
    writeFileSync(path, record("R9", 2000));
    const found = await store.load();
    expect(found?.value).toContain("R9");
    await expect(store.save("late", own)).rejects.toThrow(StoreConflictError);
    expect(await fileStore({ path }).load()).toEqual(found);
    const version = await store.save(record("R10", 3000), found?.version);
    expect(await fileStore({ path }).load()).toEqual({ value: record("R10", 3000), version });
  });

  it("is adopted by the next load if it was written during a save", async () => {
    const path = freshPath();
    const store = storeWith(path, {
      link: async (from, to) => {
        const { link } = await import("node:fs/promises");
        await link(from, to);
        writeFileSync(path, record("R9", 9000));
      },
    });
    const first = await fileStore({ path }).save(record("R1", 1000), undefined);
    await store.save(record("R2", 2000), first);
    expect((await store.load())?.value).toContain("R9");
    rmSync(path);
    expect((await fileStore({ path }).load())?.value).toContain("R9"); // published before it was used
  });

  it("counts as no session if it is empty", async () => {
    const path = freshPath();
    writeFileSync(path, "");
    const store = fileStore({ path });
    expect(await store.load()).toBeUndefined();
    await store.save("1", undefined);
    expect(textOf(path)).toBe("1");
  });
});
