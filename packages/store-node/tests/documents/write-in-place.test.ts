import { existsSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeFileSystem } from "../../src/filesystem.ts";
import { freshPath, textOf } from "../support.ts";
import {
  chainOf,
  documentWith,
  EMPTY,
  inUse,
  manage,
  once,
  open,
  sessionIn,
  signedIn,
  tokensOf,
  write,
} from "./virtual-time.ts";

describe("a document that cannot be replaced", () => {
  it("is written in place, and a later sign-out of the other program counts", async () => {
    const path = freshPath();
    const { tokens, store, pass } = await signedIn(path, inUse(path));
    expect(sessionIn(path)).toBe("a1");
    write(path, EMPTY);
    await store.load();
    pass(1_000);
    expect(await tokens.hasSession()).toBe(false);
    expect(textOf(path)).toBe(EMPTY);
    await tokens.close();
  });

  it("waits for the lock of a process that has died over it", async () => {
    const path = freshPath();
    write(path, EMPTY);
    let tries = 0;
    const { store } = open(path, inUse(path), {
      lock: async (directory) => (directory === chainOf(path) || ++tries > 20 ? async () => undefined : undefined),
    });
    await using tokens = manage(store);
    await tokens.signIn(tokensOf("1"));
    expect(sessionIn(path)).toBe("a1");
  });

  it("keeps what the other program writes while the copy is made", async () => {
    const path = freshPath();
    write(path, EMPTY);
    const interfere = once(() => write(path, '{ "theme": "light" }'));
    const { store } = open(path, {
      ...inUse(path),
      async create(target, text, options) {
        const stamp = await nodeFileSystem.create(target, text, options);
        interfere(target.endsWith(".next"));
        return stamp;
      },
    });
    await using tokens = manage(store);
    await tokens.signIn(tokensOf("1"));
    expect(textOf(path)).toMatch(/light/);
    expect(sessionIn(path)).toBe("a1");
  });

  it.each([
    ["is still empty", () => ""],
    ["is half-written", (text: string) => text.slice(0, text.length / 2)],
    ["ends within a character", (text: string) => Buffer.from(text).subarray(0, Buffer.from(text).indexOf("ü") + 1)],
  ])("is finished by the next process if its writer died while it %s", async (_how, partOf) => {
    const path = freshPath();
    write(path, documentWith(1).replace("dark", "dark grün"));
    const dying = open(path, {
      ...inUse(path),
      overwrite: async (target, text) => {
        writeFileSync(target, partOf(text));
        throw new Error("killed");
      },
      unlink: async (target) => (/\.(before|next)$/.test(target) ? undefined : nodeFileSystem.unlink(target)),
    });
    await using killed = manage(dying.store);
    await killed.signIn(tokensOf("2"));
    const { store, pass } = open(path);
    await using tokens = manage(store);
    expect(await tokens.getAccessToken()).toBe("a2");
    await tokens.signIn(tokensOf("3"));
    await store.load();
    pass(2_000);
    await store.load();
    expect(sessionIn(path)).toBe("a3");
    expect(textOf(path)).toMatch(/dark/);
    expect(existsSync(join(chainOf(path), `${basename(path)}.next`))).toBe(false);
  });
});
