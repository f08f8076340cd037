import { lstatSync } from "node:fs";
import { codeOf } from "./fs-errors.ts";
import { absoluteFilePath } from "./paths.ts";

/**
 * Returns the first of these paths where something exists, as an absolute path: for programs that have kept their session
 * in several places. If nothing exists at any of them, returns the first. Looks once, so that a session does not move while
 * the program runs.
 *
 * Whatever is there counts, even a directory, or a symbolic link that leads nowhere. A path that cannot be checked, for example
 * because its directory is not accessible, counts as existing: the store then reports what is wrong with it.
 *
 * @throws TypeError if there is no path, or if one of them is invalid; `~` and variables are not expanded
 */
export function firstExisting(paths: readonly string[]): string {
  if (!Array.isArray(paths) || paths.length === 0)
    throw new TypeError("firstExisting: pass an array of at least one path.");
  const candidates = paths.map((path, index) =>
    absoluteFilePath(path, { caller: "firstExisting", option: `paths[${index}]` }),
  );
  return candidates.find(isThere) ?? (candidates[0] as string);
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    return !["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "");
  }
}
