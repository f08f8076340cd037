/** Counts the lines of each example program's auth code, without blank lines and comments, and fails at 30 or more. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./workspace.ts";

const LIMIT = 30;

/** Returns how many lines of a formatted source have code. Comments are on lines of their own, or at the end of one. */
export const codeLines = (source: string): number =>
  source
    .replace(/^\s*\/\*[\s\S]*?\*\//gm, "")
    .split("\n")
    .filter((line) => !/^\s*(\/\/|$)/.test(line)).length;

function main(): void {
  const examples = join(root, "examples");
  const files = readdirSync(examples)
    .map((name) => join("examples", name, "auth.ts"))
    .filter((file) => existsSync(join(root, file)));
  run(join(root, "node_modules/.bin/biome"), ["format", ...files], { cwd: root }); // fails unless they are formatted
  const counted = files.map((file) => ({ file, lines: codeLines(readFileSync(join(root, file), "utf8")) }));
  for (const { file, lines } of counted) console.log(`${file}  ${lines}${lines < LIMIT ? "" : "  TOO LONG"}`);
  console.log(`auth code: ${counted.map(({ lines }) => lines).join(", ")} lines, of fewer than ${LIMIT}`);
  if (counted.some(({ lines }) => lines >= LIMIT)) process.exitCode = 1;
}

if (import.meta.main) main();
