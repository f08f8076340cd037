import { join } from "node:path";
import { reconcile, type TokenStore } from "@unexpired/core";
import { openFileStore } from "../packages/store-node/src/file-store.ts";
import type { Lock } from "../packages/store-node/src/lock.ts";
import { placeOf } from "../packages/store-node/src/paths.ts";
import { errnoError } from "../packages/store-node/src/problems.ts";
import { FILE_FAULTS, type FileFault } from "./faults.ts";
import { Disk, fileSystemOver, type Perform } from "./filesystem.ts";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

const SESSION = "/home/state/session.json";
const LOCK_STALE = 2_000;
const LOCK_WAIT = 60;

/** The real file store of every process, over one simulated disk and one simulated lock. */
export class FileWorld {
  readonly disk: Disk;
  readonly place = placeOf(SESSION);
  readonly #world: World;
  readonly #locks = new Map<string, { readonly process: SimulatedProcess; readonly since: number }>();

  constructor(world: World) {
    this.#world = world;
    this.disk = new Disk(() => world.scheduler.now);
  }

  /** The text of the highest generation, for those who look from outside; throws where it is no complete one. */
  truth(): string | undefined {
    const numbers = this.disk.stat(this.place.chain) ? this.disk.list(this.place.chain).map(Number) : [];
    const highest = numbers.filter((number) => number > 0).reduce((top, number) => Math.max(top, number), 0);
    const text = highest === 0 ? undefined : this.disk.textOf(join(this.place.chain, `${highest}`));
    return text === undefined ? undefined : (JSON.parse(text) as { value: string }).value;
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
      save: (value, expected) => store.save(value, expected),
      remove: () => store.remove(),
      ...this.#world.holderFor(process),
    };
  }

  #performer(process: SimulatedProcess): Perform {
    return (call, path, perform) => {
      const drawn = this.#world.faults.draw(FILE_FAULTS, 0.05);
      const fault =
        drawn === "disk full" && !["create", "overwrite", "makeDirectory"].includes(call) ? undefined : drawn;
      const name = path.replace(/^.*\//, "").replace(/-[0-9a-f]{16}$/, "");
      const label = `${call} ${name}${fault ? ` (${fault})` : ""}`;
      const run = () => {
        if (fault && fault !== "slow disk") throw errnoError(CODES[fault]);
        return perform();
      };
      return process.call(label, run, fault === "slow disk" ? 6_000 : this.#world.latency());
    };
  }

  /** Advisory, as the real one: a holder that stands still for two seconds is taken for gone. */
  #lockFor(process: SimulatedProcess): Lock {
    return async (directory, { wait }) => {
      const isTaken = () => {
        const held = this.#locks.get(directory);
        return held !== undefined && this.#world.scheduler.now - held.since < LOCK_STALE;
      };
      await process.call("lock", () => undefined, this.#world.latency());
      if (isTaken() && wait) await process.call("wait for the lock", () => undefined, LOCK_WAIT);
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
