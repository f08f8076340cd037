import { join } from "node:path";
import type { FileSystem, Stamp } from "./filesystem.ts";
import { codeOf, ignoreNotFound } from "./fs-errors.ts";
import { digestOf } from "./generations.ts";

/** Identifies a session file by its inode and its text: a copy of it, or another text in its place, has another mark. */
export type FileMark = string;

const MARK_NAME = /^known-(?<mark>[\w-]+)\.(?<writer>projection-[0-9a-f]+)$/;

/** Returns the mark of a session file. */
export const markOf = ({ fileId }: Stamp, text: string): FileMark => digestOf(`${fileId} ${text}`);

/**
 * The session files that this library has written, or is about to write. One that no longer matches the chain is
 * outdated: its writer was suspended, or died before it could replace it. The same text in another file was put there by
 * another program, which has switched back to an earlier session.
 */
export class KnownFiles {
  readonly #fs: FileSystem;
  readonly #directory: string;

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
  }

  /**
   * Remembers a file that the temporary file of this name is about to become or to overwrite. Resolves to the path of the
   * mark.
   */
  async add(mark: FileMark, temporaryName: string): Promise<string> {
    const path = join(this.#directory, `known-${mark}.${temporaryName}`);
    await this.#fs.create(path, "", { durable: false }).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error;
    });
    return path;
  }

  /**
   * Remembers a file that is about to be overwritten in place, until the path that this resolves to is removed. Unlike a
   * rename, that cannot be prevented any more by removing the temporary file.
   */
  hold(mark: FileMark, temporaryName: string): Promise<string> {
    return this.add(mark, `held-${temporaryName}`);
  }

  async has(mark: FileMark): Promise<boolean> {
    return isKnown(await this.#names(), mark);
  }

  /**
   * Forgets the files that neither are the session file nor can become it any more. `read` returns the mark of the session
   * file; `sync` makes it durable that another program has removed or replaced a file: otherwise, a power failure could
   * bring it back once it is forgotten.
   */
  async collect(read: () => Promise<FileMark | undefined>, sync: () => Promise<void>): Promise<void> {
    const names = await this.#names();
    for (const name of names) {
      const { mark, writer } = MARK_NAME.exec(name)?.groups ?? {};
      if (!mark || !writer || (await this.#fs.stat(join(this.#directory, writer)))) continue;
      // Only now: until its temporary file was gone, the file could still become the session file.
      const current = await read();
      if (mark === current) continue;
      if (!isKnown(names, current)) await sync(); // our own renames are synced with the chain
      await this.#fs.unlink(join(this.#directory, name));
    }
  }

  async #names(): Promise<readonly string[]> {
    return (await ignoreNotFound(this.#fs.list(this.#directory))) ?? [];
  }
}

const isKnown = (names: readonly string[], mark: FileMark | undefined): boolean =>
  names.some((name) => name.startsWith(`known-${mark}.`));
