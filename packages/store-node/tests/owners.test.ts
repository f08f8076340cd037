import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileStore } from "@unexpired/store-node";
import { beforeEach, describe, expect, it } from "vitest";
import { nodeFileSystem } from "../src/filesystem.ts";
import { ownerAdvice } from "../src/ownership.ts";
import { chainOf, exit, failure, freshDirectory, freshPath, message, start, textOf } from "./support.ts";

const [USER, OTHER] = [1234, 4321];

beforeEach(({ skip }) => skip(process.getuid?.() !== 0, "not applicable: only root can become another user"));

const ownersBelow = (directory: string): number[] => [
  ...new Set(
    readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => statSync(join(directory, name)).uid),
  ),
];

/** Returns the path of a session in a directory of `USER`. */
function pathOfUser(): string {
  const directory = freshDirectory();
  chownSync(directory, USER, USER);
  return join(directory, "session.json");
}

interface Failure {
  readonly code: string;
  readonly location: string;
  readonly message: string;
}

/** Loads and saves as another user. */
async function as(user: number, path: string): Promise<{ loaded: Failure; saved: Failure | string }> {
  chmodSync(dirname(dirname(path)), 0o777); // temporary directories are private
  const child = start("as-user", { args: [path, String(user)] });
  const result = await message(child);
  await exit(child);
  return result as { loaded: Failure; saved: Failure | string };
}

describe("what root creates", () => {
  it("belongs to the owner of the directory, so that this user can go on", async () => {
    const path = join(dirname(pathOfUser()), "new", "deep", "session.json");
    const version = await fileStore({ path }).save("by root", undefined);
    expect(ownersBelow(dirname(dirname(dirname(path))))).toEqual([USER]);
    const { loaded, saved } = await as(USER, path);
    expect(loaded).toEqual({ value: "by root", version });
    expect(saved).toMatch(/^2-/);
    expect(await fileStore({ path }).load()).toEqual({ value: "by the user", version: saved });
  });
});

