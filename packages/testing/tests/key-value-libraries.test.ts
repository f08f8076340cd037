/** Key-value libraries as stores: they pass the kit within the guarantees of `fromKeyValue`; the rest is skipped. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromKeyValue } from "@unexpired/core";
import Keyv from "keyv";
import { createStorage, type Storage } from "unstorage";
import fsDriver from "unstorage/drivers/fs";
import memoryDriver from "unstorage/drivers/memory";
import { describe, expect, it } from "vitest";
import { describeTokenStore } from "../src/index.ts";

const fromUnstorage = (storage: Storage<string>) =>
  fromKeyValue({
    get: (key) => storage.getItem(key),
    set: (key, value) => storage.setItem(key, value),
    delete: (key) => storage.removeItem(key),
  });

describe.each(["memory", "files"])("unstorage, in %s", (kind) => {
  describeTokenStore(
    { describe, it },
    {
      create() {
        const base = mkdtempSync(join(tmpdir(), "unexpired-unstorage-"));
        const storage = createStorage<string>({ driver: kind === "files" ? fsDriver({ base }) : memoryDriver() });
        const store = fromUnstorage(storage);
        return {
          open: () => store,
          damage: () => storage.setItem("unexpired", "?"),
          wipe: () => storage.clear(),
          dispose: () => rmSync(base, { recursive: true }),
        };
      },
    },
  );
});

describe("keyv", () => {
  describeTokenStore(
    { describe, it },
    {
      create() {
        const keyv = new Keyv<string>();
        const store = fromKeyValue(keyv);
        return {
          open: () => store,
          damage: async () => void (await keyv.set("unexpired", "?")),
          wipe: () => keyv.clear(),
        };
      },
    },
  );

  it("rejects a failed read, but hides it as undefined if keyv has an error listener", async () => {
    class BrokenMap extends Map<string, string> {
      override get(): never {
        throw new Error("the disk is gone");
      }
    }
    const keyv = new Keyv<string>({ store: new BrokenMap() });
    const store = fromKeyValue(keyv);
    await expect(store.load()).rejects.toThrow("the disk is gone");
    keyv.on("error", () => {});
    expect(await store.load()).toBeUndefined();
  });
});
