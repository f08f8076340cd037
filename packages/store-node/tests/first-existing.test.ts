import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { fileStore, firstExisting } from "../src/index.ts";
import { freshDirectory } from "./support.ts";

const pathsIn = (directory: string): [string, string, string] => {
  const paths = ["one", "two", "three"].map((name) => join(directory, name, "auth.json"));
  return paths as [string, string, string];
};

const write = (path: string): void => {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "{}");
};

describe("firstExisting", () => {
  it("returns the first path where something exists, otherwise the first", () => {
    const paths = pathsIn(freshDirectory());
    expect(firstExisting(paths)).toBe(paths[0]);
    write(paths[2]);
    expect(firstExisting(paths)).toBe(paths[2]);
    write(paths[1]);
    expect(firstExisting(paths)).toBe(paths[1]);
    expect(fileStore({ path: firstExisting(paths) }).describe()).toBe(paths[1]);
  });

  it("returns an absolute path", () => {
    const [, path] = pathsIn(freshDirectory());
    write(path);
    expect(firstExisting(["missing.json", relative(process.cwd(), path)])).toBe(path);
  });

  it("counts a directory, and a link that leads nowhere", () => {
    const directory = freshDirectory();
    const [first, second, third] = pathsIn(directory);
    write(third);
    mkdirSync(join(directory, "two"));
    symlinkSync(join(directory, "nowhere"), second);
    expect(firstExisting([first, second, third])).toBe(second);
    mkdirSync(first, { recursive: true });
    expect(firstExisting([first, second, third])).toBe(first);
  });

  it("does not count a path below a file", () => {
    const directory = freshDirectory();
    const [first, second] = pathsIn(directory);
    writeFileSync(join(directory, "one"), "");
    write(second);
    expect(firstExisting([first, second])).toBe(second);
  });

  it("counts a path that cannot be checked", ({ skip }) => {
    skip(process.platform === "win32" || process.getuid?.() === 0, "not applicable: nothing is closed to this user");
    const directory = freshDirectory();
    const [first, second] = pathsIn(directory);
    mkdirSync(join(directory, "one"), { mode: 0 });
    write(second);
    expect(firstExisting([first, second])).toBe(first);
    chmodSync(join(directory, "one"), 0o700);
  });

  it("counts a path whose name is too long for the system", () => {
    const directory = freshDirectory();
    const long = join(directory, "a".repeat(300));
    const [, second] = pathsIn(directory);
    write(second);
    expect(firstExisting([long, second])).toBe(long);
  });

  it.each<[unknown, RegExp]>([
    [[], /at least one path/],
    ["auth.json", /pass an array/],
    [["~/auth.json"], /^firstExisting: "paths\[0\]" contains ~, which only a shell expands/],
    [["auth.json", new URL("file:///auth.json")], /^firstExisting: "paths\[1\]" must be a path, not a URL/],
    [["directory/"], /must be the path of a file/],
    [[""], /must be the path of a file, not an empty string/],
  ])("rejects %j", (paths, message) => {
    expect(() => firstExisting(paths as string[])).toThrow(message);
    expect(() => firstExisting(paths as string[])).toThrow(TypeError);
  });
});
