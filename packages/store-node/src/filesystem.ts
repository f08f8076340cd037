import { type BigIntStats, constants } from "node:fs";
import * as fs from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { codeOf, errnoError, ignoreNotFound } from "./fs-errors.ts";

/** What tells one file, and one content of it, from another without reading it. */
export interface Stamp {
  /** Device, inode and birth: which file or directory it is. */
  readonly fileId: string;
  /** Nanoseconds since the epoch, by the file system's own clock. */
  readonly modified: bigint;
  readonly size: bigint;
}

/** All that the store does to a disk. A simulated one can stand in its place. Failures carry Node's `code`. */
export interface FileSystem {
  /** The names in a directory. */
  list(directory: string): Promise<readonly string[]>;
  /** A file's text, and its stamp from before it was read. Never waits for a pipe's other end. */
  read(path: string): Promise<{ readonly text: string; readonly stamp: Stamp }>;
  /** `undefined` where there is nothing. */
  stat(path: string): Promise<Stamp | undefined>;
  /** Writes a new file that only its owner may read, from the first moment; `EEXIST` where the name is taken. */
  create(path: string, text: string, options: { readonly durable: boolean }): Promise<Stamp>;
  /** Overwrites an existing file in place, which a crash can tear; never creates one. */
  overwrite(path: string, text: string): Promise<Stamp>;
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, never a directory; nothing happens where there is none. */
  unlink(path: string): Promise<void>;
  /** Removes a directory with all that is in it; nothing happens where there is none. */
  removeDirectory(path: string): Promise<void>;
  /** Creates a directory, and those above it, for its owner only; existing ones are left alone. Returns the topmost created. */
  makeDirectory(path: string): Promise<string | undefined>;
  /** Makes the names in a directory durable, where the system can. */
  syncDirectory(path: string): Promise<void>;
  /** Where a path leads, with all symbolic links followed, also where nothing is there yet. */
  resolve(path: string): Promise<string>;
}

/** Creates a directory, and makes its name, and those of what was created above it, durable. */
export async function makeDurableDirectory(fs: FileSystem, path: string): Promise<void> {
  const topmost = dirname((await fs.makeDirectory(path)) ?? path);
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    await fs.syncDirectory(directory);
    if (directory === topmost || directory === dirname(directory)) return;
  }
}

/** Whether two stamps are of the same unchanged content. Two absent ones are. */
export const sameContent = (a: Stamp | undefined, b: Stamp | undefined): boolean =>
  a?.fileId === b?.fileId && a?.modified === b?.modified && a?.size === b?.size;

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const MAX_LINKS = 40; // as Linux does
const NON_BLOCKING = constants.O_NONBLOCK ?? 0; // Windows has none

const stampOf = (stats: BigIntStats): Stamp => ({
  fileId: `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`,
  modified: stats.mtimeNs,
  size: stats.size,
});

async function read(path: string): Promise<{ text: string; stamp: Stamp }> {
  const file = await fs.open(path, constants.O_RDONLY | NON_BLOCKING);
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) throw errnoError(stats.isDirectory() ? "EISDIR" : "ENOTFILE");
    return { text: await file.readFile("utf8"), stamp: stampOf(stats) };
  } finally {
    await file.close();
  }
}

async function stat(path: string): Promise<Stamp | undefined> {
  // Saves Node 24 an exception; Node 22 throws it all the same.
  const stats = await ignoreNotFound(fs.stat(path, { bigint: true, throwIfNoEntry: false }));
  return stats && stampOf(stats);
}

async function create(path: string, text: string, { durable }: { readonly durable: boolean }): Promise<Stamp> {
  const file = await fs.open(path, "wx", FILE_MODE);
  try {
    await file.writeFile(text);
    if (durable) await file.sync();
    return stampOf(await file.stat({ bigint: true }));
  } catch (error) {
    await fs.unlink(path).catch(() => undefined); // half a file on a full disk
    throw error;
  } finally {
    await file.close();
  }
}

async function overwrite(path: string, text: string): Promise<Stamp> {
  const file = await fs.open(path, "r+");
  try {
    await file.chmod(FILE_MODE).catch(() => undefined); // a mounted file may be somebody else's
    await file.truncate(0);
    await file.writeFile(text);
    await file.sync();
    return stampOf(await file.stat({ bigint: true }));
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows and some network file systems cannot open or sync a directory.
  const ignoredCodes = ["EISDIR", "EPERM", "EACCES", "EINVAL", "ENOTSUP", "EBADF", "ENOSYS"];
  try {
    const directory = await fs.open(path, "r");
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    if (!ignoredCodes.includes(codeOf(error) ?? "")) throw error;
  }
}

async function realDirectory(path: string): Promise<string> {
  try {
    return await fs.realpath(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || dirname(path) === path) throw error;
    return join(await realDirectory(dirname(path)), basename(path));
  }
}

async function resolveLinks(path: string): Promise<string> {
  let current = path;
  for (let links = 0; links < MAX_LINKS; links++) {
    const directory = await realDirectory(dirname(current));
    const here = join(directory, basename(current));
    const target = await fs.readlink(here).catch((error: unknown) => {
      // EINVAL: not a link. Any other problem shows again when the file itself is used.
      if (codeOf(error) !== undefined) return undefined;
      throw error;
    });
    if (target === undefined) return here;
    current = resolve(directory, target);
  }
  throw errnoError("ELOOP");
}

/** The real disk. */
export const nodeFileSystem: FileSystem = {
  list: (directory) => fs.readdir(directory),
  read,
  stat,
  create,
  overwrite,
  link: (from, to) => fs.link(from, to),
  rename: (from, to) => fs.rename(from, to),
  unlink: (path) => ignoreNotFound(fs.unlink(path)),
  removeDirectory: (path) => fs.rm(path, { recursive: true, force: true }),
  makeDirectory: (path) => fs.mkdir(path, { recursive: true, mode: DIRECTORY_MODE }),
  syncDirectory,
  resolve: resolveLinks,
};
