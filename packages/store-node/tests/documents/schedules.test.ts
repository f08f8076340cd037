import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { StoreError } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { nodeFileSystem } from "../../src/filesystem.ts";
import { errnoError } from "../../src/fs-errors.ts";
import { jsonFormat } from "../../src/index.ts";
import { freshPath, textOf } from "../support.ts";
import {
  chainOf,
  documentWith,
  dyingInPlace,
  EMPTY,
  HOUR,
  inUse,
  manage,
  once,
  open,
  sessionIn,
  signedIn,
  tokensOf,
  write,
} from "./virtual-time.ts";

it("does not put back what the other program wrote during a rename over what it has written since", async () => {
  const path = freshPath();
  write(path, EMPTY);
  const first = once(() => writeFileSync(path, '{ "theme": "light" }'));
  const second = once(() => {
    writeFileSync(`${path}.new`, '{ "theme": "blue" }');
    renameSync(`${path}.new`, path);
  });
  const { store } = open(path, {
    async rename(from, to) {
      first(to === path);
      await nodeFileSystem.rename(from, to);
      second(to === path);
    },
  });
  await using tokens = manage(store);
  await tokens.signIn(tokensOf("1"));
  expect(textOf(path)).toMatch(/blue/);
});

it("is no sign-out while another process finishes the write", async () => {
  const path = freshPath();
  const { tokens } = await signedIn(path);
  const text = textOf(path);
  write(path, "");
  let tries = 0;
  const { store } = open(
    path,
    {},
    {
      async lock(directory) {
        if (directory !== chainOf(path) && ++tries > 15) write(path, text);
        return directory === chainOf(path) ? async () => undefined : undefined;
      },
    },
  );
  await store.load();
  expect(await tokens.hasSession()).toBe(true);
  await tokens.close();
});

describe("a document without a session", () => {
  it("is no sign-out if it held the session between two looks", async () => {
    const path = freshPath();
    const { store, pass, tokens } = await signedIn(path);
    const text = textOf(path);
    write(path, EMPTY);
    await store.load();
    write(path, text);
    pass(900);
    write(path, "{ }");
    pass(900);
    await store.load();
    write(path, text);
    expect(await tokens.hasSession()).toBe(true);
    await tokens.close();
  });

  it("is no sign-out if it was missing at two looks that are far apart", async () => {
    const path = freshPath();
    const { store, pass, tokens } = await signedIn(path);
    const text = textOf(path);
    const stop = store.watch?.(() => undefined); // a process that hears of changes looks again by itself
    rmSync(path);
    await store.load();
    pass(60_000);
    await store.load();
    write(path, text);
    expect(await tokens.hasSession()).toBe(true);
    stop?.();
    await tokens.close();
  });

  it("is no sign-out if it has the session again when that is stored", async () => {
    const path = freshPath();
    const { tokens } = await signedIn(path);
    const text = textOf(path);
    const interfere = once(() => write(path, text));
    const { store, pass } = open(path, {
      async create(target, content, options) {
        const stamp = await nodeFileSystem.create(target, content, options);
        interfere(basename(target).startsWith("draft-"));
        return stamp;
      },
    });
    write(path, EMPTY);
    await store.load(); // waits for the second
    pass(1_000);
    expect((await store.load())?.value).toContain("a1");
    expect(await tokens.hasSession()).toBe(true);
    await tokens.close();
  });

  it("is no sign-out because a clock jumps", async () => {
    const path = freshPath();
    let now = Date.now();
    const { store, tokens } = await signedIn(path, { now: () => now });
    const text = textOf(path);
    const stop = store.watch?.(() => undefined);
    write(path, EMPTY);
    await store.load();
    now += HOUR;
    await store.load();
    write(path, text);
    expect(await tokens.hasSession()).toBe(true);
    stop?.();
    await tokens.close();
  });

  it("shows a sign-in that follows the other program's sign-out within the second", async () => {
    const path = freshPath();
    const { store, pass, tokens } = await signedIn(path);
    write(path, EMPTY);
    await store.load();
    await tokens.signIn(tokensOf("2"));
    expect(sessionIn(path)).toBe("a2");
    pass(1_000);
    await store.load();
    expect(await tokens.getAccessToken()).toBe("a2");
    await tokens.close();
  });

  it("is written only after a second if it is blank, because the other program may be about to write it", async () => {
    const path = freshPath();
    write(path, "");
    const { store, pass } = open(path);
    await using tokens = manage(store);
    await tokens.signIn(tokensOf("1"));
    await store.load();
    expect(textOf(path)).toBe("");
    expect(await tokens.getAccessToken()).toBe("a1");
    pass(1_000);
    await store.load();
    expect(sessionIn(path)).toBe("a1");
  });

  it("is not read from memory once other processes have stored sessions", async () => {
    const path = freshPath();
    write(path, "");
    const { store } = open(path);
    expect(await store.load()).toBeUndefined();
    await using tokens = manage(open(path).store);
    for (const name of ["1", "2", "3", "4", "5"]) await tokens.signIn(tokensOf(name));
    expect((await store.load())?.value).toContain("a5");
  });
});

