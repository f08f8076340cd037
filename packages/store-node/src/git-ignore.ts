import { join } from "node:path";
import type { FileSystem } from "./filesystem.ts";
import { codeOf } from "./fs-errors.ts";

/** Keeps a directory out of repositories and of npm packages. */
export async function ignoreInGit(fs: FileSystem, directory: string): Promise<void> {
  const file = join(directory, ".gitignore");
  if ((await fs.stat(file))?.size) return;
  await fs.unlink(file); // an empty one was left by a process that died
  await fs.create(file, "*\n", { durable: true }).catch((error: unknown) => {
    if (!["EEXIST", "ENOENT"].includes(codeOf(error) ?? "")) throw error;
  });
}
