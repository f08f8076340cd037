import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { errnoError } from "../src/fs-errors.ts";
import { Chain } from "../src/generations.ts";
import { freshDirectory } from "./support.ts";

const chainIn = (directory: string, calls: Partial<FileSystem> = {}): Chain =>
  new Chain({ ...nodeFileSystem, ...calls }, directory);

async function publish(chain: Chain, value: string): Promise<void> {
  const draft = await chain.draft(value, { head: await chain.head(), foreignDigest: undefined });
  if (!draft || !(await chain.publish(draft))) throw new Error("not published");
}

async function freshChain() {
  const directory = join(freshDirectory(), "chain");
  mkdirSync(directory);
  await publish(chainIn(directory), "value");
  return { directory, target: `${directory}-removed` };
}

const never = async () => {
  throw new Error("not expected");
};

describe("retire, if overlayfs cannot rename the directory", () => {
  /** Renames files only. */
  const renameFile = async (from: string, to: string) => {
    if (statSync(from).isDirectory()) throw errnoError("EXDEV");
    renameSync(from, to);
  };

  it("marks the removal, then moves the drafts, and the latest generation last", async () => {
    const { directory, target } = await freshChain();
    for (let number = 2; number <= 11; number++) await publish(chainIn(directory), `value ${number}`);
    for (const name of ["draft-0", "slot-0"]) writeFileSync(join(directory, name), "");
    mkdirSync(join(directory, "lock"));
    const moved: string[] = [];
    const rename = async (from: string, to: string) => {
      await renameFile(from, to);
      moved.push(basename(to));
      const isPublished = readdirSync(directory).includes("11");
      expect((await chainIn(directory).head())?.number).toBe(isPublished ? 11 : undefined);
    };
    const list = async (path: string) => readdirSync(path).sort().reverse();
    await chainIn(directory, { rename, list }).retire(target, never);
    const numbers = Array.from({ length: 11 }, (_, index) => String(index + 1));
    expect(moved).toEqual(["draft-0", ...numbers, "slot-0"]);
    expect(readdirSync(target).sort()).toEqual([...moved].sort()); // a slot names items to delete
    expect(existsSync(directory)).toBe(false);
  });

  it("removes what is published in between only after another attempt", async () => {
    const { directory, target } = await freshChain();
    const removeEmptyDirectory = async (path: string) => {
      if (cleared === 0) await publish(chainIn(directory), "late");
      rmdirSync(path);
    };
    let cleared = 0;
    const chain = chainIn(directory, { rename: renameFile, removeEmptyDirectory });
    await chain.retire(target, async () => {
      cleared++;
      expect((await chainIn(directory).head())?.value).toBe("late");
    });
    expect(cleared).toBe(1);
    expect(existsSync(directory)).toBe(false);
  });
});
