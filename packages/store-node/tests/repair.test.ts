import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it } from "vitest";
import { chainOf, freshPath, namesIn, record, storeFailing, storeWith, storeWithClock, textOf } from "./support.ts";

describe("the session file", () => {
  it("is rewritten if it is missing", async () => {
    const path = freshPath();
    const version = await fileStore({ path }).save("1", undefined);
    rmSync(path);
    expect(await fileStore({ path }).load()).toEqual({ value: "1", version });
    expect(textOf(path)).toBe("1");
  });

  it("is rewritten if it contains an earlier value in any format", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    let version: string | undefined;
    for (let number = 1; number <= 8; number++) version = await store.save(`text ${number}`, version);
    writeFileSync(path, "text 2");
    expect(await store.load()).toEqual({ value: "text 8", version });
    expect(textOf(path)).toBe("text 8");
  });

  it("is rewritten by a load that finds it torn for a second", async () => {
    const path = freshPath();
    const { store, pass, touch } = storeWithClock(path);
    await store.save("a long text", undefined);
    truncateSync(path, 6);
    touch();
    expect((await store.load())?.value).toBe("a long text");
    pass(999);
    expect((await store.load())?.value).toBe("a long text");
    expect(textOf(path)).toBe("a long");
    pass(1);
    expect((await store.load())?.value).toBe("a long text");
    expect(textOf(path)).toBe("a long text");
  });

  it.each([
    ["the previous value", 2, (text: string) => text.slice(0, 90)],
    ["the previous value, followed by zeros", 2, (text: string) => `${text.slice(0, 90)}\0\0`],
    ["the value before that", 1, (text: string) => text.slice(0, -1)],
  ])("is rewritten by a load that finds for a second a part of %s", async (_name, number, tear) => {
    const path = freshPath();
    const { store, pass, touch } = storeWithClock(path);
    const [first, second, latest] = [record("R1", 1000), record("R2", 2000), record("R3", 3000)];
    const version = await store.save(latest, await store.save(second, await store.save(first, undefined)));
    const torn = tear([first, second][number - 1] ?? "");
    writeFileSync(path, torn);
    touch();
    expect(await store.load()).toEqual({ value: latest, version });
    expect(textOf(path)).toBe(torn);
    pass(1_000);
    expect(await store.load()).toEqual({ value: latest, version });
    expect(textOf(path)).toBe(latest);
  });

  it("is not rewritten while another program overwrites it in place", async () => {
    const path = freshPath();
    const { store, pass, touch } = storeWithClock(path);
    await store.save(record("R1", 1000), undefined);
    const descriptor = openSync(path, "w");
    for (const part of ["", '{"schema":1,', '"tokens":{']) {
      writeSync(descriptor, part);
      touch();
      for (const _look of [1, 2]) await store.load().catch(() => {});
      pass(900);
    }
    closeSync(descriptor);
    writeFileSync(path, record("R2", 2000));
    expect((await store.load())?.value).toContain("R2");
  });

  it("is left to another program that overwrites it in place during a save", async () => {
    const path = freshPath();
    const { store, pass, touch } = storeWithClock(path);
    const first = await store.save(record("R1", 1000), undefined);
    const descriptor = openSync(path, "w");
    touch();
    const second = await store.save(record("R2", 2000), first);
    await store.save(record("R3", 3000), second);
    writeSync(descriptor, record("R9", 9000));
    closeSync(descriptor);
    const found = await store.load();
    expect(found?.value).toContain("R9");
    truncateSync(path);
    touch();
    pass(1_000);
    await store.save(record("R10", 10_000), found?.version);
    expect(textOf(path)).toBe(record("R10", 10_000));
  });

  it("is rewritten if its refresh token is spent", async () => {
    const path = freshPath();
    const store = fileStore({ path });
    const first = record("R1", 1000);
    const latest = record("R2", 2000, [createHash("sha256").update("R1").digest("base64url")]);
    await store.save(latest, await store.save(first, undefined));
    writeFileSync(path, ` ${first}`);
    expect((await store.load())?.value).toBe(latest);
    expect(textOf(path)).toBe(latest);
  });

  it("is not rewritten while another process holds the lock", async () => {
    const path = freshPath();
    await fileStore({ path }).save("1", undefined);
    rmSync(path);
    const busy = storeWith(path, {}, async () => undefined);
    expect((await busy.load())?.value).toBe("1");
    expect(existsSync(path)).toBe(false);
  });

  it("is overwritten in place if it cannot be replaced by renaming", async () => {
    const path = freshPath();
    writeFileSync(path, "mounted", { mode: 0o644 });
    const store = storeFailing(path, { rename: "EBUSY" });
    const version = await store.save("1", (await store.load())?.version);
    expect(textOf(path)).toBe("1");
    expect(await store.load()).toEqual({ value: "1", version });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(namesIn(chainOf(path))).toEqual(["1"]);
  });

  it("does not make a save fail if it cannot be written", async () => {
    const path = freshPath();
    const store = storeFailing(path, { rename: "EPERM", overwrite: "EROFS" });
    const version = await store.save("1", undefined);
    expect(existsSync(path)).toBe(false);
    expect(await store.load()).toEqual({ value: "1", version });
    expect(await fileStore({ path }).load()).toEqual({ value: "1", version });
    expect(textOf(path)).toBe("1");
  });
});
