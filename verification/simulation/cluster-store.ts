import type { StoredValue, TokenStore } from "@unexpired/core";
import { parseRecord } from "../../packages/core/src/record/record.ts";
import { extendPast } from "../../packages/core/src/record/rollback.ts";
import { FAILOVER, SETTLE_TIME } from "./constants.ts";
import { parseRaw, withoutRequirement } from "./later-release.ts";
import type { SimulatedProcess } from "./process.ts";
import { SharedStore, type Watcher } from "./shared-store.ts";
import type { World } from "./world.ts";

const STARTS = [0, 0, 1, 3, 10, 50, 900, 4_000, 20_000];
/** How long after a write the store fails over, in milliseconds, and how many of its writes are lost. */
const DELAYS = [20, 0, 1, 3, 10, 50, 200, 1_000];
const LOST = [1, 1, 1, 2, 3, 5];

/** The connection of a process that a failover has broken. */
interface Connection {
  isOpen: boolean;
  /** When it was opened again, in virtual milliseconds. */
  openedAt: number;
  readonly waiting: Set<() => void>;
}

/** A shared store with a replica that takes over without the last writes. */
export class ClusterStore extends SharedStore {
  readonly #world: World;
  readonly #reconnectsWithin: number;
  readonly #history: (StoredValue | undefined)[] = [undefined];
  readonly #connections = new Map<SimulatedProcess, Connection>();
  /** The functions that reject the saves in flight. */
  readonly #saving = new Map<SimulatedProcess, Set<() => void>>();
  /** The failovers that happen after the next write: after how many milliseconds, and how many writes are lost. */
  #planned: { readonly delay: number; readonly lost: number }[] = [];

  constructor(world: World, reconnectsWithin: number) {
    super(world);
    this.#world = world;
    this.#reconnectsWithin = reconnectsWithin;
  }

  /** Plans the failovers of a round: each follows the next write after a random time. */
  plan(start: number): void {
    const { random, scheduler } = this.#world;
    for (let count = random.choose("failover", 3); count > 0; count--) {
      const at = start + random.pick("failover", STARTS);
      const planned = { delay: random.pick("failover", DELAYS), lost: random.pick("failover", LOST) };
      scheduler.add({ author: FAILOVER, label: "is near", at, run: () => this.#planned.push(planned) });
    }
  }

  /** No more failovers. */
  calm(): void {
    this.#planned = [];
  }

  override put(value: string | undefined): string {
    const version = super.put(value);
    this.#history.push(this.current);
    for (const { delay, lost } of this.#planned.splice(0)) {
      const at = this.#world.scheduler.now + delay;
      this.#world.scheduler.add({ author: FAILOVER, label: "fails over", at, run: () => this.failOver(lost) });
    }
    return version;
  }

  protected override rewritten({ value, version }: StoredValue): string {
    const record = parseRecord(withoutRequirement(value), "the store");
    return JSON.stringify({ ...parseRaw(value), past: extendPast(record, { record, version }) });
  }

  override storeFor(process: SimulatedProcess): TokenStore {
    const store = super.storeFor(process);
    return {
      ...store,
      load: async () => {
        await this.#connected(process);
        const found = await store.load();
        this.#world.invariants.failovers.onKnown(process, found?.version);
        return found;
      },
      save: async (value, expected) => {
        await this.#connected(process);
        const version = await this.#unlessBroken(process, store.save(value, expected));
        this.#world.invariants.failovers.onKnown(process, version);
        return version;
      },
      settled: () => this.#settled(process),
    };
  }

  /** A replica takes over that lacks the last writes. */
  failOver(count: number): void {
    const lost = this.#history.splice(Math.max(1, this.#history.length - count));
    if (lost.length === 0 || !this.#world.faults.isOn) return;
    this.failovers++;
    this.#world.note("", `! the store fails over, and loses ${lost.length} writes`);
    this.current = this.#history.at(-1);
    const { injected } = this.#world.faults;
    injected.failover = (injected.failover ?? 0) + 1;
    this.#world.invariants.failovers.onFailover(lost);
    for (const process of this.#world.living) this.#disconnect(process);
  }

  protected override announce(watcher: Watcher): void {
    if (this.#connections.get(watcher.process)?.isOpen !== false) super.announce(watcher);
  }

  /** Whether a manager of the process still listens to the store. */
  isWatching(process: SimulatedProcess): boolean {
    return this.watchersOf(process).length > 0;
  }

  #disconnect(process: SimulatedProcess): void {
    const connection = this.#connections.get(process) ?? { isOpen: false, openedAt: 0, waiting: new Set() };
    const wasOpen = !this.#connections.has(process) || connection.isOpen;
    this.#connections.set(process, connection);
    connection.isOpen = false;
    for (const end of this.#saving.get(process) ?? []) process.later("connection lost", end);
    const span = this.#world.random.choose("failover", this.#reconnectsWithin);
    if (wasOpen) process.later("reconnects", () => this.#reconnect(process, connection), span);
  }

  #reconnect(process: SimulatedProcess, connection: Connection): void {
    connection.isOpen = true;
    connection.openedAt = this.#world.scheduler.now;
    for (const wake of connection.waiting) wake();
    connection.waiting.clear();
    for (const watcher of this.watchersOf(process)) this.notify(watcher);
    this.#world.invariants.failovers.onReconnected(process);
  }

  async #connected(process: SimulatedProcess): Promise<void> {
    for (;;) {
      const connection = this.#connections.get(process);
      if (!connection || connection.isOpen) return;
      await new Promise<void>((resolve) => connection.waiting.add(resolve));
    }
  }

  async #settled(process: SimulatedProcess): Promise<void> {
    for (;;) {
      await this.#connected(process);
      const settledAt = (this.#connections.get(process)?.openedAt ?? -SETTLE_TIME) + SETTLE_TIME;
      const left = settledAt - this.#world.scheduler.now;
      if (left <= 0) return;
      await new Promise<void>((resolve) => process.later("settles", resolve, left));
    }
  }

  /** Rejects if the store fails over before it responds. */
  #unlessBroken(process: SimulatedProcess, save: Promise<string>): Promise<string> {
    const saving = this.#saving.get(process) ?? new Set();
    this.#saving.set(process, saving);
    return new Promise((resolve, reject) => {
      const end = () => reject(new Error("the connection was lost"));
      saving.add(end);
      save.then(resolve, reject).finally(() => saving.delete(end));
    });
  }
}
