import { join } from "node:path";
import type { FileSystem, Stamp } from "./filesystem.ts";
import { codeOf } from "./fs-errors.ts";
import { type Generation, isAncestor, temporaryName } from "./generations.ts";
import type { SessionPaths } from "./paths.ts";

/** How the session file's text relates to the truth. */
export type SessionFileStatus =
  /** It is the truth, or what is left of it in a file. */
  | { readonly kind: "current" }
  /** It is missing, or was the truth once: to be repaired. */
  | { readonly kind: "stale" }
  /** It is the beginning of the truth, or nothing: to be repaired. */
  | { readonly kind: "torn" }
  /** Another program wrote it, and this is what is true now. */
  | { readonly kind: "foreign"; readonly value: string };

/** Two texts, one truth: see `reconcileRecords` of `@unexpired/core`. */
export type Reconcile = (stored: string, found: string) => string;

const MAX_RENAMES = 3;

/** Judges `found`, the text of the session file; absent where there is no file. */
export function classifySessionFile(
  head: Generation,
  found: string | undefined,
  reconcile: Reconcile,
): SessionFileStatus {
  if (found === undefined) return { kind: "stale" };
  if (found === head.value || found === asUtf8(head.value)) return { kind: "current" };
  if (isAncestor(head, found)) return { kind: "stale" };
  if (isTornCopy(head.value, found)) return { kind: "torn" };
  const value = reconcile(head.value, found);
  return value === head.value ? { kind: "stale" } : { kind: "foreign", value };
}

/** A file cannot hold a lone surrogate. */
const asUtf8 = (text: string): string => Buffer.from(text).toString();

/** What a crash leaves of a text: a piece of its beginning, and zeros where blocks never reached the disk. */
export const isTornCopy = (text: string, found: string): boolean =>
  asUtf8(text).startsWith(found.replace(/[\0\uFFFD]+$/, ""));

/** A text that is ready to become the session file. */
export interface StagedFile {
  readonly temporaryPath: string;
  readonly text: string;
  readonly stamp: Stamp;
}

/**
 * Writes `text` where it can be renamed over the session file. That is within the chain, so that a removal of the
 * session takes it along, and a writer that was suspended over the removal cannot bring the session back.
 */
export async function stageSessionFile(fs: FileSystem, paths: SessionPaths, text: string): Promise<StagedFile> {
  const temporaryPath = join(paths.chain, temporaryName("projection"));
  // Not synced: the chain repairs what a power cut does to it.
  return { temporaryPath, text, stamp: await fs.create(temporaryPath, text, { durable: false }) };
}

/** Puts a staged text in the session file's place; returns the file's stamp, `undefined` where that is not possible now. */
export async function installSessionFile(
  fs: FileSystem,
  paths: SessionPaths,
  staged: StagedFile,
): Promise<Stamp | undefined> {
  for (let attempt = 0; attempt < MAX_RENAMES; attempt++) {
    try {
      await fs.rename(staged.temporaryPath, paths.file);
      return staged.stamp;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined; // the session was removed meanwhile
    }
  }
  // A mounted file, or one that a scanner holds open, can only be written in place.
  return fs.overwrite(paths.file, staged.text).catch(() => undefined);
}
