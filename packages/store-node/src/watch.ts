import { existsSync, type FSWatcher, readlinkSync, type Stats, unwatchFile, watch, watchFile } from "node:fs";
import { basename, dirname, isAbsolute, join, parse } from "node:path";
import { namesIn } from "./filesystem.ts";
import { type Places, pathsOf } from "./paths.ts";
import { isPermitted } from "./permissions.ts";

const POLL_INTERVAL = 60_000; // ms; detects a replaced directory, and changes on file systems without notifications
const POLL_INTERVAL_ALONE = 2000; // ms; if the system cannot watch the directory
const MAX_LINKS = 40;

/**
 * Calls `onChange` when the session at `path` may have changed, until the returned function is called. Creates no
 * files, never throws, and does not keep the process alive.
 */
export function watchPath(path: string, onChange: () => void, { stateDirectory, entry }: Places = {}): () => void {
  const resolve = () => ({
    file: followLinks(path),
    state: stateDirectory === undefined ? undefined : followLinks(stateDirectory),
    entry,
  });
  let isStopped = false;
  let watched = resolve();
  const update = () => {
    if (isStopped) return;
    const now = resolve();
    // One of the links may lead to another session. Subscribed first, so that what both have in common stays open.
    if (JSON.stringify(now) !== JSON.stringify(watched)) {
      watched = now;
      const stopOld = stop;
      stop = subscribe(now, update);
      stopOld();
    }
    onChange();
  };
  let stop = subscribe(watched, update);
  return () => {
    isStopped = true;
    stop();
  };
}

interface Watched {
  readonly file: FollowedPath;
  readonly state: FollowedPath | undefined;
  readonly entry: string | undefined;
}

function subscribe({ file, state, entry }: Watched, onChange: () => void): () => void {
  const { chain } = pathsOf(file.path, { stateDirectory: state?.path, entry });
  const isNamed = (path: string) => (name: string) => name === basename(path);
  const stops = [file.path, ...file.links, ...(state?.links ?? [])].map((each) =>
    DirectoryWatcher.subscribe(dirname(each), { concerns: isNamed(each), onChange }),
  );
  // Polling the session file's directory is enough if the chain is in it.
  const isPolled = state !== undefined;
  stops.push(DirectoryWatcher.subscribe(chain, { concerns: (name) => /^\d/.test(name), onChange }, isPolled));
  return () => {
    for (const stop of stops) stop();
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

/** A path without symbolic links, and the paths of the links that lead to it. */
interface FollowedPath {
  readonly path: string;
  readonly links: readonly string[];
}

/** Resolves the symbolic links in `path` as far as they exist. */
function followLinks(path: string): FollowedPath {
  const links: string[] = [];
  let resolved = parse(path).root;
  let rest = namesIn(path);
  for (let [name, ...below] = rest; name !== undefined; [name, ...below] = rest) {
    const next = join(resolved, name);
    const target = links.length < MAX_LINKS ? linkTarget(next) : undefined;
    if (target === undefined) resolved = next;
    else {
      links.push(next);
      if (isAbsolute(target)) resolved = parse(target).root;
    }
    rest = [...(target === undefined ? [] : namesIn(target)), ...below];
  }
  // Links in the root directory belong to the system, such as /var on macOS, where watching the root is expensive.
  return { path: resolved, links: links.filter((link) => dirname(link) !== parse(link).root) };
}

function linkTarget(path: string): string | undefined {
  try {
    return isPermitted("read", path) ? readlinkSync(path) : undefined;
  } catch {
    return undefined;
  }
}
