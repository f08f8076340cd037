import {
  existsSync,
  type FSWatcher,
  readlinkSync,
  realpathSync,
  type Stats,
  unwatchFile,
  watch,
  watchFile,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { pathsOf } from "./paths.ts";

const POLL_INTERVAL = 60_000; // ms; detects a replaced directory, and changes on file systems without notifications
const POLL_INTERVAL_ALONE = 2000; // ms; if the system cannot watch the directory
const MAX_LINKS = 40;

/**
 * Calls `onChange` when the session at `path` may have changed, until the returned function is called. Creates no
 * files, never throws, and does not keep the process alive.
 */
export function watchPath(path: string, onChange: () => void, stateDirectory?: string): () => void {
  const { file, chain } = pathsOf(realPath(path), stateDirectory === undefined ? undefined : realPath(stateDirectory));
  const stopFile = DirectoryWatcher.subscribe(dirname(file), { concerns: (name) => name === basename(file), onChange });
  // Polling the session file's directory is enough if the chain is in it.
  const isPolled = stateDirectory !== undefined;
  const stopChain = DirectoryWatcher.subscribe(chain, { concerns: (name) => /^\d/.test(name), onChange }, isPolled);
  return () => {
    stopFile();
    stopChain();
  };
}

interface Listener {
  readonly concerns: (name: string) => boolean;
  readonly onChange: () => void;
}

/** Watches one directory for all stores of this process, because every watch costs the system a handle. */
class DirectoryWatcher {
  static readonly #active = new Map<string, DirectoryWatcher>();
  readonly #directory: string;
  readonly #isPolled: boolean;
  readonly #listeners = new Set<Listener>();
  #watcher: FSWatcher | undefined;
  /** Stops waiting for a missing directory. */
  #stopWaiting: (() => void) | undefined;
  /** Whether the system has sent a notification since a poll last found a change. */
  #isNotified = false;

  private constructor(directory: string, isPolled: boolean) {
    this.#directory = directory;
    this.#isPolled = isPolled;
  }

  static subscribe(directory: string, listener: Listener, isPolled = true): () => void {
    const active = DirectoryWatcher.#active;
    const watcher = active.get(directory) ?? new DirectoryWatcher(directory, isPolled);
    watcher.#listeners.add(listener);
    if (!active.has(directory)) {
      active.set(directory, watcher);
      watcher.#start();
    }
    return () => {
      watcher.#listeners.delete(listener);
      if (watcher.#listeners.size > 0 || active.get(directory) !== watcher) return;
      active.delete(directory);
      watcher.#stop();
    };
  }

  #start(): void {
    // Not by trying to watch it: Node does not free the handle if that fails.
    if (!existsSync(this.#directory)) return void this.#waitForDirectory();
    const isWatched = this.#watchDirectory();
    const interval = isWatched ? POLL_INTERVAL : POLL_INTERVAL_ALONE;
    if (this.#isPolled || !isWatched) watchFile(this.#directory, { persistent: false, interval }, this.#onPoll);
  }

  #watchDirectory(): boolean {
    try {
      this.#watcher = watch(this.#directory, { persistent: false }, (_event, name) => this.#onEvent(name));
      this.#watcher.on("error", () => this.#restart());
      return true;
    } catch {
      return false;
    }
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    unwatchFile(this.#directory, this.#onPoll);
  }

  #restart(): void {
    this.#stop();
    this.#start();
    this.#notify(null);
  }

  #waitForDirectory(): void {
    const name = basename(this.#directory);
    this.#stopWaiting = DirectoryWatcher.subscribe(dirname(this.#directory), {
      concerns: (each) => each === name,
      onChange: () => this.#restart(),
    });
    if (existsSync(this.#directory)) this.#restart(); // it was created in the meantime
  }

  #onEvent(name: string | null): void {
    this.#isNotified = true;
    // A directory that is removed or replaced reports its own name.
    if (name === basename(this.#directory)) this.#restart();
    else this.#notify(name);
  }

  readonly #onPoll = (current: Stats, previous: Stats): void => {
    if (current.ino !== previous.ino) this.#restart();
    else if (!this.#isNotified) this.#notify(null);
    this.#isNotified = false;
  };

  /** Calls the listeners that `name` concerns; `null` stands for any name. */
  #notify(name: string | null): void {
    for (const { concerns, onChange } of [...this.#listeners]) if (name === null || concerns(name)) onChange();
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
