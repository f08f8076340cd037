import { basename, dirname, join } from "node:path";
import { type FileSystem, type Stamp, sameContent } from "../filesystem.ts";
import { ignoreNotFound } from "../fs-errors.ts";
import type { SessionPaths } from "../paths.ts";

type Paths = Pick<SessionPaths, "file" | "chain">;

/** A document as it was found. */
interface Found {
  readonly paths: Paths;
  /** `undefined` if it does not exist. */
  readonly stamp: Stamp | undefined;
}

/** How long a write in place may take, in nanoseconds by the clock of the file system. */
const MAX_DURATION = 10_000_000_000n;

/**
 * Writes the document in place. Returns `false` if it has changed. Synced copies of the old and the new text outlive a
 * crash.
 */
export async function writeInPlace(fs: FileSystem, { paths, stamp }: Found, next: string): Promise<boolean> {
  const { file } = paths;
  const copies = copiesOf(paths);
  await discardCopies(fs, paths);
  if (stamp) await fs.copy(file, copies.before);
  await fs.create(copies.next, next, { durable: true });
  await fs.syncDirectory(dirname(copies.next));
  const isUnchanged = sameContent(await fs.stat(file), stamp);
  try {
    if (isUnchanged && stamp) await fs.overwrite(file, next);
    else if (isUnchanged) await fs.create(file, next, { durable: true });
  } catch (error) {
    if (sameContent(await fs.stat(file), stamp)) await discardCopies(fs, paths); // otherwise, it is finished later
    throw error;
  }
  if (!stamp) await fs.syncDirectory(dirname(file));
  await discardCopies(fs, paths);
  return isUnchanged;
}

/**
 * Returns the text that was to be written in place of a document with this text, if a process has died over it. Text that is
 * not its beginning is another program's, as is a document that was written long after.
 */
export async function unfinishedText(
  fs: FileSystem,
  { paths, stamp }: Found,
  text: string | undefined,
): Promise<string | undefined> {
  const next = await ignoreNotFound(fs.read(copiesOf(paths).next));
  if (!next || !stamp || text === undefined || next.text === text || !next.text.startsWith(text)) return undefined;
  return stamp.modified - next.stamp.modified < MAX_DURATION ? next.text : undefined;
}

/** Finishes the writing in place of a document, unless it has changed. `next` is what `unfinishedText` has returned. */
export async function finishInPlace(fs: FileSystem, { paths, stamp }: Found, next: string): Promise<void> {
  if (sameContent(await fs.stat(paths.file), stamp)) await fs.overwrite(paths.file, next);
  await discardCopies(fs, paths);
}

/** The copies of a document that is written in place: as it was, and as it will be. */
interface Copies {
  readonly before: string;
  readonly next: string;
}

/** All entries of a document share them: another one must not take a half-written document for an emptied one. */
const copiesOf = ({ file, chain }: Paths): Copies => ({
  before: join(dirname(chain), `${basename(file)}.before`),
  next: join(dirname(chain), `${basename(file)}.next`),
});

/** Removes the copies of a document that is whole. The caller holds its lock. */
export async function discardCopies(fs: FileSystem, paths: Paths): Promise<void> {
  const { before, next } = copiesOf(paths);
  await fs.unlink(next);
  await fs.unlink(before);
}
