import { dirname } from "node:path";
import type { FileSystem } from "../filesystem.ts";
import { later } from "../timers.ts";

/** The files of one replacement. The last two are in the directory of the chain. */
export interface ReplacementFiles {
  readonly file: string;
  readonly temporaryPath: string;
  /** A second name of the old file, created before the last look at the document. */
  readonly oldPath: string;
}

const NOTIFIED_WITHIN = 1_000; // ms

/**
 * Finds the files that another program renamed into place after our last look at the document and before our own rename,
 * which overwrote them: the system notifies of them after the link to the old file, and before our rename.
 */
export class OvertakenWrites {
  readonly #files: ReplacementFiles;
  readonly #onLost: () => void;
  readonly #stop: (() => void) | undefined;
  #isLinked = false;
  #isRenamed = false;
  #count = 0;

  constructor(fs: FileSystem, files: ReplacementFiles, onLost: () => void) {
    this.#files = files;
    this.#onLost = onLost;
    const directories = [dirname(files.file), dirname(files.oldPath)];
    this.#stop = fs.watchNames?.(directories, (path) => this.#onPath(path));
  }

  #onPath(path: string): void {
    const { file, temporaryPath, oldPath } = this.#files;
    if (path === oldPath) this.#isLinked = true;
    if (!this.#isLinked) return;
    if (path === file) this.#count++;
    if (path !== temporaryPath) return;
    this.#stop?.();
    for (; this.#count > 0; this.#count--) this.#onLost();
  }

  /** Waits for the notification of our rename. */
  onRenamed(): void {
    this.#isRenamed = true;
    if (this.#stop) later(this.#stop, NOTIFIED_WITHIN);
  }

  /** Stops, unless the document was renamed. */
  end(): void {
    if (!this.#isRenamed) this.#stop?.();
  }
}
