import type { FileSystem } from "./filesystem.ts";
import { KnownFiles } from "./known-files.ts";
import type { SessionPaths } from "./paths.ts";
import { discardStagedFile, installSessionFile, stageSessionFile } from "./session-file.ts";
import { isOutdated, type Snapshot, type SnapshotReader } from "./snapshot.ts";

const MAX_REPAIRS = 4;

/** Rewrites an outdated session file from the chain. */
export class SessionFileRepairer {
  readonly #fs: FileSystem;
  readonly #reader: SnapshotReader;

  constructor(fs: FileSystem, reader: SnapshotReader) {
    this.#fs = fs;
    this.#reader = reader;
  }

  /** Returns the snapshot after the repair. Failure is harmless: the chain alone holds the session. */
  async repair(snapshot: Snapshot): Promise<Snapshot> {
    if (!isOutdated(snapshot)) return snapshot;
    const holds: string[] = [];
    let latest = snapshot;
    for (let attempt = 0; attempt < MAX_REPAIRS && isOutdated(latest); attempt++) {
      if (!(await this.#rewriteFile(latest, holds))) break;
      latest = await this.#reader.read(latest.paths);
    }
    for (const path of holds) await this.#fs.unlink(path).catch(() => undefined);
    await this.collectMarks(snapshot.paths).catch(() => undefined);
    return isOutdated(latest) ? { ...latest, status: "current" } : latest; // what cannot be repaired is not tried again
  }

  /** Forgets the session files that were replaced. */
  collectMarks(paths: SessionPaths): Promise<void> {
    return new KnownFiles(this.#fs, paths.chain).collect(() => this.#reader.markOfFile(paths));
  }

  /** Returns `false` if the session file cannot be written. */
  async #rewriteFile(snapshot: Snapshot, holds: string[]): Promise<boolean> {
    const { head, paths } = snapshot;
    const staged = head && (await stageSessionFile(this.#fs, paths, head.value).catch(() => undefined));
    if (!staged) return false;
    try {
      if (!(await this.#reader.isCurrent(snapshot))) return true;
      return (await installSessionFile(this.#fs, snapshot, staged)) !== undefined;
    } finally {
      holds.push(...staged.holds);
      await discardStagedFile(this.#fs, staged).catch(() => undefined);
    }
  }
}
