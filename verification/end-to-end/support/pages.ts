/** Reads the pages about writing a store and an adapter. A comment on the first line of a code block is its name. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "../../..");

export interface Page {
  readonly file: string;
  readonly text: string;
  readonly blocks: ReadonlyMap<string, string>;
}

export function readPage(file: string): Page {
  const text = readFileSync(join(root, file), "utf8");
  const blocks = new Map(
    [...text.matchAll(/^```ts\n\/\/ ([^\n]+)\n(.*?)^```/gms)].map(([, name = "", code = ""]) => [name, code]),
  );
  return { file, text, blocks };
}

/** Returns the code of one block. Throws if the page has none of that name. */
export function block({ file, blocks }: Page, name: string): string {
  const code = blocks.get(name);
  if (code === undefined) throw new Error(`${file} has no TypeScript block that begins with "// ${name}".`);
  return code;
}
