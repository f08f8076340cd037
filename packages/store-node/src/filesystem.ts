import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import * as fs from "node:fs/promises";
import { basename, dirname, isAbsolute, join, parse, sep } from "node:path";
import { codeOf, errnoError, ignoreNotFound } from "./fs-errors.ts";
import { isMountPoint } from "./mounts.ts";
import {
  assertTrustedDirectory,
  isThisUserOrRoot,
  isTrustedOwner,
  keepDirectoryOwner,
  keepOwner,
  untrustedError,
} from "./ownership.ts";
import { isPermitted } from "./permissions.ts";
import { watchNames } from "./watch-names.ts";

/** Identifies a file and its content without reading it. */
export interface Stamp {
  /** Identity of the file or directory: device, inode and creation time. */
  readonly fileId: string;
  /** Modification time in nanoseconds since the epoch, by the file system's own clock. */
  readonly modified: bigint;
  readonly size: bigint;
  /** Whether its mode has no write permission. */
  readonly isReadOnly?: boolean | undefined;
}

/** Every disk operation that the store uses; tests simulate it. Errors have Node's `code`. */
export interface FileSystem {
  /** Lists the names in a directory. */
  list(directory: string): Promise<readonly string[]>;
  /**
   * Reads a file's text, with its stamp from before the read. Never blocks on a pipe. Fails if another user may have
   * planted the file, and with `ETOOLARGE` if it is larger than {@link MAX_BYTES}. `isLossy`: the text is not what the
   * file contains, which is not UTF-8.
   */
  read(path: string): Promise<{ readonly text: string; readonly stamp: Stamp; readonly isLossy?: boolean }>;
  /** Returns `undefined` if nothing exists at `path`, or only a circular link. */
  stat(path: string): Promise<Stamp | undefined>;
  /**
   * Creates a file that only its owner can read, from the first moment. Fails with `EEXIST` if it exists. What root
   * creates belongs to the owner of the directory.
   */
  create(path: string, text: string, options: { readonly durable: boolean }): Promise<Stamp>;
  /**
   * Overwrites an existing file in place, never creates one. A crash can leave it torn. Fails if other users can read
   * the file.
   */
  overwrite(path: string, text: string): Promise<Stamp>;
  /**
   * Copies the bytes of a file of any size durably into a new file that only its owner can read. Resolves to their SHA-256
   * hash, in hexadecimal. Fails with `EEXIST` if the copy exists, and like `read` if there is no file to be copied.
   */
  copy(from: string, to: string): Promise<string>;
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, never a directory. Does nothing if it does not exist. */
  unlink(path: string): Promise<void>;
  /** Removes a directory and its contents. Does nothing if it does not exist. */
  removeDirectory(path: string): Promise<void>;
  /** Removes a directory. Fails with `ENOTEMPTY` if it has contents. */
  removeEmptyDirectory(path: string): Promise<void>;
  /** Creates a directory and its missing parents, accessible to the owner only. Returns the topmost one it created. */
  makeDirectory(path: string): Promise<string | undefined>;
  /** Makes the names in a directory durable, if the system supports it. */
  syncDirectory(path: string): Promise<void>;
  /**
   * Resolves all symbolic links in a path, even if nothing exists at its end yet. A circular link at its end stays as it
   * is. Fails if another user may have planted one of the links.
   */
  resolve(path: string): Promise<string>;
  /** Rejects if an existing directory is a file or a symbolic link, or if another user may have planted it. */
  assertTrusted(directory: string): Promise<void>;
  /** Whether a file is a mount point by itself. */
  isMountPoint(path: string): Promise<boolean>;
  /**
   * Calls back with the path of each file that appears in these directories or leaves them, in the order in which that
   * happened, until the returned function is called. Absent on systems that do not report the order.
   */
  watchNames?(directories: readonly string[], onPath: (path: string) => void): () => void;
  /** The time by the clock that stamps files, in milliseconds since the epoch. */
  now(): number;
}

/**
 * Creates a directory, and makes its name and those of all directories created above it durable. Its parent's name is
 * synced as well: the process that created the parent may have failed before it could sync.
 */
