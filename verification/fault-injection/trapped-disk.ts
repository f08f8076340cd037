import { open, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { FileSystem } from "../../packages/store-node/src/filesystem.ts";
import { errnoError } from "../../packages/store-node/src/fs-errors.ts";
import { directoryLock, type Lock } from "../../packages/store-node/src/lock.ts";
import type { Trap } from "./trap.ts";

/** A pause in milliseconds, so that several processes pass the comparison before the first of them publishes. */
const PAUSE = 40;

/** The real disk with a fault point before and after every step of a write. */
export function trappedDisk(disk: FileSystem, trap: Trap, pauses: boolean): FileSystem {
  return {
    ...disk,
    create: (path, text, options) => trap.around(kindOf(path), () => disk.create(path, text, options)),
    async link(from, to) {
      if (pauses) await sleep(PAUSE);
      await trap.around(kindOf(to) === "generation" ? "link" : "keep", () => disk.link(from, to));
    },
    overwrite: (path, text) =>
      trap.around("overwrite", async () => {
        if (trap.isSetAt("half-overwrite")) await writeFile(path, text.slice(0, text.length / 2));
        trap.at("half-overwrite");
        return disk.overwrite(path, text);
      }),
    rename: (from, to) => trap.around("rename", () => disk.rename(from, to)),
    unlink: (path) => trap.around(`unlink-${kindOf(path)}`, () => disk.unlink(path)),
    syncDirectory: (path) => trap.around("sync-directory", () => disk.syncDirectory(path)),
  };
}

/** Returns a disk on which a file cannot be replaced, as if another program had it open on Windows. */
export const withFileInUse = (disk: FileSystem, file: string): FileSystem => ({
  ...disk,
  rename: (from, to) => (to === file ? Promise.reject(errnoError("EBUSY")) : disk.rename(from, to)),
});

const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^draft-/, "draft"],
  [/^projection-/, "projection"],
  [/^replaced-/, "replaced"],
  [/^shown-/, "mark"],
  [/^writing-/, "announcement"],
  [/\.(before|next)$/, "copy"],
];

/** `generation`, or the kind of another file in the directory of the chain. */
const kindOf = (path: string): string => KINDS.find(([name]) => name.test(basename(path)))?.[1] ?? "generation";

/** The real lock, or one that every process acquires, with fault points around acquiring and releasing it. */
export function trappedLock(trap: Trap, everyoneWins: boolean): Lock {
  const take: Lock = everyoneWins ? async () => async () => {} : directoryLock;
  return async (directory, options) => {
    const release = await trap.around("lock", () => take(directory, options));
    return release && (() => trap.around("unlock", release));
  };
}

type Writing = { writeFile(this: unknown, text: string): Promise<void>; sync(this: unknown): Promise<void> };

/** Adds fault points to the writing of a file: when it is empty, half written, and written but not synced. */
export async function trapFileHandles(trap: Trap): Promise<void> {
  const handle = await open(process.execPath);
  const prototype = Object.getPrototypeOf(handle) as Writing;
  await handle.close();
  const { writeFile, sync } = prototype;
  prototype.writeFile = async function (text) {
    trap.at("before-write");
    if (trap.isSetAt("half-write")) await writeFile.call(this, text.slice(0, text.length / 2));
    trap.at("half-write");
    await writeFile.call(this, text);
  };
  prototype.sync = async function () {
    await trap.around("fsync", () => sync.call(this));
  };
}
