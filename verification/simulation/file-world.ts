import { join } from "node:path";
import type { TokenStore } from "@unexpired/core";
import * as sessionRecord from "@unexpired/core/session-record";
import { type FileStoreDeps, openFileStore } from "../../packages/store-node/src/file-store.ts";
import type { FileSystem } from "../../packages/store-node/src/filesystem.ts";
import { errnoError } from "../../packages/store-node/src/fs-errors.ts";
import { digestOf } from "../../packages/store-node/src/generations.ts";
import type { Lock } from "../../packages/store-node/src/lock.ts";
import { pathsOf, type SessionPaths } from "../../packages/store-node/src/paths.ts";
import { FOREIGN, POWER } from "./constants.ts";
import { Disk } from "./disk.ts";
import { type DocumentFault, FILE_FAULTS, type FileFault, LINK_FAULTS, SYNC_FAULTS } from "./faults.ts";
import { fileSystemOver, type Perform } from "./filesystem.ts";
import type { SimulatedProcess } from "./process.ts";
import { SwitchInvariants } from "./switch-invariants.ts";
import type { World } from "./world.ts";

const SESSION = "/home/state/session.json";
const LOCK_STALE = 2_000;
const LOCK_WAIT = 20;
const LOCK_TRIES = 4;
/** In milliseconds: others can publish and collect generations in it, but the draft is not collected yet. */
const SUSPENSION = 50_000;

/** A call of the file system that a process makes. */
export interface FileCall {
  readonly name: keyof FileSystem;
  readonly path: string;
  readonly process: SimulatedProcess;
  /** Whether it took seconds, in which the same process may have done something else. */
  readonly isSlow?: boolean;
}

/** The real file store for every process, over one simulated disk and one simulated lock. */
export class FileWorld {
  readonly disk: Disk;
  readonly paths: SessionPaths;
  readonly switches = new SwitchInvariants(this, () => this.#world.invariants);
  readonly #world: World;
  /** Whether the session was lost for good together with its directory. */
  isLost = false;
  readonly #locks = new Map<string, { readonly process: SimulatedProcess; readonly since: number }>();
  /** Every version that was the newest one at some time. */
  readonly #versions = new Set<string>();
  /** The last result of `truth()`, which is called after each step. */
  #truth: { readonly text: string; readonly value: string } | undefined;
  /** The newest version that was reported to a process as stored, by the directory that holds it. */
  readonly #resolved = new Map<string, string>();
  #isAway = false;

  constructor(world: World, paths: SessionPaths = pathsOf(SESSION)) {
    this.#world = world;
    this.paths = paths;
    this.disk = new Disk(() => world.scheduler.now);
    if (!world.options.mounts) return;
    this.disk.makeDirectory(this.paths.parent);
    this.disk.put(this.paths.file, "");
    for (const directory of ["/home", this.paths.parent]) this.disk.sync(directory);
    this.disk.mounted = this.paths.file;
  }

  /** Returns the stored record of the highest generation. Throws if that generation is incomplete. */
  truth(): string | undefined {
    const { highest, text } = this.#newest();
    if (text === undefined) return undefined;
    if (text !== this.#truth?.text) {
      const { id, value } = JSON.parse(text) as { id: string; value: string };
      this.#versions.add(`${highest}-${id}`);
      this.#truth = { text, value };
    }
    const { value } = this.#truth;
    this.switches.onStored(value);
    return value;
  }

  /** Whether the highest generation knowingly replaced a text of another program, as a sign-in may. */
  replaces(text: string): boolean {
    return this.#past.slice(-2).includes(`.${digestOf(text)}`);
  }

  /** The same for a session of another program, by its mark. */
  replacesSession(mark: string): boolean {
    return this.#past.includes(`@${mark}`);
  }

  get #past(): readonly string[] {
    return (JSON.parse(this.#newest().text ?? '{"past":[]}') as { past: string[] }).past;
  }

  #newest(): { highest: number; text: string | undefined } {
    const numbers = this.disk.stat(this.paths.chain) ? this.disk.list(this.paths.chain).map(Number) : [];
    const highest = numbers.filter((number) => number > 0).reduce((top, number) => Math.max(top, number), 0);
    return { highest, text: highest === 0 ? undefined : this.disk.textOf(join(this.paths.chain, `${highest}`)) };
  }

  /** Whether the session file is equal to the newest generation. */
  get isProjected(): boolean {
    return this.truth() === this.disk.textOf(this.paths.file);
  }

  /**
   * Ends every process, because the disk serves all machines. How much of the unsynced data survives, and in which
   * state, is random. P2: a save that was reported as stored survives.
   */
  cutPower(): void {
    const { random, invariants, living, machines } = this.#world;
    for (const victim of living) {
      this.#world.note("", `! ${victim.name} dies`);
      victim.kill();
    }
    for (const machine of machines) machine.boots++;
    const resolved = this.#resolved.get(this.#directory ?? "");
    const lost = random.choose("fault", this.disk.unsynced + 1);
    const [kept, filled] = [random.pick("fault", [1, 0, 0.5, 0.9]), random.pick("fault", ["", "\0"])];
    this.disk.cutPower(lost, (text) => {
      const rest = text.slice(0, Math.floor(text.length * kept));
      return rest.padEnd(filled === "" ? 0 : text.length, filled);
    });
    if (resolved === undefined) return;
    const { highest, text } = this.#newest();
    const isKept = highest > Number.parseInt(resolved, 10) || text?.includes(resolved.replace(/^\d+-/, ""));
    invariants.require(
      isKept === true,
      "P2",
      () => `save ${resolved} was reported as stored, and a power failure undid it`,
    );
  }

  #cutPowerSoon(): void {
    const { scheduler, random } = this.#world;
    const at = scheduler.now + random.pick("fault", [0, 1, 10, 100, 1_000]);
    scheduler.add({ author: POWER, label: "the power fails", at, run: () => this.cutPower() });
  }

