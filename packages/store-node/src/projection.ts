import { join } from "node:path";
import type { FileSystem, Stamp } from "./filesystem.ts";
import { type Generation, isPast, temporaryName } from "./generations.ts";
import type { Place } from "./paths.ts";
import { codeOf } from "./problems.ts";

/** How the session file's text relates to the truth. */
export type Judgement =
  /** It is the truth, or what is left of it in a file. */
  | { readonly kind: "current" }
  /** It is missing, or was the truth once: to be repaired. */
  | { readonly kind: "stale" }
  /** It is the beginning of the truth, or nothing: to be repaired. */
  | { readonly kind: "torn" }
  /** Another program wrote it, and this is what is true now. */
  | { readonly kind: "foreign"; readonly value: string };

/** Two texts, one truth: see `reconcile` of `@unexpired/core`. */
export type Reconcile = (truth: string, found: string) => string;

const RENAMES = 3;

/** Judges `found`, the text of the session file; absent where there is no file. */
export function judge(truth: Generation, found: string | undefined, reconcile: Reconcile): Judgement {
  if (found === undefined) return { kind: "stale" };
  if (found === truth.value || found === asWritten(truth.value)) return { kind: "current" };
  if (isPast(truth, found)) return { kind: "stale" };
  if (isTorn(truth.value, found)) return { kind: "torn" };
  const value = reconcile(truth.value, found);
  return value === truth.value ? { kind: "stale" } : { kind: "foreign", value };
}

/** A file cannot hold a lone surrogate. */
const asWritten = (text: string): string => Buffer.from(text).toString();

/** What a crash leaves of a text: a piece of its beginning, and zeros where blocks never reached the disk. */
export const isTorn = (text: string, found: string): boolean =>
  asWritten(text).startsWith(found.replace(/[\0\uFFFD]+$/, ""));

/** A text that is ready to become the session file. */
export interface Staged {
  readonly temporary: string;
  readonly text: string;
  readonly stamp: Stamp;
}

/**
 * Writes `text` where it can be renamed over the session file. That is within the chain, so that a removal of the
 * session takes it along, and a writer that was suspended over the removal cannot bring the session back.
 */
export async function stage(fs: FileSystem, place: Place, text: string): Promise<Staged> {
  const temporary = join(place.chain, temporaryName("projection"));
  // Not synced: the chain repairs what a power cut does to it.
  return { temporary, text, stamp: await fs.create(temporary, text, { durable: false }) };
}

/** Puts a staged text in the session file's place; returns the file's stamp, `undefined` where that is not possible now. */
export async function swap(fs: FileSystem, place: Place, staged: Staged): Promise<Stamp | undefined> {
  for (let attempt = 0; attempt < RENAMES; attempt++) {
    try {
      await fs.rename(staged.temporary, place.file);
      return staged.stamp;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined; // the session was removed meanwhile
    }
  }
  // A mounted file, or one that a scanner holds open, can only be written in place.
  return fs.overwrite(place.file, staged.text).catch(() => undefined);
}