const formatOf = (name: string) =>
  jsonFormat({ at: [name], fields: { accessToken: "access", refreshToken: "refresh", expiresAt: "expires" } });

describe("a document with two sessions that cannot be replaced", () => {
  const session = (number: number) => ({ access: `a${number}`, refresh: `r${number}`, expires: Date.now() + HOUR });

  it("signs neither out if a process dies while it writes the other", async () => {
    const path = freshPath();
    write(path, JSON.stringify({ one: session(1), two: session(2) }));
    const one = open(path, inUse(path), { format: formatOf("one") });
    await one.store.load();
    await open(path, inUse(path), { format: formatOf("two") }).store.load();
    await using killed = manage(open(path, dyingInPlace(path), { format: formatOf("two") }).store);
    await killed.signIn(tokensOf("3"));
    expect(textOf(path)).toBe("");
    expect((await one.store.load())?.value).toContain("a1");
    expect(JSON.parse(textOf(path))).toMatchObject({ one: { access: "a1" }, two: { access: "a3" } });
  });

  it("is still finished if the other session is signed out over it", async () => {
    const path = freshPath();
    write(path, JSON.stringify({ theme: "dark", one: session(1), two: session(2) }));
    const one = open(path, inUse(path), { format: formatOf("one") });
    await using leaving = manage(one.store);
    const stop = one.store.watch?.(() => undefined); // so that an empty entry is looked at again later
    await leaving.hasSession();
    await using killed = manage(open(path, dyingInPlace(path), { format: formatOf("two") }).store);
    await killed.signIn(tokensOf("3"));
    await leaving.signOut({ revoke: false });
    await open(path, inUse(path), { format: formatOf("two") }).store.load();
    expect(JSON.parse(textOf(path))).toMatchObject({ theme: "dark", two: { access: "a3" } });
    stop?.();
  });

  it("is not finished over what another program has made of it much later", async () => {
    const path = freshPath();
    write(path, EMPTY);
    const dying = { ...inUse(path), overwrite: () => new Promise<never>(() => undefined) };
    const killed = manage(open(path, dying).store);
    void killed.signIn(tokensOf("1")).catch(() => undefined);
    await expect.poll(() => existsSync(join(dirname(chainOf(path)), `${basename(path)}.next`))).toBe(true);
    write(path, documentWith(5));
    write(path, "");
    utimesSync(path, new Date(), new Date(Date.now() + 11_000));
    const { store } = open(path, {}, { lock: async () => async () => undefined });
    await store.load();
    expect(textOf(path)).not.toMatch(/dark/);
  });
});

it("notes a session that is adopted first, so that a sign-out before the document is looked at again counts", async () => {
  const path = freshPath();
  write(path, documentWith(1));
  const interfere = once(() => {
    write(`${path}.new`, EMPTY);
    renameSync(`${path}.new`, path);
  });
  const { store } = open(path, {
    async link(from, to) {
      await nodeFileSystem.link(from, to);
      interfere(/\/\d+$/.test(to));
    },
  });
  expect((await store.load())?.value).toContain("signed_out");
  expect(textOf(path)).toBe(EMPTY);
});

function toDirectory(path: string): void {
  rmSync(path);
  mkdirSync(path);
}