  /** I14: removes the session's directory. After `span` milliseconds it comes back with its content, or empty. */
  detach(span: number, isEmpty: boolean): void {
    if (this.#isAway || !this.disk.stat(this.paths.parent)) return;
    this.#world.note(
      "",
      `! the session's directory vanishes, for ${span} ms${isEmpty ? ", and comes back empty" : ""}`,
    );
    const taken = this.disk.detach(this.paths.parent);
    this.#isAway = true;
    const run = () => {
      this.#isAway = false;
      // A session that began in the meantime stays: if the old one replaced it, its spent tokens would be unknown.
      if (!isEmpty && this.truth() === undefined) return this.disk.attach(this.paths.parent, taken);
      this.isLost = true;
      this.disk.makeDirectory(this.paths.parent);
      this.disk.sync("/home");
    };
    const { scheduler } = this.#world;
    scheduler.add({ author: FOREIGN, label: "the directory is back", at: scheduler.now + span, run });
  }

  get #directory(): string | undefined {
    return this.disk.stat(this.paths.parent)?.fileId;
  }

  /** Whether the session file is not valid JSON. */
  get isTorn(): boolean {
    try {
      JSON.parse(this.disk.textOf(this.paths.file) ?? "{}");
      return false;
    } catch {
      return true;
    }
  }

  storeFor(process: SimulatedProcess): TokenStore {
    const fs = fileSystemOver(this.disk, this.#performer(process));
    const store = this.open(process, { fs, lock: this.#lockFor(process) });
    return {
      ...(this.canWatch && { watch: (onChange) => store.watch?.(onChange) ?? (() => {}) }),
      supports: store.supports,
      describe: () => store.describe(),
      load: () => store.load(),
      save: async (value, expected) => this.#onSaved(process, await store.save(value, expected)),
      remove: () => store.remove(),
      ...this.#world.holderFor(process),
    };
  }

  /** Whether processes learn of changes that others make. The file store watches a real disk. */
  protected get canWatch(): boolean {
    return false;
  }

  /** Creates the store of a process. */
  protected open(_process: SimulatedProcess, deps: Pick<FileStoreDeps, "fs" | "lock">): TokenStore {
    return openFileStore(this.paths.file, { ...deps, rules: sessionRecord });
  }

  /** Performs a call of a process, and checks it. */
  protected perform<T>({ name, path, process }: FileCall, run: () => T): T {
    this.switches.before(name, path, process.name);
    return run();
  }

  /** P6: every version that is reported to a process as stored was the newest one. */
  #onSaved(process: SimulatedProcess, version: string): string {
    const text = () => `${process.name} was told that ${version} is stored, but it never was the newest version`;
    this.#world.invariants.require(this.#versions.has(version), "P6", text);
    const [directory, number] = [this.#directory, Number.parseInt(version, 10)];
    const isHere = directory !== undefined && this.#newest().highest >= number;
    if (isHere && number >= Number.parseInt(this.#resolved.get(directory) ?? "0", 10)) {
      this.#resolved.set(directory, version);
    }
    return version;
  }

  #performer(process: SimulatedProcess): Perform {
    return (call, path, perform) => {
      const suspended = call === "link" ? this.#world.faults.draw(LINK_FAULTS, 0.3) : undefined;
      if (suspended === "suspended before publishing") this.#world.suspend(process, SUSPENSION);
      const fault = this.#faultOf(call) ?? this.faultOf(call, path);
      const name = path.replace(/^.*\//, "").replace(/-[0-9a-f]{16}$/, "");
      const label = `${call} ${name}${fault ? ` (${fault})` : ""}`;
      const run = () => {
        if (fault && fault !== "slow disk") throw errnoError(CODES[fault]);
        if (suspended === "suspended after publishing") this.#world.suspend(process, SUSPENSION);
        return this.perform({ name: call, path, process, isSlow: fault === "slow disk" }, perform);
      };
      return process.call(label, run, fault === "slow disk" ? 6_000 : this.#world.latency());
    };
  }

  /** Draws a fault of a call that only this kind of world has. */
  protected faultOf(_call: keyof FileSystem, _path: string): DocumentFault | undefined {
    return undefined;
  }

  #faultOf(call: keyof FileSystem): FileFault | undefined {
    if (call === "syncDirectory" && this.#world.faults.draw(SYNC_FAULTS, 0.5)) {
      this.#cutPowerSoon();
      return "I/O error";
    }
    const needsRoom = ["create", "overwrite", "makeDirectory"].includes(call);
    const drawn = this.#world.faults.draw(FILE_FAULTS, 0.02);
    if (drawn === "disk stays full") this.#world.breakStore();
    const fault = this.#world.isStoreBroken ? "disk full" : drawn;
    return fault === "disk full" && !needsRoom ? undefined : fault;
  }

  /** Whether a process holds the lock of a directory. */
  isLocked(directory: string, process: SimulatedProcess): boolean {
    return this.#locks.get(directory)?.process === process;
  }

  /** Advisory, like the real one: the lock of a holder that is suspended for two seconds becomes stale. */
  #lockFor(process: SimulatedProcess): Lock {
    return async (directory, { wait }) => {
      const isTaken = () => {
        const held = this.#locks.get(directory);
        return held !== undefined && this.#world.scheduler.now - held.since < LOCK_STALE;
      };
      await process.call("lock", () => undefined, this.#world.latency());
      for (let tries = 1; isTaken() && wait && tries < LOCK_TRIES; tries++) {
        await wait();
        await process.call("wait for the lock", () => undefined, LOCK_WAIT);
      }
      if (isTaken()) return undefined;
      const mine = { process, since: this.#world.scheduler.now };
      this.#locks.set(directory, mine);
      return async () => {
        await process.call("unlock", () => undefined, this.#world.latency());
        this.#locks.delete(directory); // even if it is another process's lock by now, as proper-lockfile does
      };
    };
  }
}

const CODES: Record<Exclude<FileFault | DocumentFault, "slow disk">, string> = {
  "disk full": "ENOSPC",
  "disk stays full": "ENOSPC",
  "I/O error": "EIO",
  "no permission": "EACCES",
  "document busy": "EBUSY",
};
