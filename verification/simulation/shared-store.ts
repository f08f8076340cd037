import { StoreConflictError, type StoredValue, type TokenStore } from "@unexpired/core";
import { LOAD_FAULTS, SAVE_FAULTS, type SaveFault } from "./faults.ts";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

const PLACE = "The simulated store";
const SLOW = [800, 6_000, 20_000];

/** One string with compare-and-set, shared by processes of several machines over a network. */
export class SharedStore {
  current: StoredValue | undefined;
  /** The number of failovers. What was sent before one does not arrive after it. */
  protected failovers = 0;
  readonly #world: World;
  #saves = 0;
  readonly #watchers = new Map<object, Watcher>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Returns the stored string without a simulated call. */
  truth(): string | undefined {
    return this.current?.value;
  }

  /** Writes without comparing versions, as another program would. */
  put(value: string | undefined): string {
    const version = `${++this.#saves}`;
    this.current = value === undefined ? undefined : { value, version };
    for (const watcher of this.#watchers.values()) this.announce(watcher);
    return version;
  }

  protected announce({ process, onChange }: Watcher): void {
    process.later("notice a change", () => this.notify({ process, onChange }), this.#world.latency());
  }

  protected notify({ process, onChange }: Watcher): void {
    onChange();
    this.#world.invariants.callers.notices.onNotified(process);
  }

  protected watchersOf(process: SimulatedProcess): readonly Watcher[] {
    return [...this.#watchers.values()].filter((watcher) => watcher.process === process);
  }

  /** Returns the stored string as another process would save it that has changed nothing. */
  protected rewritten({ value }: StoredValue): string {
    return value;
  }

  storeFor(process: SimulatedProcess): TokenStore {
    return {
      supports: { compareAndSet: "cluster", durable: true },
      describe: () => PLACE,
      load: () => this.#load(process),
      save: (value, expected) => this.#save(process, value, expected),
      remove: () => this.#send(process, () => void this.put(undefined), { label: "remove" }),
      ...(this.#world.options.watches ? { watch: (onChange) => this.#watch(process, onChange) } : {}),
      ...this.#world.holderFor(process),
    };
  }

  #watch(process: SimulatedProcess, onChange: () => void): () => void {
    const key = {};
    this.#watchers.set(key, { process, onChange });
    return () => this.#watchers.delete(key);
  }

  #load(process: SimulatedProcess): Promise<StoredValue | undefined> {
    const fault = this.#world.faults.draw(LOAD_FAULTS, 0.05);
    return this.#send(
      process,
      () => {
        if (this.#world.isStoreBroken) throw new Error("the store does not respond");
        if (fault === "unreadable") throw new Error("the store is unreadable");
        return this.current && { ...this.current };
      },
      { label: "load", fault },
    );
  }

  #save(process: SimulatedProcess, value: string, expected: string | undefined): Promise<string> {
    const fault = this.#world.faults.draw(SAVE_FAULTS);
    if (fault === "store goes out of order") this.#world.breakStore();
    return this.#send(process, () => this.#compareAndSet(value, expected, fault), { label: "save", fault });
  }

  #compareAndSet(value: string, expected: string | undefined, fault: SaveFault | undefined): string {
    if (this.#world.isStoreBroken || fault === "save fails" || fault === "outcome unknown: not saved")
      throw new Error(`failed to write ${value}`);
    if (fault === "conflict" && this.current) this.put(this.rewritten(this.current));
    if (this.current?.version !== expected) throw new StoreConflictError(PLACE);
    const version = this.put(value);
    if (fault === "outcome unknown: saved") throw new Error(`no response to the write of ${value}`);
    return version;
  }

  /** A request over the network. Its effect and its response are two events: the caller may die in between. */
  #send<T>(process: SimulatedProcess, request: () => T, { label, fault }: Call): Promise<T> {
    const { scheduler, random } = this.#world;
    const { failovers } = this;
    const effect = () => {
      if (failovers !== this.failovers) throw new Error("the connection was lost");
      return request();
    };
    return new Promise((resolve, reject) => {
      if (!process.isRunning) return;
      const run = () => {
        const outcome = this.#arrive(process, effect, fault);
        if (outcome) process.later(`response to ${label}`, () => outcome.settle(resolve, reject), this.#delay(fault));
      };
      const delay = fault?.startsWith("slow") ? random.pick("fault", SLOW) : this.#world.latency();
      const name = fault ? `${label} (${fault})` : label;
      scheduler.add({ author: process.name, label: name, at: scheduler.now + delay, run });
    });
  }

  /** Returns what the response says; `undefined` if none arrives. */
  #arrive<T>(process: SimulatedProcess, effect: () => T, fault = ""): Settled<T> | undefined {
    const isLost = fault.endsWith("never ends");
    if (isLost && this.#world.random.choose("fault", 2) === 0) return undefined;
    const outcome = outcomeOf(effect);
    if (fault === "suspended before the response") this.#world.suspend(process, 40_000);
    return isLost ? undefined : outcome;
  }

  #delay(fault = ""): number {
    const isSlowBack = fault.startsWith("slow") && this.#world.random.choose("fault", 2) === 1;
    return isSlowBack ? this.#world.random.pick("fault", SLOW) : this.#world.latency();
  }
}

export interface Watcher {
  readonly process: SimulatedProcess;
  readonly onChange: () => void;
}

interface Call {
  readonly label: string;
  readonly fault?: string | undefined;
}

interface Settled<T> {
  settle(resolve: (value: T) => void, reject: (error: unknown) => void): void;
}

function outcomeOf<T>(effect: () => T): Settled<T> {
  try {
    const value = effect();
    return { settle: (resolve) => resolve(value) };
  } catch (error) {
    return { settle: (_, reject) => reject(error) };
  }
}