describe("what another user created", () => {
  it.each<[string, (path: string) => string]>([
    ["the chain", (path) => chainOf(path)],
    ["the session file", (path) => path],
  ])("is not used: %s", async (_name, planted) => {
    const path = freshPath();
    await fileStore({ path }).save("1", undefined);
    const target = planted(path);
    chownSync(target, OTHER, OTHER);
    const expected = {
      code: "STORE_UNREADABLE",
      location: target === path ? path : target,
      message: expect.stringMatching(/belongs to another user \(uid 4321\).*sudo chown -R 0 '/),
    };
    const error = await failure(fileStore({ path }).load());
    expect(error).toMatchObject(expected);
    // What is planted at the session file's path hides no session from a save, which leaves it there.
    const saved = fileStore({ path }).save("2", error.version);
    if (target === path) await saved;
    else await expect(saved).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
    expect(textOf(path)).toBe("1");
    chownSync(target, 0, 0);
    expect((await fileStore({ path }).load())?.value).toBe(target === path ? "2" : "1");
  });

  it("is not followed: a link at the session file's path", async () => {
    const path = freshPath();
    const own = join(freshDirectory(), "own.json");
    writeFileSync(own, "precious");
    symlinkSync(own, path);
    lchownSync(path, OTHER, OTHER);
    const store = fileStore({ path });
    for (const call of [() => store.load(), () => store.save("1", undefined)]) {
      await expect(call()).rejects.toMatchObject({ code: "STORE_UNREADABLE", location: path });
    }
    expect(textOf(own)).toBe("precious");
    lchownSync(path, 0, 0);
    expect((await fileStore({ path }).load())?.value).toBe("precious");
  });

  it("is not followed by root: a link to a file in the user's own directory", async () => {
    const path = pathOfUser();
    const own = join(freshDirectory(), "own.json");
    symlinkSync(own, path);
    lchownSync(path, USER, USER);
    const store = fileStore({ path });
    for (const call of [() => store.load(), () => store.save("1", undefined)]) {
      await expect(call()).rejects.toMatchObject({ code: "STORE_UNREADABLE", location: path });
    }
    expect(readdirSync(dirname(own))).toEqual([]);
  });

  it("is followed only if it also owns the directory: a link to a directory", async () => {
    const [shared, own] = [freshDirectory(), freshDirectory()];
    writeFileSync(join(own, "session.json"), "precious");
    symlinkSync(own, join(shared, "link"));
    lchownSync(join(shared, "link"), OTHER, OTHER);
    const store = fileStore({ path: join(shared, "link", "session.json") });
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNREADABLE", location: join(shared, "link") });
    for (const each of [shared, own, join(own, "session.json")]) chownSync(each, each === shared ? OTHER : USER, USER);
    const { loaded } = await as(USER, join(shared, "link", "session.json"));
    expect(loaded).toMatchObject({ value: "precious" });
  });

  it("is not followed even if it is ours: a link at the chain's path", async () => {
    const path = freshPath();
    const elsewhere = freshDirectory();
    symlinkSync(elsewhere, chainOf(path));
    const store = fileStore({ path });
    for (const call of [() => store.load(), () => store.save("1", undefined)]) {
      await expect(call()).rejects.toMatchObject({ code: "STORE_UNREADABLE", location: chainOf(path) });
    }
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("does not get the session written into it: a file that other users can read", async () => {
    const path = freshPath();
    writeFileSync(path, "readable", { mode: 0o644 });
    chownSync(path, OTHER, OTHER);
    await expect(nodeFileSystem.overwrite(path, "secret")).rejects.toMatchObject({ location: path });
    expect(textOf(path)).toBe("readable");
  });

  it("is used if it is root's", async () => {
    const path = join(freshDirectory(), "state", "session.json");
    mkdirSync(dirname(path));
    writeFileSync(path, "provisioned", { mode: 0o644 });
    chownSync(dirname(path), USER, USER);
    const { loaded, saved } = await as(USER, path);
    expect(loaded).toMatchObject({ value: "provisioned" });
    expect(saved).toMatch(/^1-/);
    expect(statSync(path).uid).toBe(USER);
  });
});

describe("a user who is locked out", () => {
  it.each([
    ["the chain and the file", 0, (path: string) => [chainOf(path), path]],
    ["the directory", 0, (path: string) => [dirname(path)]],
  ])("learns the owner of %s and the command that helps", async (_name, owner, foreign) => {
    const path = join(dirname(pathOfUser()), "state", "session.json");
    await fileStore({ path }).save("1", undefined);
    for (const each of foreign(path)) chownSync(each, owner, owner);
    const { loaded, saved } = await as(USER, path);
    const command = `sudo chown -R ${USER} ${foreign(path)
      .map((each) => `'${each}'`)
      .join(" ")}`;
    for (const error of [loaded, saved as Failure]) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^STORE_UN/) });
      expect(error.message).toContain("belongs to root");
      expect(error.message).toContain(command);
    }
  });

  it.each([
    ["a generation", (path: string) => join(chainOf(path), "1")],
    ["the session file", (path: string) => path],
  ])("is told to take over the whole session if only %s is root's", async (_name, foreign) => {
    const path = join(dirname(pathOfUser()), "session.json");
    await fileStore({ path }).save("1", undefined);
    mkdirSync(`${chainOf(path)}-removed`);
    chownSync(foreign(path), 0, 0);
    const { loaded } = await as(USER, path);
    expect(loaded.message).toContain(`${foreign(path)} belongs to root`);
    const targets = [chainOf(path), `${chainOf(path)}-removed`, path].map((each) => `'${each}'`).join(" ");
    expect(loaded.message).toContain(`Run \`sudo chown -R ${USER} ${targets}\``);
  });

  it("is told to take over the whole session in a state directory behind a link", async () => {
    const directory = dirname(pathOfUser());
    const [path, stateDirectory] = [join(directory, "session.json"), join(directory, "link")];
    mkdirSync(join(directory, "state"));
    symlinkSync("state", stateDirectory);
    const store = fileStore({ path, stateDirectory });
    await store.save("1", undefined);
    const chain = chainOf(join(directory, "state", "session.json"));
    const error = Object.assign(new Error("EACCES"), { path: join(chain, "1") });
    process.seteuid?.(USER);
    const advice = ownerAdvice(error, path);
    process.seteuid?.(0);
    expect(advice).toMatchObject({ hint: expect.stringContaining(`sudo chown -R ${USER} '${chain}'\``) });
  });

  it("is not told to take over a private directory of root below one of root", async () => {
    const path = freshPath();
    chmodSync(dirname(path), 0o700);
    const { loaded } = await as(USER, path);
    expect(loaded.message).toContain("belongs to root");
    expect(loaded.message).not.toContain("chown");
  });

  it("is not told to take over a directory that others use", async () => {
    const path = freshPath();
    chmodSync(dirname(path), 0o755);
    const { saved } = await as(USER, path);
    expect(saved).toMatchObject({ code: "STORE_UNAVAILABLE", message: expect.stringContaining("belongs to root") });
    expect((saved as Failure).message).not.toContain("chown");
  });
});
