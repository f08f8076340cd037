/** The code on the page about writing a store, by the name that its first line gives. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../..");
export const page = readFileSync(join(root, "docs/writing-a-store.md"), "utf8");

export const blocks: ReadonlyMap<string, string> = new Map(
  [...page.matchAll(/^```ts\n\/\/ ([^\n]+)\n(.*?)^```/gms)].map(([, name = "", code = ""]) => [name, code]),
);

/** One of them. */
export function block(name: string): string {
  const code = blocks.get(name);
  if (code === undefined) throw new Error(`docs/writing-a-store.md has no code that begins with "// ${name}"`);
  return code;
}
