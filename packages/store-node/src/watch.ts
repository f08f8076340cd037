import { type FSWatcher, readlinkSync, realpathSync, unwatchFile, watch, watchFile } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathsOf, type SessionPaths } from "./paths.ts";

const POLL_INTERVAL = 2000; // ms; detects changes on file systems without notifications, and replaced directories
const MAX_LINKS = 40;

/**
 * Calls `onChange` when the session at `path` may have changed, until the returned function is called. Creates no
 * files, never throws, and does not keep the process alive.
 */
export function watchPath(path: string, onChange: () => void): () => void {
  const watcher = new SessionWatcher(pathsOf(realPath(path)), onChange);
  return () => watcher.stop();
}

class SessionWatcher {
  readonly #paths: SessionPaths;
  readonly #onChange: () => void;
  #directoryWatcher: FSWatcher | undefined;

  constructor(paths: SessionPaths, onChange: () => void) {
    this.#paths = paths;
    this.#onChange = onChange;
    this.#watchDirectory();
    for (const path of [paths.file, paths.chain])
      watchFile(path, { persistent: false, interval: POLL_INTERVAL }, this.#poll);
  }

  stop(): void {
    this.#directoryWatcher?.close();
    for (const path of [this.#paths.file, this.#paths.chain]) unwatchFile(path, this.#poll);
  }

  /** Watches the directory again, which may have been created or replaced since the last poll. */
  readonly #poll = () => {
    this.#watchDirectory();
    this.#onChange();
  };

  #watchDirectory(): void {
    this.#directoryWatcher?.close();
    const names = [basename(this.#paths.file), basename(this.#paths.chain)];
    try {
      this.#directoryWatcher = watch(this.#paths.parent, { persistent: false }, (_event, name) => {
        if (name === null || names.includes(name)) this.#onChange();
      });
      this.#directoryWatcher.on("error", () => this.#directoryWatcher?.close());
    } catch {
      this.#directoryWatcher = undefined; // no such directory, or no notifications: polling detects changes
    }
  }
}

/** Resolves the symbolic links in `path` as far as they exist. */
function realPath(path: string, links = 0): string {
  try {
    return realpathSync(path);
  } catch {
    const resolved = join(realDirectory(dirname(path)), basename(path));
    const target = links < MAX_LINKS ? linkTarget(resolved) : undefined;
    return target === undefined ? resolved : realPath(resolve(dirname(resolved), target), links + 1);
  }
}

function realDirectory(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