it.each<[string, (path: string) => void]>([
  ["becomes a directory", toDirectory],
  ["grows over 1 MiB", (path: string) => write(path, documentWith(1).padEnd(1_048_577))],
])("stores a session although the document %s", async (_how, spoil) => {
  const path = freshPath();
  const { store, tokens } = await signedIn(path);
  const found = await store.load();
  spoil(path);
  const value = found?.value.replaceAll('"a1"', '"a2"') ?? "";
  await store.save(value, found?.version);
  const failure = await store.load().catch((error: StoreError) => error);
  expect(failure).toMatchObject({ code: "STORE_UNREADABLE" });
  expect((failure as StoreError).stored?.()).toContain("a2");
  await tokens.close();
});

it("keeps no more than three generations while the document cannot be written", async () => {
  const path = freshPath();
  const { store, tokens } = await signedIn(path);
  const failing = manage(open(path, { rename: () => Promise.reject(errnoError("EACCES")) }).store);
  for (const name of ["2", "3", "4", "5", "6"]) await failing.signIn(tokensOf(name));
  expect(readdirSync(chainOf(path)).filter((name) => /^\d+$/.test(name)).length).toBeLessThanOrEqual(3);
  expect((await store.load())?.value).toContain("a6");
  await Promise.all([tokens.close(), failing.close()]);
});

it("lets the stored session be used while a half-written document cannot be finished", async () => {
  const path = freshPath();
  const { tokens } = await signedIn(path);
  const full = dyingInPlace(path, "ENOSPC");
  const failing = manage(open(path, full).store);
  await failing.signIn(tokensOf("2"));
  expect(textOf(path)).toBe("");
  const { store } = open(path, full);
  expect((await store.load())?.value).toContain("a2");
  expect((await open(path, inUse(path)).store.load())?.value).toContain("a2");
  expect(sessionIn(path)).toBe("a2");
  await Promise.all([tokens.close(), failing.close()]);
});

describe("the copies of a document that was written in place", () => {
  const copyOf = (path: string) => join(dirname(chainOf(path)), `${basename(path)}.next`);

  /** A document over which a process has died, once it was truncated. */
  async function halfWritten() {
    const path = freshPath();
    const { tokens } = await signedIn(path);
    const killed = manage(open(path, dyingInPlace(path)).store);
    await killed.signIn(tokensOf("2"));
    expect(existsSync(copyOf(path))).toBe(true);
    await Promise.all([tokens.close(), killed.close()]);
    return path;
  }

  it("are not written over what the other program writes at the same moment", async () => {
    const path = await halfWritten();
    const interfere = once(() => write(path, documentWith(7)));
    const { store } = open(path, {
      ...inUse(path),
      async read(target) {
        const found = await nodeFileSystem.read(target);
        interfere(target.endsWith(".next"));
        return found;
      },
    });
    expect((await store.load())?.value).toContain("a7");
    expect(sessionIn(path)).toBe("a7");
  });

  it("are removed once the document is another one", async () => {
    const path = await halfWritten();
    write(path, EMPTY);
    const { store, pass } = open(path);
    await store.load();
    pass(1_000);
    await store.load();
    expect(existsSync(copyOf(path))).toBe(false);
  });

  it("are removed with the next write", async () => {
    const path = await halfWritten();
    write(path, documentWith(2));
    await using tokens = manage(open(path).store);
    await tokens.signIn(tokensOf("3"));
    expect([existsSync(copyOf(path)), sessionIn(path)]).toEqual([false, "a3"]);
  });
});

it("removes the session from a document that cannot be replaced", async () => {
  const path = freshPath();
  const { store, tokens } = await signedIn(path, inUse(path));
  await store.remove();
  expect(sessionIn(path)).toBeUndefined();
  expect(textOf(path)).toMatch(/dark/);
  await tokens.close();
});

it("announces nothing once the document shows the session", async () => {
  const path = freshPath();
  const { tokens } = await signedIn(path);
  expect(readdirSync(chainOf(path)).filter((name) => name.startsWith("writing-"))).toEqual([]);
  await tokens.close();
});

it("reports no failure if the document was written and only that cannot be noted", async () => {
  const path = freshPath();
  write(path, EMPTY);
  const { store } = open(path, {
    create: (target, text, options) =>
      basename(target).startsWith("shown-")
        ? Promise.reject(errnoError("ENOSPC"))
        : nodeFileSystem.create(target, text, options),
  });
  const events: string[] = [];
  store.subscribe?.(({ type }) => events.push(type));
  await using tokens = manage(store);
  await tokens.signIn(tokensOf("1"));
  expect([sessionIn(path), events]).toEqual(["a1", []]);
});
