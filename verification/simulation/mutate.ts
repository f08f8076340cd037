import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Focus } from "./run.ts";

/** A replacement in one source file. */
export interface Edit {
  /** The path of the file, relative to the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A set of edits that deliberately breaks one rule of the protocol. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** The worlds to look for it in, if it shows in few. */
  readonly focus?: Focus;
}

/** An edit of a file of the core. */
export const core = (file: string, find: string, replace: string): Edit => ({
  file: `packages/core/src/${file}`,
  find,
  replace,
});

/** The root of the repository, to which the files of edits are relative. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Edits sources as they are loaded. Modules that are already loaded stay as they are. */
export function mutateOnLoad(edits: readonly Edit[]): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const fitting = edits.filter(({ file }) => url === new URL(file, `file://${ROOT}`).href);
      if (fitting.length === 0) return loaded;
      const source = fitting.reduce(applyEdit, sourceOf(loaded.source));
      return { ...loaded, source };
    },
  });
}

const sourceOf = (source: string | ArrayBuffer | NodeJS.TypedArray | undefined | null): string =>
  typeof source === "string" ? source : new TextDecoder().decode(source ?? new Uint8Array());

/** Applies an edit. Throws unless its `find` occurs exactly once. */
export function applyEdit(source: string, { file, find, replace }: Edit): string {
  const [before, after, more] = source.split(find);
  if (before === undefined || after === undefined || more !== undefined) {
    throw new Error(`A mutant no longer fits its source: ${file} must contain this text exactly once: ${find}`);
  }
  return before + replace + after;
}
