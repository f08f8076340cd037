import { readFile, stat } from "node:fs/promises";
import { isPermitted } from "./permissions.ts";

const MOUNTS = "/proc/self/mountinfo"; // only on Linux

/**
 * Whether a file is a mount point by itself, as in `docker run -v file:file`. Renaming cannot replace it, and the
 * directory around it is another one on the other side of the mount.
 */
export async function isMountPoint(path: string): Promise<boolean> {
  const mounts = isPermitted("read", MOUNTS) ? await readFile(MOUNTS, "utf8").catch(() => undefined) : undefined;
  if (mounts === undefined) return isUnlinked(path);
  return mounts.split("\n").some((line) => unescapeMount(line.split(" ")[4] ?? "") === path);
}

/** The table has spaces, tabs, line feeds and backslashes in octal. */
const unescapeMount = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_match, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Whether the file at `path` has no name any more, because it was replaced on the other side of a mount. */
async function isUnlinked(path: string): Promise<boolean> {
  // Twice, because a file that is being replaced on this side has no name for a moment.
  const [first, second] = [await stat(path).catch(() => undefined), await stat(path).catch(() => undefined)];
  return first?.nlink === 0 && second?.nlink === 0 && first.ino === second.ino;
}
