import { StoreError } from "@unexpired/core";
import type { FileSystem, Stamp } from "./filesystem.ts";

/** Distinguishes a missing session from a missing directory, for example after a disk was unmounted. */
export class SessionDirectory {
  readonly #fs: FileSystem;
  readonly #location: string;
  /** Stamp of the directory from when it last held a session. */
  #stamp: Stamp | undefined;

  constructor(fs: FileSystem, location: string) {
    this.#fs = fs;
    this.#location = location;
  }

  /** Whether it has held a session. */
  get isKnown(): boolean {
    return this.#stamp !== undefined;
  }

  /** Remembers the directory that holds the session; `undefined` if the session was removed. */
  remember(stamp: Stamp | undefined): void {
    this.#stamp = stamp;
  }

  /**
   * Checks the directory `path` after a read. `before` is its stamp from before the read.
   *
   * @throws StoreError if the session is missing, and so is the directory that held it
   */
  async check(path: string, before: Stamp | undefined, isFound: boolean): Promise<void> {
    // The directory may have been created after the first look at it.
    if (isFound) this.#stamp = before ?? (await this.#fs.stat(path)) ?? this.#stamp;
    if (isFound || !this.#stamp) return;
    const after = before && (await this.#fs.stat(path)); // it existed before the read: does it still?
    if (after && [before, after].every(({ fileId }) => fileId === this.#stamp?.fileId)) return;
    throw new StoreError("STORE_UNAVAILABLE", {
      location: this.#location,
      problem: `is missing: its directory ${after ? "was replaced" : "no longer exists"}`,
      hint: "Restore the directory, or restart the program to begin without a session.",
    });
  }
}
