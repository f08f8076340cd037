import { join } from "node:path";
import type { FileSystem } from "./filesystem.ts";

/** Keeps a directory out of repositories and of npm packages, if possible. */
export async function ignoreInGit(fs: FileSystem, directory: string): Promise<void> {
  const file = join(directory, ".gitignore");
  try {
    if ((await fs.stat(file))?.size) return;
    await fs.unlink(file); // an empty one was left by a process that died
    await fs.create(file, "*\n", { durable: true });
  } catch {
    // Another process created it first, or what is there cannot be replaced. No reason to lose a session.
  }
}
