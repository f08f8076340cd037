import { constants, lstatSync, type Stats } from "node:fs";
import * as fs from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { StoreError } from "@unexpired/core";
import { isPermitted } from "./permissions.ts";

/** The user of this process; `undefined` on Windows, which has no user IDs, and if the program may not ask for it. */
const currentUser = (): number | undefined => (isPermitted("sys") ? process.geteuid?.() : undefined);

/** Whether a user ID is this user's or root's. */
export const isThisUserOrRoot = (owner: number): boolean => [currentUser() ?? owner, 0].includes(owner);

/**
 * Whether this process relies on what a user put at `path`: this user or root. Root also relies on the owner of the
 * directory, because it gives that user what it creates there.
 */
export async function isTrustedOwner(path: string, owner: number): Promise<boolean> {
  if (isThisUserOrRoot(owner)) return true;
  return currentUser() === 0 && owner === (await fs.stat(dirname(path))).uid;
}

/** Creates the error about a file, directory or link that another user may have planted. */
export const untrustedError = (path: string, owner: number): StoreError =>
  new StoreError("STORE_UNREADABLE", {
    location: path,
    problem: `belongs to another user (uid ${owner}), who may have planted it`,
    hint: `If it is yours, run \`${takeOver([path])}\`. Otherwise choose a path in a directory that only this user can write to.`,
  });

/** Rejects with a `StoreError` if `directory` is a symbolic link or no directory, or belongs to a user whom this process cannot trust. */
export async function assertTrustedDirectory(directory: string): Promise<void> {
  const stats = await fs.lstat(directory);
  if (stats.isSymbolicLink()) {
    throw new StoreError("STORE_UNREADABLE", {
      location: directory,
      problem: "is a symbolic link, which another user may have planted",
      hint: "Replace it with the directory that it points to, or choose another path for the session.",
    });
  }
  if (!stats.isDirectory()) {
    throw new StoreError("STORE_UNAVAILABLE", {
      location: directory,
      problem: "is not a directory",
      hint: "It was not written by this library: move it away.",
    });
  }
  if (!(await isTrustedOwner(directory, stats.uid))) throw untrustedError(directory, stats.uid);
}

/** As root, gives a new file or directory to the owner of its parent, so that one run with `sudo` does not lock that user out. */
export async function keepOwner(handle: fs.FileHandle, parent: string): Promise<void> {
  if (currentUser() !== 0 || !isPermitted("read", parent)) return;
  const { uid, gid } = await fs.stat(parent);
  // By its handle: the owner of the parent may have replaced the name by a link. Some file systems have no owners.
  if (uid !== 0) await handle.chown(uid, gid).catch(() => undefined);
}

/** Does the same for the new directories from `created` down to `path`. */
export async function keepDirectoryOwner(created: string, path: string): Promise<void> {
  if (currentUser() !== 0) return;
  let directory = dirname(created);
  for (const name of relative(directory, path).split(sep)) {
    const parent = directory;
    directory = join(directory, name);
    const handle = await fs.open(directory, constants.O_DIRECTORY | constants.O_NOFOLLOW);
    await keepOwner(handle, parent).finally(() => handle.close());
  }
}

/** Names the owner of what this process may not access, and how to get access. */
export function ownerAdvice(error: unknown, location: string): { problem: string; hint: string } | undefined {
  const { path: deniedPath } = Object(error) as { path?: unknown }; // Node's errors name it
  const denied = typeof deniedPath === "string" ? nearestVisible(deniedPath) : undefined;
  if (!denied) return undefined;
  const ofSession = sessionPathsAt(denied, location);
  const foreign = [denied.path, ...ofSession].find((each) => isForeign(statsOf(each)));
  if (foreign === undefined) return undefined;
  const owner = statsOf(foreign)?.uid;
  const toTakeOver = isLeftByRoot(denied) ? [denied.path] : ofSession;
  return {
    problem: `${foreign} belongs to ${owner === 0 ? "root" : `another user (uid ${owner})`}`,
    hint:
      toTakeOver.length > 0
        ? `Run \`${takeOver(toTakeOver)}\`, or choose another path.`
        : "Ask its owner for access, or choose another path.",
  };
}

interface Visible {
  readonly path: string;
  readonly stats: Stats;
}

const CHAIN_PATH = /\.([^\\/]+)\.unexpired(-removed)?([\\/].*)?$/;

/** Returns all existing paths of a session if the given path is at or below one of them. */
function sessionPathsAt({ path, stats }: Visible, location: string): string[] {
  // From the path itself, because a state directory or links may separate it from the location.
  const file = path.replace(CHAIN_PATH, "$1");
  const isFile = !stats.isDirectory() && basename(file) === basename(location.replace(CHAIN_PATH, "$1"));
  if (file === path && !isFile) return [];
  const chain = join(dirname(file), `.${basename(file)}.unexpired`);
  return [chain, `${chain}-removed`, file].filter((each) => statsOf(each) !== undefined);
}

/**
 * Whether a run with `sudo` probably created a directory: only root can enter it, but its parent directory is this
 * user's. Others are not ours to take over.
 */
const isLeftByRoot = ({ path, stats }: Visible): boolean =>
  !CHAIN_PATH.test(path) &&
  stats.isDirectory() &&
  stats.uid === 0 &&
  (stats.mode & 0o077) === 0 &&
  statsOf(dirname(path))?.uid === currentUser();

const takeOver = (paths: readonly string[]): string =>
  ["sudo chown -R", currentUser(), ...paths.map((path) => `'${path.replaceAll("'", "'\\''")}'`)].join(" ");

const isForeign = (stats: Stats | undefined): boolean =>
  stats !== undefined && stats.uid !== (currentUser() ?? stats.uid);

function nearestVisible(path: string): Visible | undefined {
  const stats = statsOf(path);
  if (stats) return { path, stats };
  return dirname(path) === path ? undefined : nearestVisible(dirname(path));
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}
