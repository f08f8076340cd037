import { basename, dirname, join } from "node:path";
import { ConfigurationError } from "@unexpired/core";
import { type FileSystem, makeDurableDirectory } from "../filesystem.ts";
import { codeOf, ignoreNotFound, withStoreErrors } from "../fs-errors.ts";
import { temporaryName } from "../generations.ts";
import { ignoreInGit } from "../git-ignore.ts";
import type { SessionPaths } from "../paths.ts";
import type { DocumentNotes } from "./mirrored-document.ts";

const GENERATION = /^[1-9]\d*$/;
const MARK = /^shown-(?<mark>[\w.-]+)$/;

/**
 * Returns the ID of the store that a document shows the session of, as it is noted in the file `primary` beside it. The
 * file names the entry of the document, too: a second session in the same document has a file of its own.
 */
export async function readPrimary(fs: FileSystem, paths: Pick<SessionPaths, "chain">): Promise<string | undefined> {
  for (const path of primaryPaths(paths)) {
    const [id, entry] = (await ignoreNotFound(fs.read(path)))?.text.trim().split("\n") ?? [];
    if (id && (entry ?? basename(paths.chain)) === basename(paths.chain)) return id;
  }
  return undefined;
}

const primaryPaths = ({ chain }: Pick<SessionPaths, "chain">): readonly string[] =>
  ["primary", `primary-${basename(chain)}`].map((name) => join(dirname(chain), name));

/** Keeps notes about a document in the directory `.<name>.unexpired` beside it. */
export class FileNotes implements Required<DocumentNotes> {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #resolve: () => Promise<SessionPaths>;
  /** The listings that are running: the ID and the marks are read at the same time. */
  readonly #listings = new Map<string, Promise<readonly string[] | undefined>>();
  /** The marks that were found or noted last. */
  #noted: readonly string[] | undefined;

  /** `resolve` finds the document that the path leads to. */
  constructor(fs: FileSystem, path: string, resolve: () => Promise<SessionPaths>) {
    this.#fs = fs;
    this.#path = path;
    this.#resolve = resolve;
  }

  describe(): string {
    return join(dirname(this.#path), `.${basename(this.#path)}.unexpired`);
  }

  primary(): Promise<string | undefined> {
    return this.#with("read", async (paths) => {
      await this.#assertNoChain(paths);
      return readPrimary(this.#fs, paths);
    });
  }

  /** Rejects if a file store keeps its session in the document. */
  async #assertNoChain({ chain }: SessionPaths): Promise<void> {
    for (const directory of [chain, dirname(chain)]) {
      if (!(await this.#names(directory))?.some((name) => GENERATION.test(name))) continue;
      throw new ConfigurationError(
        `${this.#path} is the session of a fileStore, which is its own primary. Name the same primary in all programs: pass that store as the primary, without this document, or remove the session from it.`,
      );
    }
  }

  claim(id: string): Promise<string> {
    return this.#with("saved", async (paths) => {
      const directory = dirname(paths.chain);
      await makeDurableDirectory(this.#fs, directory);
      await ignoreInGit(this.#fs, directory);
      const draft = join(directory, temporaryName("draft"));
      await this.#fs.create(draft, `${id}\n${basename(paths.chain)}\n`, { durable: true });
      try {
        return await this.#publish(draft, paths, id);
      } finally {
        await this.#fs.unlink(draft).catch(() => undefined);
      }
    });
  }

  async #publish(draft: string, paths: SessionPaths, id: string): Promise<string> {
    for (const path of primaryPaths(paths)) {
      const noted = await readPrimary(this.#fs, paths);
      if (noted !== undefined) return noted;
      await this.#fs.link(draft, path).catch((error: unknown) => {
        if (codeOf(error) !== "EEXIST") throw error;
      });
      await this.#fs.syncDirectory(dirname(path));
    }
    return (await readPrimary(this.#fs, paths)) ?? id;
  }

  shown(): Promise<readonly string[] | undefined> {
    return this.#with("read", async ({ chain }) => {
      const names = await this.#names(chain);
      this.#noted = names?.flatMap((name) => MARK.exec(name)?.groups?.mark ?? []);
      return this.#noted;
    });
  }

  setShown(marks: readonly string[]): Promise<void> {
    return this.#with("saved", async ({ chain }) => {
      const before = this.#noted ?? [];
      if (!this.#noted) await makeDurableDirectory(this.#fs, chain);
      const pathOf = (mark: string) => join(chain, `shown-${mark}`);
      for (const mark of marks.filter((each) => !before.includes(each))) await this.#create(pathOf(mark));
      for (const mark of before.filter((each) => !marks.includes(each))) await this.#fs.unlink(pathOf(mark));
      this.#noted = marks;
    });
  }

  /** Not synced: what a power failure loses is noted again by the next process that looks at the document. */
  async #create(path: string): Promise<void> {
    await this.#fs.create(path, "", { durable: false }).catch((error: unknown) => {
      if (codeOf(error) !== "EEXIST") throw error; // another process has just noted it
    });
  }

  remove(): Promise<void> {
    return this.#with("removed", async (paths) => {
      this.#noted = undefined;
      await this.#fs.removeDirectory(paths.chain);
      for (const path of primaryPaths(paths)) {
        const [, entry] = (await ignoreNotFound(this.#fs.read(path)))?.text.trim().split("\n") ?? [];
        if (entry === basename(paths.chain)) await this.#fs.unlink(path);
      }
      const rest = await this.#names(dirname(paths.chain));
      if (rest?.every((name) => name === ".gitignore")) await this.#fs.removeDirectory(dirname(paths.chain));
    });
  }

  #names(directory: string): Promise<readonly string[] | undefined> {
    const list = async () => {
      await this.#fs.assertTrusted(directory);
      return ignoreNotFound(this.#fs.list(directory));
    };
    const listing = this.#listings.get(directory) ?? list().finally(() => this.#listings.delete(directory));
    this.#listings.set(directory, listing);
    return listing;
  }

  #with<T>(action: "read" | "saved" | "removed", run: (paths: SessionPaths) => Promise<T>): Promise<T> {
    return withStoreErrors(this.describe(), action, async () => run(await this.#resolve()));
  }
}
