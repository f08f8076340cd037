import { basename, join } from "node:path";
import type { FileSystem } from "./filesystem.ts";
import { codeOf } from "./fs-errors.ts";
import { temporaryName } from "./generations.ts";
import type { SessionPaths } from "./paths.ts";

const DIGEST_LENGTH = 16; // hexadecimal digits: two different files have different names

/**
 * Copies a file that is about to be replaced, byte for byte, to `<name>.unreadable-<digest>` beside the directory of the
 * chain. Resolves once the copy is durable. The same bytes are kept once; no copy is ever replaced.
 */
export async function keepCopy(fs: FileSystem, { file, parent, chain }: SessionPaths): Promise<void> {
  const temporaryPath = join(chain, temporaryName("projection"));
  try {
    const digest = await fs.copy(file, temporaryPath);
    const copy = join(parent, `${basename(file)}.unreadable-${digest.slice(0, DIGEST_LENGTH)}`);
    // A link, so that the copy has its name only once it is complete.
    await fs.link(temporaryPath, copy).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    await fs.syncDirectory(parent);
  } finally {
    await fs.unlink(temporaryPath).catch(() => undefined);
  }
}
