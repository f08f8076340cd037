import type { Clock } from "@unexpired/core";
import { randomFrom } from "./random.ts";
import type { Owner, Scheduler } from "./scheduler.ts";

/** A computer: processes on it share its wall clock and see whether one of them is gone. */
export interface Machine {
  readonly name: string;
  /** Milliseconds that its wall clock is off; may jump. */
  offset: number;
  /** Counts its starts: who ran before the last one is not known to be gone. */
  boots: number;
}

/** Where every simulated wall clock starts. */
export const EPOCH = Date.UTC(2026, 0, 1);

/** A timer that is over so soon keeps no process alive to speak of. */
const MOMENT = 100;

/** A process: a clock, timers and I/O that stand still while it is suspended and end when it dies. */
export class SimulatedProcess implements Owner {
  readonly name: string;
  readonly machine: Machine;
  readonly clock: Clock;
  readonly bornAt: number;
  state: "running" | "suspended" | "dead" = "running";
  /** Timers that would keep a real process alive. */
  keepingAlive = 0;
  #asleep = 0;
  #suspendedAt = 0;
  readonly #scheduler: Scheduler;

  constructor(name: string, machine: Machine, world: { scheduler: Scheduler; seed: number }) {
    this.name = name;
    this.machine = machine;
    this.#scheduler = world.scheduler;
    this.bornAt = world.scheduler.now;
    const random = randomFrom(Math.imul(world.seed, 31) + [...name].reduce((sum, c) => sum * 33 + c.charCodeAt(0), 7));
    this.clock = {
      now: () => EPOCH + machine.offset + Math.floor(this.#scheduler.now),
      monotonic: () => this.#scheduler.now,
      random,
      setTimer: (callback, delay, keepAlive) => this.#setTimer(callback, delay, keepAlive),
    };
  }

  get isRunning(): boolean {
    return this.state === "running";
  }

  /** Virtual milliseconds that it was not suspended, since its birth. */
  get awake(): number {
    const now = this.state === "suspended" ? this.#suspendedAt : this.#scheduler.now;
    return now - this.bornAt - this.#asleep;
  }

  /** Who it is to others: the machine tells whether a process of its own is gone. */
  get holder(): string {
    return `${this.machine.name}.${this.machine.boots}/${this.name}`;
  }

  suspend(): void {
    if (this.state !== "running") return;
    this.state = "suspended";
    this.#suspendedAt = this.#scheduler.now;
  }

  resume(): void {
    if (this.state !== "suspended") return;
    this.#asleep += this.#scheduler.now - this.#suspendedAt;
    this.state = "running";
  }

  /** Nothing of it happens any more; what it has sent is under way. */
  kill(): void {
    this.state = "dead";
    this.keepingAlive = 0;
    this.#scheduler.forget(this);
  }

  /** Does `run` in this process, `delay` from now or when the scheduler likes. */
  later(label: string, run: () => void, delay = 0): void {
    if (this.state === "dead") return;
    this.#scheduler.add({ owner: this, author: this.name, label, at: this.#scheduler.now + delay, run });
  }

  /** A call to the world that is answered by what `perform` gives. */
  call<T>(label: string, perform: () => T, delay = 0): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = () => {
        try {
          resolve(perform());
        } catch (error) {
          reject(error);
        }
      };
      this.later(label, run, delay);
    });
  }

  #setTimer(callback: () => void, delay: number, keepAlive: boolean): () => void {
    if (this.state === "dead") return () => undefined;
    const weight = keepAlive && delay > MOMENT ? 1 : 0;
    let isOver = false;
    this.keepingAlive += weight;
    const end = () => {
      if (isOver) return;
      isOver = true;
      this.keepingAlive -= weight;
    };
    const at = this.#scheduler.now + Math.max(0, delay);
    const label = `timer of ${Math.round(delay)} ms`;
    const run = () => {
      end();
      callback();
    };
    const cancel = this.#scheduler.add({ owner: this, author: this.name, label, at, run });
    return () => {
      end();
      cancel();
    };
  }
}
