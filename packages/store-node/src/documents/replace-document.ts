import { basename, dirname, join } from "node:path";
import { type FileSystem, type Stamp, sameContent } from "../filesystem.ts";
import { codeOf } from "../fs-errors.ts";
import { temporaryName } from "../generations.ts";
import type { SessionPaths } from "../paths.ts";

/** A document's text as it was read. */
interface Before {
  readonly paths: Pick<SessionPaths, "file" | "chain">;
  readonly text: string | undefined;
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
  { paths, stamp: before, text }: Before,
  next: string | undefined,
): Promise<boolean> {
  const { file } = paths;
  if (next === undefined) {
    if (!sameContent(await fs.stat(file), before)) return false;
    await fs.unlink(file);
    await fs.syncDirectory(dirname(file));
    return true;
  }
  const temporaryPath = join(paths.chain, temporaryName("projection"));
  const keptPath = join(paths.chain, temporaryName("projection"));
  await fs.create(temporaryPath, next, { durable: true }); // the only copy of other programs' data
  try {
    // a second name for what is about to be replaced, which shows whether another program writes to it just now
    const isKept = await fs.link(file, keptPath).then(...SETTLED);
    if (!sameContent(await fs.stat(file), before)) return false;
    await fs.rename(temporaryPath, file).catch((error: unknown) => {
      if (!["EBUSY", "EXDEV", "EPERM"].includes(codeOf(error) ?? "")) throw error;
      return overwrite(fs, paths, { text, next });
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
async function overwrite(
  fs: FileSystem,
  { file, chain }: Before["paths"],
  { text, next }: { readonly text: string | undefined; readonly next: string },
): Promise<void> {
  if (text === undefined) {
    await fs.create(file, next, { durable: true });
    return;
  }
  const copy = join(chain, `${basename(file)}.before`);
  await fs.unlink(copy);
  await fs.create(copy, text, { durable: true });
  await fs.syncDirectory(chain);
  await fs.overwrite(file, next);
  await fs.unlink(copy);
}
