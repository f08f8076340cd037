import type { FileSystem } from "./filesystem.ts";
import { isNoSession } from "./fs-errors.ts";
import { KnownFiles } from "./known-files.ts";
import type { SessionPaths } from "./paths.ts";
import { discardStagedFile, installSessionFile, stageSessionFile } from "./session-file.ts";
import { isOutdated, type Snapshot, type SnapshotReader } from "./snapshot.ts";

const MAX_REPAIRS = 4;
const SETTLED_AFTER = 1_000; // ms

/** Rewrites an outdated session file from the chain. */
export class SessionFileRepairer {
  readonly #fs: FileSystem;
  readonly #reader: SnapshotReader;

  constructor(fs: FileSystem, reader: SnapshotReader) {
    this.#fs = fs;
    this.#reader = reader;
  }

  /** Whether the session file is outdated and may be replaced. */
  isRepairable(snapshot: Snapshot): boolean {
    return isOutdated(snapshot) && this.isReplaceable(snapshot);
  }

  /**
   * Whether a save may replace the session file. What is out of reach may be another session, and what was torn a moment
   * ago may be one that another program is writing.
   */
  isReplaceable({ status, failure, fileStamp }: Snapshot): boolean {
    if (failure) return isNoSession(failure);
    const age = this.#fs.now() - Number((fileStamp?.modified ?? 0n) / 1_000_000n);
    return status !== "torn" || Math.abs(age) >= SETTLED_AFTER; // a clock that was put back makes no file recent
  }

  /** Returns the snapshot after the repair. Failure is harmless: the chain alone holds the session. */
  async repair(snapshot: Snapshot): Promise<Snapshot> {
    if (!this.isRepairable(snapshot)) return snapshot;
    const holds: string[] = [];
    let latest = snapshot;
    for (let attempt = 0; attempt < MAX_REPAIRS && this.isRepairable(latest); attempt++) {
      if (!(await this.#rewriteFile(latest, holds))) break;
      latest = await this.#reader.read(latest.paths);
    }
    for (const path of holds) await this.#fs.unlink(path).catch(() => undefined);
    await this.collectMarks(snapshot.paths).catch(() => undefined);
    return this.isRepairable(latest) ? { ...latest, status: "current" } : latest; // if it fails, it is not tried again
  }

  /** Forgets the session files that were replaced. */
  collectMarks(paths: SessionPaths): Promise<void> {
    return new KnownFiles(this.#fs, paths.chain).collect(
      () => this.#reader.markOfFile(paths),
      () => this.#fs.syncDirectory(paths.parent),
    );
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
