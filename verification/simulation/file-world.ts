import { join } from "node:path";
import { reconcile, type TokenStore } from "@unexpired/core";
import { openFileStore } from "../../packages/store-node/src/file-store.ts";
import type { FileSystem } from "../../packages/store-node/src/filesystem.ts";
import { errnoError } from "../../packages/store-node/src/fs-errors.ts";
import type { Lock } from "../../packages/store-node/src/lock.ts";
import { pathsOf } from "../../packages/store-node/src/paths.ts";
import { FOREIGN, POWER } from "./constants.ts";
import { Disk } from "./disk.ts";
import { FILE_FAULTS, type FileFault, LINK_FAULTS, SYNC_FAULTS } from "./faults.ts";
import { fileSystemOver, type Perform } from "./filesystem.ts";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

const SESSION = "/home/state/session.json";
const LOCK_STALE = 2_000;
const LOCK_WAIT = 20;
const LOCK_TRIES = 4;
/** Long enough for others to publish and to collect numbers, too short for the draft to be collected. */
const SUSPENSION = 50_000;

/** The real file store of every process, over one simulated disk and one simulated lock. */
export class FileWorld {
  readonly disk: Disk;
  readonly place = pathsOf(SESSION);
  readonly #world: World;
  /** Whether the session was lost together with its directory, for good. */
  isLost = false;
  readonly #locks = new Map<string, { readonly process: SimulatedProcess; readonly since: number }>();
  /** Every version that was the truth. */
  readonly #true = new Set<string>();
  /** The newest version that a process was told to be stored, by the directory in which it is. */
  readonly #resolved = new Map<string, string>();
  #isAway = false;

  constructor(world: World) {
    this.#world = world;
    this.disk = new Disk(() => world.scheduler.now);
    if (!world.options.mounts) return;
    this.disk.makeDirectory(this.place.parent);
    this.disk.put(this.place.file, "");
    for (const directory of ["/home", this.place.parent]) this.disk.sync(directory);
    this.disk.mounted = this.place.file;
  }

  /** The text of the highest generation, for those who look from outside; throws where it is no complete one. */
  truth(): string | undefined {
    const { highest, text } = this.#newest();
    if (text === undefined) return undefined;
    const { id, value } = JSON.parse(text) as { id: string; value: string };
    this.#true.add(`${highest}-${id}`);
    return value;
  }

  #newest(): { highest: number; text: string | undefined } {
    const numbers = this.disk.stat(this.place.chain) ? this.disk.list(this.place.chain).map(Number) : [];
    const highest = numbers.filter((number) => number > 0).reduce((top, number) => Math.max(top, number), 0);
    return { highest, text: highest === 0 ? undefined : this.disk.textOf(join(this.place.chain, `${highest}`)) };
  }

  /** Whether the session file holds the truth. */
  get isProjected(): boolean {
    return this.truth() === this.disk.textOf(this.place.file);
  }

  /**
   * Ends every process, because the disk serves all machines. What is kept of what was not synced, and in which state, is
   * chosen at random. A save that was reported as stored is stored.
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
    invariants.require(isKept === true, "P2", () => `save ${resolved} was told to be stored, and a power cut undid it`);
  }

  #cutPowerSoon(): void {
    const { scheduler, random } = this.#world;
    const at = scheduler.now + random.pick("fault", [0, 1, 10, 100, 1_000]);
    scheduler.add({ author: POWER, label: "the power fails", at, run: () => this.cutPower() });
  }

  /** I14: takes the session's directory away. After so long it comes back with all that was in it, or empty. */
  detach(span: number, isEmpty: boolean): void {
    if (this.#isAway || !this.disk.stat(this.place.parent)) return;
    this.#world.note(
      "",
      `! the session's directory vanishes, for ${span} ms${isEmpty ? ", and comes back empty" : ""}`,
    );
    const taken = this.disk.detach(this.place.parent);
    this.#isAway = true;
    const run = () => {
      this.#isAway = false;
      // A session that began meanwhile stays: what is spent in it, nobody could know who finds the old one back.
      if (!isEmpty && this.truth() === undefined) return this.disk.attach(this.place.parent, taken);
      this.isLost = true;
      this.disk.makeDirectory(this.place.parent);
      this.disk.sync("/home");
    };
    const { scheduler } = this.#world;
    scheduler.add({ author: FOREIGN, label: "the directory is there again", at: scheduler.now + span, run });
  }

  get #directory(): string | undefined {
    return this.disk.stat(this.place.parent)?.fileId;
  }

  /** Whether the session file holds something that is no JSON. */
  get isTorn(): boolean {
    try {
      JSON.parse(this.disk.textOf(this.place.file) ?? "{}");
      return false;
    } catch {
      return true;
    }
  }

  storeFor(process: SimulatedProcess): TokenStore {
    const fs = fileSystemOver(this.disk, this.#performer(process));
    const store = openFileStore(SESSION, { fs, lock: this.#lockFor(process), reconcile });
    return {
      supports: store.supports,
      describe: () => store.describe(),
      load: () => store.load(),
      save: async (value, expected) => this.#onSaved(process, await store.save(value, expected)),
      remove: () => store.remove(),
      ...this.#world.holderFor(process),
    };
  }

  /** P6: what a process is told to be stored has been the truth. */
  #onSaved(process: SimulatedProcess, version: string): string {
    const text = () => `${process.name} was told that ${version} is stored, and it never was the truth`;
    this.#world.invariants.require(this.#true.has(version), "P6", text);
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
      if (suspended === "suspended before it is published") this.#world.suspend(process, SUSPENSION);
      const fault = this.#faultOf(call);
      const name = path.replace(/^.*\//, "").replace(/-[0-9a-f]{16}$/, "");
      const label = `${call} ${name}${fault ? ` (${fault})` : ""}`;
      const run = () => {
        if (fault && fault !== "slow disk") throw errnoError(CODES[fault]);
        if (suspended === "suspended after it is published") this.#world.suspend(process, SUSPENSION);
        return perform();
      };
      return process.call(label, run, fault === "slow disk" ? 6_000 : this.#world.latency());
    };
  }

  #faultOf(call: keyof FileSystem): FileFault | undefined {
    if (call === "syncDirectory" && this.#world.faults.draw(SYNC_FAULTS, 0.5)) {
      this.#cutPowerSoon();
      return "I/O error";
    }
    const fault = this.#world.faults.draw(FILE_FAULTS, 0.02);
    const needsRoom = ["create", "overwrite", "makeDirectory"].includes(call);
    return fault === "disk full" && !needsRoom ? undefined : fault;
  }

  /** Advisory, as the real one: a holder that stands still for two seconds is taken for gone. */
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
        this.#locks.delete(directory); // whoever's it is by now, as proper-lockfile does
      };
    };
  }
}

const CODES: Record<Exclude<FileFault, "slow disk">, string> = {
  "disk full": "ENOSPC",
  "I/O error": "EIO",
  "no permission": "EACCES",
};
