import { StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import { type FileStoreOptions, fileStore } from "@unexpired/store-node";
import { type FileSystem, pathsOf, type SessionPaths, sessionFilePath } from "@unexpired/store-node/chain";

/** What the store needs of the world around it. */
export interface Environment {
  readonly fs: FileSystem;
  /** Sees to it that what is created in a directory is for this user only. Absent where each file sees to it itself. */
  readonly keepPrivate?: ((directory: string) => Promise<void>) | undefined;
}

/** The file that a session may be in, in plain text. */
export class PlainFile {
  readonly path: string;
  readonly store: TokenStore;
  readonly #world: Environment;
  #isPrivate = false;

  /** @throws TypeError where the options are not those of `fileStore` */
  constructor(options: FileStoreOptions, world: Environment) {
    this.path = pathOf(options);
    this.store = fileStore({ path: this.path });
    this.#world = world;
  }

  /**
   * Sees to it that only this user may read what is saved; to be called before. Windows gives a file the rights that its
   * directory hands down. All that has the session is created in the directory of the generations, and linked and
   * renamed from there, which keeps its rights.
   */
  async protect(options: { readonly isFirst: boolean }): Promise<void> {
    const { fs, keepPrivate } = this.#world;
    if (!keepPrivate || (this.#isPrivate && !options.isFirst)) return;
    const { chain } = await this.#place();
    await fs.makeDirectory(chain);
    await keepPrivate(chain);
    this.#isPrivate = true;
  }

  /** Removes what was moved from the file, and nothing newer. Resolves to whether it had to stay there. */
  async clean(moved: string): Promise<boolean> {
    try {
      const left = await this.store.load();
      if (left ? await this.#blank(left, moved) : await this.#isHalfRemoved()) await this.store.remove();
      return false;
    } catch (error) {
      return !(error instanceof StoreConflictError);
    }
  }

  /** Compared and set, so that nothing newer goes. `false`: it is another session, so another program's. */
  async #blank(left: StoredValue, moved: string): Promise<boolean> {
    if (left.value === "") return true;
    if (left.version !== moved) return false;
    await this.store.save("", moved).catch((error: unknown) => {
      if (error instanceof StoreConflictError) throw error; // else there is no room, perhaps: it can still be removed
    });
    return true;
  }

  /** A process died while it removed the file: nothing is found any more, and the text is still there. */
  async #isHalfRemoved(): Promise<boolean> {
    return (await this.#world.fs.stat((await this.#place()).removed)) !== undefined;
  }

  async #place(): Promise<SessionPaths> {
    return pathsOf(await this.#world.fs.resolve(this.path));
  }
}

function pathOf(options: FileStoreOptions): string {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      'keychainOrFile: "plainTextFile" must say where a session may be kept in plain text, such as { appName: "my-tool" }. To allow that nowhere use keychainStore.',
    );
  }
  try {
    return sessionFilePath(options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "";
    throw new TypeError(`keychainOrFile: "plainTextFile" must be as for ${reason}`, { cause: error });
  }
}
