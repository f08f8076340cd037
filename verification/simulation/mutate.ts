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

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Rewrites sources as they are loaded; only modules that are imported afterwards. Throws where an edit does not fit
 * exactly once, so that a mutant cannot rot.
 */
export function mutateOnLoad(edits: readonly Edit[]): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const fitting = edits.filter(({ file }) => url === new URL(file, `file://${ROOT}`).href);
      if (fitting.length === 0) return loaded;
      const source = fitting.reduce(apply, sourceOf(loaded.source));
      return { ...loaded, source };
    },
  });
}

const sourceOf = (source: string | ArrayBuffer | NodeJS.TypedArray | undefined | null): string =>
  typeof source === "string" ? source : new TextDecoder().decode(source ?? new Uint8Array());

function apply(source: string, { file, find, replace }: Edit): string {
  const [before, after, more] = source.split(find);
  if (before === undefined || after === undefined || more !== undefined) {
    throw new Error(`a mutant does not fit any more: ${file} must hold exactly once: ${find}`);
  }
  return before + replace + after;
}
