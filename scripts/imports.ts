import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** A program beside the file that starts it: `new URL("./worker.js", import.meta.url)`. */
const PROGRAM = /new URL\(.*?"(\.\/[\w-]+\.js)", import\.meta\.url\)/g;

/**
 * Follows relative imports, and programs that are started, from `entry` through built files: the files reached, and all
 * other modules imported.
 */
export function reach(folder: string, entry: string, found = { files: new Set<string>(), modules: new Set<string>() }) {
  if (found.files.has(entry)) return found;
  found.files.add(entry);
  const path = join(folder, entry);
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  for (const { fileName: specifier } of ts.preProcessFile(text).importedFiles) {
    if (!specifier.startsWith(".")) found.modules.add(specifier);
    else reach(folder, join(entry, "..", entry.endsWith(".d.ts") ? declaration(specifier) : specifier), found);
  }
  for (const [, program = ""] of text.matchAll(PROGRAM)) reach(folder, join(entry, "..", program), found);
  return found;
}

const declaration = (specifier: string) => specifier.replace(/\.js$/, ".d.ts");