export async function makeDurableDirectory(fs: FileSystem, path: string): Promise<void> {
  const created = (await fs.makeDirectory(path)) ?? path;
  const shortest = Math.min(dirname(created).length, dirname(dirname(path)).length);
  for (let directory = dirname(path); ; directory = dirname(directory)) {
    await fs.syncDirectory(directory);
    if (directory.length <= shortest) return;
  }
}

/** Whether two stamps belong to the same, unchanged content. Two missing files count as the same. */
export const sameContent = (a: Stamp | undefined, b: Stamp | undefined): boolean =>
  a?.fileId === b?.fileId && a?.modified === b?.modified && a?.size === b?.size;

/** The size of the largest file that is read or written. */
export const MAX_BYTES = 1_048_576;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const MAX_LINKS = 40; // the limit of Linux
const NON_BLOCKING = constants.O_NONBLOCK ?? 0; // not on Windows

const stampOf = (stats: BigIntStats): Stamp => ({
  fileId: `${stats.dev}:${stats.ino}:${stats.birthtimeNs}`,
  modified: stats.mtimeNs,
  size: stats.size,
  isReadOnly: (stats.mode & 0o222n) === 0n,
});

async function read(path: string): Promise<{ text: string; stamp: Stamp; isLossy: boolean }> {
  const { file, stats } = await openRegular(path);
  try {
    if (stats.size > MAX_BYTES) throw errnoError("ETOOLARGE");
    const bytes = await file.readFile();
    return { text: bytes.toString(), stamp: stampOf(stats), isLossy: !isUtf8(bytes) };
  } finally {
    await file.close();
  }
}

async function copy(from: string, to: string): Promise<string> {
  const { file: source } = await openRegular(from);
  const hash = createHash("sha256");
  try {
    await createWith(to, async (target) => {
      for await (const chunk of source.createReadStream({ autoClose: false })) {
        hash.update(chunk);
        await target.writeFile(chunk);
      }
      await target.sync();
    });
    return hash.digest("hex");
  } finally {
    await source.close();
  }
}

/** Opens a file for reading, without blocking on a pipe. */
async function openRegular(path: string): Promise<{ file: fs.FileHandle; stats: BigIntStats }> {
  const file = await fs.open(path, constants.O_RDONLY | NON_BLOCKING);
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) throw errnoError(stats.isDirectory() ? "EISDIR" : "ENOTFILE");
    await assertTrustedFile(path, Number(stats.uid));
    return { file, stats };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A mounted file may belong to anyone: only root can have mounted it. */
async function assertTrustedFile(path: string, owner: number): Promise<void> {
  if (!(await isTrustedOwner(path, owner)) && !(await isMountPoint(path))) throw untrustedError(path, owner);
}

