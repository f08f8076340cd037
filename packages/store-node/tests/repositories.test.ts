import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileStore } from "@unexpired/store-node";
import { describe, expect, it } from "vitest";
import { chainOf, freshDirectory, textOf } from "./support.ts";

const run = (directory: string, program: string, ...args: string[]): string =>
  execFileSync(program, args, { cwd: directory, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

/** Creates a project with a session in it that only `.gitignore` names. */
async function project(files: readonly string[] | undefined): Promise<string> {
  const directory = freshDirectory();
  writeFileSync(join(directory, ".gitignore"), "session.json\n");
  writeFileSync(join(directory, "package.json"), JSON.stringify({ name: "project", version: "1.0.0", files }));
  await fileStore({ path: join(directory, "lib", "session.json") }).save("secret", undefined);
  return directory;
}

describe("the chain", () => {
  it("is not added to a repository", async () => {
    const directory = await project(undefined);
    run(directory, "git", "init", "--quiet");
    run(directory, "git", "add", "-A");
    expect(run(directory, "git", "ls-files").trim().split("\n")).toEqual([".gitignore", "package.json"]);
  });

  it.each([undefined, ["lib"], ["."], ["*"], ["**/*"]])("is not packed by npm with the files %j", async (files) => {
    const directory = await project(files);
    const [packed] = JSON.parse(run(directory, "npm", "pack", "--dry-run", "--json", "--silent")) as [
      { files: { path: string }[] },
    ];
    const names = packed.files.map(({ path }) => path);
    expect(names).toContain("package.json");
    expect(names.filter((name) => name.includes(".unexpired"))).toEqual([]);
  });

  it("is ignored before its first generation exists, also after a process died while it created the file", async () => {
    const path = join(freshDirectory(), "session.json");
    mkdirSync(chainOf(path));
    writeFileSync(join(chainOf(path), ".gitignore"), "");
    const store = fileStore({ path });
    const version = await store.save("1", undefined);
    expect(textOf(join(chainOf(path), ".gitignore"))).toBe("*\n");
    truncateSync(join(chainOf(path), ".gitignore"));
    await store.save("2", version);
    expect(textOf(join(chainOf(path), ".gitignore"))).toBe(""); // later saves cost nothing more
  });

  it("is ignored from the first save of a store on, even if an earlier release created it", async () => {
    const path = join(freshDirectory(), "session.json");
    const version = await fileStore({ path }).save("1", undefined);
    rmSync(join(chainOf(path), ".gitignore"));
    await fileStore({ path }).save("2", version);
    expect(textOf(join(chainOf(path), ".gitignore"))).toBe("*\n");
  });

  it("is saved even if it cannot be ignored", async () => {
    const path = join(freshDirectory(), "session.json");
    mkdirSync(chainOf(path));
    symlinkSync(".gitignore", join(chainOf(path), ".gitignore"));
    await fileStore({ path }).save("1", undefined);
    expect((await fileStore({ path }).load())?.value).toBe("1");
  });

  it("keeps an ignore file that the user wrote, and removes it with the session", async () => {
    const directory = freshDirectory();
    const path = join(directory, "session.json");
    mkdirSync(chainOf(path));
    writeFileSync(join(chainOf(path), ".gitignore"), "!1\n");
    await fileStore({ path }).save("1", undefined);
    expect(textOf(join(chainOf(path), ".gitignore"))).toBe("!1\n");
    await fileStore({ path }).remove();
    expect(readdirSync(directory)).toEqual([]);
    rmSync(directory, { recursive: true });
  });
});
