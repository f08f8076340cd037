import { dirname, join } from "node:path";
import { type FileSystem, MAX_BYTES, type Stamp, sameContent } from "../filesystem.ts";
import { codeOf, errnoError } from "../fs-errors.ts";
import { temporaryName } from "../generations.ts";
import type { SessionPaths } from "../paths.ts";
import { OvertakenWrites, type ReplacementFiles } from "./overtaken-writes.ts";
import { writeInPlace } from "./write-in-place.ts";

/** A document that was replaced, and the file that it was before: a program may still have it open. */
export interface Replaced {
  readonly paths: Pick<SessionPaths, "file" | "chain">;
  /** A second name of the old file, for the observer to remove. */
  readonly oldPath: string;
  /** The stamp of the old file. */
  readonly before: Stamp;
  /** The text that was replaced, as it was read. */
  readonly oldText: string | undefined;
  /** The new text. */
  readonly text: string;
}

/** Learns of what became of the writes of other programs. */
export interface ReplaceObserver {
  /** Returns a name for the old file, which is in the directory of the chain. */
  nameOld(): string;
  onReplaced(replaced: Replaced): void | Promise<void>;
  /** Called for each write of another program that was lost. */
  onLost(): void;
}

/** A document as it was read. */
interface Before {
  readonly paths: Pick<SessionPaths, "file" | "chain">;
  /** `undefined` if it does not exist. */
  readonly stamp: Stamp | undefined;
  /** Its text, if it was read as such. */
  readonly text?: string | undefined;
  /** Whether the caller holds the document's lock, without which it is not written in place. Default: `false`. */
  readonly isLocked?: boolean | undefined;
  readonly observer: ReplaceObserver;
}

const SETTLED = [() => true, () => false] as const;

/**
 * Replaces a document of another program, or deletes it if `next` is `undefined`. Returns `false` if another program has
 * written it since it was read; its text is there then. Temporary files are placed in the directory of the chain, which must exist.
 *
 * @throws an error of a file function
 */
export async function replaceDocument(fs: FileSystem, before: Before, next: string | undefined): Promise<boolean> {
  if (next === undefined) return deleteDocument(fs, before);
  if (Buffer.byteLength(next) > MAX_BYTES) throw errnoError("ETOOLARGE"); // it could not be read any more
  const { paths, observer } = before;
  const temporaryPath = join(paths.chain, temporaryName("projection"));
  const files = { file: paths.file, temporaryPath, oldPath: join(paths.chain, observer.nameOld()) };
  const own = await fs.create(temporaryPath, next, { durable: true }); // the only copy of other programs' data
  const overtaken = new OvertakenWrites(fs, files, () => observer.onLost());
  const leftovers = new Set([temporaryPath, files.oldPath]);
  try {
    const old = await swap(fs, { ...before, files, overtaken }, next);
    if (!old) return old === undefined;
    const found = await fs.stat(files.oldPath);
    const isWritten = found !== undefined && !sameContent(found, old); // a process whose clock jumped may have removed it
    if (isWritten) await restore(fs, { ...files, own }, observer);
    else {
      leftovers.delete(files.oldPath);
      await observer.onReplaced({ paths, oldPath: files.oldPath, before: old, oldText: before.text, text: next });
    }
    await fs.syncDirectory(dirname(paths.file));
    return !isWritten;
  } finally {
    overtaken.end();
    for (const path of leftovers) await fs.unlink(path).catch(() => undefined);
  }
}

interface Swap extends Before {
  readonly files: ReplacementFiles;
  readonly overtaken: OvertakenWrites;
}

/**
 * Replaces the document. Returns the stamp of the old file, which has a second name now; `undefined` if it does not exist, and
 * `false` if the document has changed.
 */
async function swap(
  fs: FileSystem,
  { paths, stamp, isLocked = false, files, overtaken }: Swap,
  next: string,
): Promise<Stamp | false | undefined> {
  // a second name for what is about to be replaced, which shows whether another program writes to it just now
  const isLinked = await fs.link(files.file, files.oldPath).then(...SETTLED);
  if (!sameContent(await fs.stat(files.file), stamp)) return false;
  if (!stamp && (await fs.link(files.temporaryPath, files.file).then(...SETTLED))) {
    await fs.syncDirectory(dirname(files.file)); // unlike a rename, it fails if another program has created the document
    return undefined;
  }
  if (!stamp && (await fs.stat(files.file))) return false;
  const isRenamed = await tryRename(fs, files, { isLocked });
  if (!isRenamed) return (await writeInPlace(fs, { paths, stamp }, next)) ? undefined : false;
  overtaken.onRenamed();
  if (isLinked) return stamp;
  await fs.syncDirectory(dirname(files.file));
  return undefined;
}

/** Deletes the document. What another program renames into place at the last moment is put back. */
async function deleteDocument(fs: FileSystem, { paths, stamp, observer }: Before): Promise<boolean> {
  const { file, chain } = paths;
  if (!sameContent(await fs.stat(file), stamp)) return false;
  const oldPath = join(chain, temporaryName("projection"));
  const isMoved = await fs.rename(file, oldPath).then(...SETTLED);
  const isUnchanged = !isMoved || sameContent(await fs.stat(oldPath), stamp);
  if (!isUnchanged && !(await fs.link(oldPath, file).then(...SETTLED))) observer.onLost();
  await fs.unlink(isMoved ? oldPath : file);
  await fs.syncDirectory(dirname(file));
  return isUnchanged;
}

/** Puts back a file that another program has written to after it was replaced, unless that was written to as well. */
async function restore(
  fs: FileSystem,
  { file, oldPath, own }: { readonly file: string; readonly oldPath: string; readonly own: Stamp },
  observer: ReplaceObserver,
): Promise<void> {
  if (sameContent(await fs.stat(file), own)) await fs.rename(oldPath, file);
  else observer.onLost();
}

/** Returns `false` if the document cannot be replaced and may be written in place. */
async function tryRename(
  fs: FileSystem,
  { temporaryPath, file }: ReplacementFiles,
  { isLocked }: { readonly isLocked: boolean },
): Promise<boolean> {
  try {
    await fs.rename(temporaryPath, file);
    return true;
  } catch (error) {
    if (isLocked && isIrreplaceable(error)) return false;
    throw error;
  }
}

/** Returns whether an error of a rename says that the document cannot be replaced, only written in place. */
export const isIrreplaceable = (error: unknown): boolean => ["EBUSY", "EXDEV", "EPERM"].includes(codeOf(error) ?? "");