async function stat(path: string): Promise<Stamp | undefined> {
  try {
    // `throwIfNoEntry` spares Node 24 an exception; Node 22 ignores it and throws.
    const stats = await fs.stat(path, { bigint: true, throwIfNoEntry: false });
    return stats && stampOf(stats);
  } catch (error) {
    if (["ENOENT", "ELOOP"].includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

const create = (path: string, text: string, { durable }: { readonly durable: boolean }): Promise<Stamp> =>
  createWith(path, async (file) => {
    await file.writeFile(text);
    if (durable) await file.sync();
  });

async function createWith(path: string, write: (file: fs.FileHandle) => Promise<void>): Promise<Stamp> {
  const file = await fs.open(path, "wx", FILE_MODE);
  try {
    await keepOwner(file, dirname(path));
    await write(file);
    return stampOf(await file.stat({ bigint: true }));
  } catch (error) {
    await fs.unlink(path).catch(() => undefined); // an incomplete file, for example on a full disk
    throw error;
  } finally {
    await file.close();
  }
}

async function overwrite(path: string, text: string): Promise<Stamp> {
  const file = await fs.open(path, "r+");
  try {
    await assertTrustedFile(path, (await file.stat()).uid);
    await file.chmod(FILE_MODE).catch(() => undefined); // a mounted file may belong to another user
    const { mode } = await file.stat();
    if (process.platform !== "win32" && (mode & 0o077) !== 0) throw errnoError("EACCES"); // others can read it
    await file.truncate(0);
    await file.writeFile(text);
    await file.truncate(Buffer.byteLength(text)); // another program may have written at the same time
    await file.sync();
    return stampOf(await file.stat({ bigint: true }));
  } finally {
    await file.close();
  }
}

async function makeDirectory(path: string): Promise<string | undefined> {
  const created = await makeDirectories(path).catch(async (error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
    // Node reports most failures of a recursive call as ENOENT, for example EROFS.
    const topmost = await topmostMissing(path);
    await fs.mkdir(topmost, DIRECTORY_MODE);
    await makeDirectories(path);
    return topmost;
  });
  if (created !== undefined) await keepDirectoryOwner(created, path);
  return created;
}

const makeDirectories = (path: string) => fs.mkdir(path, { recursive: true, mode: DIRECTORY_MODE });

async function topmostMissing(path: string): Promise<string> {
  const parent = dirname(path);
  return parent === path || (await stat(parent)) ? path : topmostMissing(parent);
}

async function syncDirectory(path: string): Promise<void> {
  if (!isPermitted("read", path)) return; // a parent of the directory that the program may use
  // Windows and some network file systems cannot open or sync a directory.
  const ignoredCodes = ["EISDIR", "EPERM", "EACCES", "EINVAL", "ENOTSUP", "EBADF", "ENOSYS"];
  try {
    const directory = await fs.open(path, "r");
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    if (!ignoredCodes.includes(codeOf(error) ?? "")) throw error;
  }
}

async function resolvePath(path: string): Promise<string> {
  try {
    return await resolveLinks(path);
  } catch (error) {
    if (codeOf(error) !== "ELOOP") throw error;
    return join(await resolveLinks(dirname(path)), basename(path));
  }
}

async function resolveLinks(path: string): Promise<string> {
  let resolved = parse(path).root;
  let rest = namesIn(path);
  for (let links = 0; links < MAX_LINKS; ) {
    const [name, ...below] = rest;
    if (name === undefined) return resolved;
    const next = join(resolved, name);
    const target = await linkTarget(next, below.length === 0);
    if (target === undefined) resolved = next;
    else {
      links++;
      if (isAbsolute(target)) resolved = parse(target).root;
    }
    rest = [...(target === undefined ? [] : namesIn(target)), ...below];
  }
  throw errnoError("ELOOP");
}

/** Returns the names that a path consists of. */
export const namesIn = (path: string): string[] =>
  path
    .slice(parse(path).root.length)
    .split(sep)
    .filter((name) => name !== "");

/** Returns the target of a link that may be followed, or `undefined` if there is no link. */
async function linkTarget(path: string, isLast: boolean): Promise<string | undefined> {
  if (!isPermitted("read", path)) return undefined; // a parent of the directory that the program may use
  const target = await fs.readlink(path).catch((error: unknown) => {
    // EINVAL: not a link. Any other failure occurs again when the file itself is used.
    if (codeOf(error) !== undefined) return undefined;
    throw error;
  });
  if (target === undefined) return undefined;
  const { uid } = await fs.lstat(path);
  // Not even root follows a link of the directory's owner to a file: it may lead to one that only root can write.
  const isTrusted = isThisUserOrRoot(uid) || (!isLast && uid === (await fs.stat(dirname(path))).uid);
  if (!isTrusted) throw untrustedError(path, uid);
  // A link to a missing directory is reported when the directory is created.
  return isLast || (await stat(path)) ? target : undefined;
}

/** The file system of the machine, through Node's `fs`. */
export const nodeFileSystem: FileSystem = {
  list: (directory) => fs.readdir(directory),
  read,
  stat,
  create,
  overwrite,
  copy,
  link: (from, to) => fs.link(from, to),
  rename: (from, to) => fs.rename(from, to),
  unlink: (path) => ignoreNotFound(fs.unlink(path)),
  removeDirectory: (path) => fs.rm(path, { recursive: true, force: true }),
  removeEmptyDirectory: (path) => fs.rmdir(path),
  makeDirectory,
  syncDirectory,
  resolve: resolvePath,
  assertTrusted: async (directory) => ignoreNotFound(assertTrustedDirectory(directory)),
  isMountPoint,
  ...(watchNames && { watchNames }),
  now: () => Date.now(),
};
