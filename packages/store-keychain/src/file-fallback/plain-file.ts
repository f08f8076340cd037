import type { StoredValue, TokenStore } from "@unexpired/core";
import { type FileStoreOptions, fileStore } from "@unexpired/store-node";
import {
  codeOf,
  type FileSystem,
  resolvePaths,
  type SessionPaths,
  sessionFilePath,
  stateDirectoryPath,
} from "@unexpired/store-node/chain";

/** The external dependencies of the plain-text file. */
export interface PlainFileDeps {
  readonly fs: FileSystem;
  /** Restricts a directory so that files created in it belong to this user only. Omitted if file modes ensure that. */
  readonly restrictToOwner?: ((directory: string) => Promise<void>) | undefined;
}

/** The file that can hold the session in plain text. */
export class PlainFile {
  readonly path: string;
  readonly store: TokenStore;
  readonly #deps: PlainFileDeps;
  readonly #stateDirectory: string | undefined;
  #isRestricted = false;

  /** @throws TypeError if the options are not valid for `fileStore` */
  constructor(options: FileStoreOptions, deps: PlainFileDeps) {
    this.path = pathOf(options);
    this.#stateDirectory = stateDirectoryPath(options);
    this.store = fileStore({ path: this.path, stateDirectory: this.#stateDirectory });
    this.#deps = deps;
  }

  /**
   * Ensures that only this user can read what is saved. Must be called before a save. On Windows, a file inherits the
   * permissions of its directory. Every file that contains the session is created in the directory of the generations,
   * and keeps its permissions when it is linked or renamed.
   */
  async protect(options: { readonly isFirst: boolean }): Promise<void> {
    const { fs, restrictToOwner } = this.#deps;
    if (!restrictToOwner || (this.#isRestricted && !options.isFirst)) return;
    const { chain } = await this.#resolvePaths();
    await fs.makeDirectory(chain);
    await restrictToOwner(chain);
    this.#isRestricted = true;
  }

  /** Removes the migrated session from the file, but nothing newer. Returns `true` if it could not be removed. */
  async removeMigrated(migratedVersion: string): Promise<boolean> {
    try {
      const left = await this.store.load();
      if (left ? await this.#clearMigrated(left, migratedVersion) : await this.#isHalfRemoved())
        await this.store.remove();
      return false;
    } catch (error) {
      return codeOf(error) !== "STORE_CONFLICT";
    }
  }

  /**
   * Clears it with compare-and-set, so that nothing newer is lost. Returns `false` if another program's session is
   * there.
   */
  async #clearMigrated(left: StoredValue, migratedVersion: string): Promise<boolean> {
    if (left.value === "") return true;
    if (left.version !== migratedVersion) return false;
    await this.store.save("", migratedVersion).catch((error: unknown) => {
      if (codeOf(error) === "STORE_CONFLICT") throw error; // the disk may be full; removing the file can still succeed
    });
    return true;
  }

  /** Detects that a process died while removing the file: no session is found, but its text is still on the disk. */
  async #isHalfRemoved(): Promise<boolean> {
    return (await this.#deps.fs.stat((await this.#resolvePaths()).removed)) !== undefined;
  }

  async #resolvePaths(): Promise<SessionPaths> {
    return resolvePaths(this.#deps.fs, this.path, { stateDirectory: this.#stateDirectory });
  }
}

function pathOf(options: FileStoreOptions): string {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      'keychainOrFile: "plainTextFile" must name the file in which the session may be stored in plain text, such as { appName: "my-tool" }. To rule out plain text, use keychainStore.',
    );
  }
  try {
    return sessionFilePath(options);
  } catch (error) {
    const { message: reason = "" } = Object(error) as { message?: string };
    throw new TypeError(`keychainOrFile: "plainTextFile" is invalid. ${reason}`, { cause: error });
  }
}
