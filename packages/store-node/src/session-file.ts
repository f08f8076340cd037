import { basename, join } from "node:path";
import { type FileSystem, type Stamp, sameContent } from "./filesystem.ts";
import { codeOf } from "./fs-errors.ts";
import { type Generation, isAncestor, temporaryName } from "./generations.ts";
import { KnownFiles, markOf } from "./known-files.ts";
import type { SessionPaths } from "./paths.ts";
import type { Snapshot } from "./snapshot.ts";

/** How the session file's text relates to the latest generation. */
export type SessionFileStatus =
  /** It equals the latest generation, as far as UTF-8 can represent it. */
  | { readonly kind: "current" }
  /** It is missing or outdated, and has to be repaired. */
  | { readonly kind: "stale" }
  /** It is empty or an incomplete copy of the latest generation, and has to be repaired. */
  | { readonly kind: "torn" }
  /** Another program wrote it; `value` is the resulting session. */
  | { readonly kind: "foreign"; readonly value: string }
  /** A newer release wrote it, so that this one can neither compare nor replace it. `value` is the whole text. */
  | { readonly kind: "newer"; readonly value: string }
  /** It holds no session at all. The latest generation is unaffected. */
  | { readonly kind: "unreadable" };

/** Compares a stored text with one that another program wrote: see `@unexpired/core/session-record`. */
export interface RecordRules {
  recordKindOf(text: string): "record" | "newer" | undefined;
  reconcileRecords(stored: string, found: string): string;
}

const MAX_RENAMES = 3;

/** Classifies `found`, the text of the session file; `undefined` if there is no file. */
export function classifySessionFile(
  head: Generation,
  found: string | undefined,
  rules: RecordRules,
): SessionFileStatus {
  if (found === undefined) return { kind: "stale" };
  if (found === head.value || found === sessionText(asUtf8(head.value))) return { kind: "current" };
  const kind = rules.recordKindOf(found);
  if (kind === "newer") return { kind, value: found };
  if (kind === "record") {
    // Even one that was stored before: another program may have switched back to that session.
    const value = rules.reconcileRecords(head.value, found);
    return value === head.value ? { kind: "stale" } : { kind: "foreign", value };
  }
  if (isAncestor(head, found)) return { kind: "stale" };
  return { kind: isTornCopy(head.value, found) ? "torn" : "unreadable" };
}

/** Replaces lone surrogates, as writing to a file does. */
const asUtf8 = (text: string): string => Buffer.from(text).toString();

/** Returns the text of a session file without what editors and shells add: a byte order mark, or mere white space. */
export const sessionText = (text: string): string => (text.trim() === "" ? "" : text.replace(/^\uFEFF/, ""));

/** Whether `found` is what a crash can leave of `text`: a prefix, then zeros for blocks that never reached the disk. */
export function isTornCopy(text: string, found: string): boolean {
  let end = found.length;
  while (end > 0 && "\0\uFFFD".includes(found.charAt(end - 1))) end--;
  return asUtf8(text).startsWith(found.slice(0, end));
}

/** A temporary file that is ready to replace the session file. */
export interface StagedFile {
  readonly temporaryPath: string;
  readonly text: string;
  readonly stamp: Stamp;
  readonly markPath: string;
  /** The paths to remove once the session file is known to be current. */
  readonly holds: string[];
}

/**
 * Writes `text` to a temporary file that can be renamed over the session file. The file is in the chain's directory, so
 * that removing the session also removes it: a writer that was suspended during the removal cannot restore the session.
 */
export async function stageSessionFile(fs: FileSystem, paths: SessionPaths, text: string): Promise<StagedFile> {
  const name = temporaryName("projection");
  const temporaryPath = join(paths.chain, name);
  // Not synced: after a power failure it is repaired from the chain.
  const stamp = await fs.create(temporaryPath, text, { durable: false });
  const mark = markOf(stamp, sessionText(asUtf8(text)));
  const markPath = await new KnownFiles(fs, paths.chain).add(mark, name);
  return { temporaryPath, text, stamp, markPath, holds: [] };
}

/** Removes a staged file together with its mark, unless it has become the session file. */
export async function discardStagedFile(fs: FileSystem, { temporaryPath, markPath }: StagedFile): Promise<void> {
  if (!(await fs.stat(temporaryPath))) return;
  await fs.unlink(temporaryPath); // first: a staged file without a mark could still become the session file
  await fs.unlink(markPath);
}

/**
 * Replaces the session file, whose stamp was `before`, with a staged one. Returns its stamp, or `undefined` if that is not
 * possible.
 */
export async function installSessionFile(
  fs: FileSystem,
  { paths, fileStamp: before }: Pick<Snapshot, "paths" | "fileStamp">,
  staged: StagedFile,
): Promise<Stamp | undefined> {
  for (let attempt = 0; attempt < MAX_RENAMES; attempt++) {
    try {
      await fs.rename(staged.temporaryPath, paths.file);
      return staged.stamp;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined; // the session was removed
    }
  }
  const target = before ?? (await createEmpty(fs, paths));
  if (!target || (!paths.isChainShared && (await fs.isMountPoint(paths.file)))) return undefined;
  return overwriteFile(fs, { file: paths.file, chain: paths.chain, target }, staged);
}

/** Creates the session file on another file system than its state directory: there, a staged one cannot be renamed. */
const createEmpty = async (fs: FileSystem, { isChainShared, file }: SessionPaths): Promise<Stamp | undefined> =>
  isChainShared ? fs.create(file, "", { durable: false }).catch(() => undefined) : undefined;

/**
 * Writes the session file in place: one that is a mount point, that a virus scanner holds open, or that is on another file
 * system than the state directory.
 */
async function overwriteFile(
  fs: FileSystem,
  { file, chain, target }: { readonly file: string; readonly chain: string; readonly target: Stamp },
  staged: StagedFile,
): Promise<Stamp | undefined> {
  const mark = markOf(target, sessionText(asUtf8(staged.text)));
  const [known, name] = [new KnownFiles(fs, chain), basename(staged.temporaryPath)];
  await known.add(mark, name);
  staged.holds.push(await known.hold(mark, name));
  await fs.syncDirectory(chain); // if the text survives a power failure, so does its mark
  if (!sameContent(await fs.stat(file), target)) return undefined;
  return fs.overwrite(file, staged.text).catch(() => undefined);
}
