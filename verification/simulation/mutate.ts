import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

/** One line of a source, and what to put in its place. */
export interface Edit {
  /** From the repository's root. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A rule of the protocol, broken on purpose. */
export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
}

/** The repository's root, from which edits name their files. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Rewrites sources as they are loaded: only modules that are imported afterwards. */
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

/** Makes an edit; throws unless it fits exactly once. */
export function applyEdit(source: string, { file, find, replace }: Edit): string {
  const [before, after, more] = source.split(find);
  if (before === undefined || after === undefined || more !== undefined) {
    throw new Error(`A mutant no longer fits its source: ${file} must contain exactly once: ${find}`);
  }
  return before + replace + after;
}
