import { basename, dirname, join } from "node:path";
import { type FileSystem, MAX_BYTES, type Stamp, sameContent } from "../filesystem.ts";
import { codeOf, errnoError } from "../fs-errors.ts";
import { temporaryName } from "../generations.ts";
import type { SessionPaths } from "../paths.ts";
import { OvertakenWrites, type ReplacementFiles } from "./overtaken-writes.ts";

/** A document that was replaced, and the file that it was before: a program may still have it open. */
export interface Replaced {
  readonly paths: Pick<SessionPaths, "file" | "chain">;
  /** A second name of the old file, for the observer to remove. */
  readonly oldPath: string;
  /** The stamp of the old file. */
  readonly before: Stamp;
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
  readonly observer?: ReplaceObserver | undefined;
}

const SETTLED = [() => true, () => false] as const;

/**
 * Replaces a document of another program, or deletes it if `next` is `undefined`. Returns `false`, with the document as it
 * is, if it has changed since it was read. Temporary files are placed in the directory of the chain, which must exist.
 *
 * @throws an error of a file function
 */
export async function replaceDocument(fs: FileSystem, before: Before, next: string | undefined): Promise<boolean> {
  if (next === undefined) return deleteDocument(fs, before);
  if (Buffer.byteLength(next) > MAX_BYTES) throw errnoError("ETOOLARGE"); // it could not be read any more
  const { paths, observer = unobserved(fs) } = before;
  const temporaryPath = join(paths.chain, temporaryName("projection"));
  const files = { file: paths.file, temporaryPath, oldPath: join(paths.chain, observer.nameOld()) };
  const own = await fs.create(temporaryPath, next, { durable: true }); // the only copy of other programs' data
  const overtaken = new OvertakenWrites(fs, files, () => observer.onLost());
  const leftovers = new Set([temporaryPath, files.oldPath]);
  try {
    const old = await swap(fs, { ...before, files, overtaken }, next);
    if (!old) return old === undefined;
    const isWritten = !sameContent(await fs.stat(files.oldPath), old);
    if (isWritten) await restore(fs, { ...files, own }, observer);
    else {
      leftovers.delete(files.oldPath);
      await observer.onReplaced({ paths, oldPath: files.oldPath, before: old, text: next });
    }
    await fs.syncDirectory(dirname(paths.file));
    return !isWritten;
  } finally {
    overtaken.end();
    for (const path of leftovers) await fs.unlink(path).catch(() => undefined);
  }
}

const unobserved = (fs: FileSystem): ReplaceObserver => ({
  nameOld: () => temporaryName("projection"),
  onReplaced: ({ oldPath }) => fs.unlink(oldPath),
  onLost: () => undefined,
});

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
  { paths, stamp, files, overtaken }: Swap,
  next: string,
): Promise<Stamp | false | undefined> {
  // a second name for what is about to be replaced, which shows whether another program writes to it just now
  const isLinked = await fs.link(files.file, files.oldPath).then(...SETTLED);
  if (!sameContent(await fs.stat(files.file), stamp)) return false;
  const isRenamed = await renameOver(fs, { paths, stamp, temporaryPath: files.temporaryPath }, next);
  if (isRenamed) overtaken.onRenamed();
  if (isRenamed && isLinked) return stamp;
  await fs.syncDirectory(dirname(files.file));
  return undefined;
}

async function deleteDocument(fs: FileSystem, { paths: { file }, stamp }: Before): Promise<boolean> {
  if (!sameContent(await fs.stat(file), stamp)) return false;
  await fs.unlink(file);
  await fs.syncDirectory(dirname(file));
  return true;
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

/** Returns `false` if the document cannot be replaced and was written in place. */
async function renameOver(
  fs: FileSystem,
  { paths, stamp, temporaryPath }: Before & { readonly temporaryPath: string },
  next: string,
): Promise<boolean> {
  try {
    await fs.rename(temporaryPath, paths.file);
    return true;
  } catch (error) {
    if (!["EBUSY", "EXDEV", "EPERM"].includes(codeOf(error) ?? "")) throw error;
    if (stamp) await overwrite(fs, paths, next);
    else await fs.create(paths.file, next, { durable: true });
    return false;
  }
}

/** Writes the document in place, because it cannot be replaced. A synced copy of the old one outlives a crash. */
async function overwrite(fs: FileSystem, { file, chain }: Before["paths"], next: string): Promise<void> {
  const copy = join(chain, `${basename(file)}.before`);
  await fs.unlink(copy);
  await fs.copy(file, copy);
  await fs.syncDirectory(chain);
  await fs.overwrite(file, next);
  await fs.unlink(copy);
}
