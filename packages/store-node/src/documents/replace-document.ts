import { basename, dirname, join } from "node:path";
import { type FileSystem, MAX_BYTES, type Stamp, sameContent } from "../filesystem.ts";
import { codeOf, errnoError } from "../fs-errors.ts";
import { temporaryName } from "../generations.ts";
import type { SessionPaths } from "../paths.ts";

/** A document as it was read. */
interface Before {
  readonly paths: Pick<SessionPaths, "file" | "chain">;
  /** `undefined` if there is none. */
  readonly stamp: Stamp | undefined;
}

const SETTLED = [() => true, () => false] as const;

/**
 * Replaces a document of another program, or deletes it if `next` is `undefined`. Returns `false`, with the document as it
 * is, if it has changed since it was read. Temporary files are placed in the directory of the chain, which must exist.
 *
 * @throws an error of a file function
 */
export async function replaceDocument(
  fs: FileSystem,
  { paths, stamp: before }: Before,
  next: string | undefined,
): Promise<boolean> {
  const { file } = paths;
  if (next === undefined) {
    if (!sameContent(await fs.stat(file), before)) return false;
    await fs.unlink(file);
    await fs.syncDirectory(dirname(file));
    return true;
  }
  if (Buffer.byteLength(next) > MAX_BYTES) throw errnoError("ETOOLARGE"); // it could not be read any more
  const temporaryPath = join(paths.chain, temporaryName("projection"));
  const keptPath = join(paths.chain, temporaryName("projection"));
  await fs.create(temporaryPath, next, { durable: true }); // the only copy of other programs' data
  try {
    // a second name for what is about to be replaced, which shows whether another program writes to it just now
    const isKept = await fs.link(file, keptPath).then(...SETTLED);
    if (!sameContent(await fs.stat(file), before)) return false;
    await fs.rename(temporaryPath, file).catch(async (error: unknown) => {
      if (!["EBUSY", "EXDEV", "EPERM"].includes(codeOf(error) ?? "")) throw error;
      return before ? overwrite(fs, paths, next) : void (await fs.create(file, next, { durable: true }));
    });
    const isOvertaken = isKept && !sameContent(await fs.stat(keptPath), before);
    if (isOvertaken) await fs.rename(keptPath, file);
    await fs.syncDirectory(dirname(file));
    return !isOvertaken;
  } finally {
    for (const path of [temporaryPath, keptPath]) await fs.unlink(path).catch(() => undefined);
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
