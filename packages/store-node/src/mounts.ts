import { readFile, stat } from "node:fs/promises";

/**
 * Whether a file is a mount point by itself, as in `docker run -v file:file`. Renaming cannot replace it, and the
 * directory around it is another one on the other side of the mount.
 */
export async function isMountPoint(path: string): Promise<boolean> {
  const mounts = await readFile("/proc/self/mountinfo", "utf8").catch(() => ""); // Linux only
  const isListed = mounts.split("\n").some((line) => unescapeMount(line.split(" ")[4] ?? "") === path);
  // The file was replaced on the other side, and here its former content is still mounted.
  return isListed || (await stat(path).catch(() => undefined))?.nlink === 0;
}

/** The table has spaces, tabs, line feeds and backslashes in octal. */
const unescapeMount = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_match, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
