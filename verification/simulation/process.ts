import type { Clock } from "@unexpired/core";
import { randomFrom } from "./random.ts";
import type { Owner, Scheduler } from "./scheduler.ts";

/** A computer. Its processes share its wall clock, and can tell whether one of them has ended. */
export interface Machine {
  readonly name: string;
  /** The error of its wall clock in milliseconds; may jump. */
  offset: number;
  /** How often it has jumped. */
  jumps: number;
  /** For how many milliseconds its monotonic clock has stood still, because the machine slept. */
  stoodStill: number;
  /** The virtual time until which it stands still. */
  stillUntil: number;
  /** The virtual time when it wakes, or woke. */
  asleepUntil: number;
  /** Counts its boots: what became of processes from before the last one is unknown. */
  boots: number;
}

/** The start of every simulated wall clock, in epoch milliseconds. */
export const EPOCH = Date.UTC(2026, 0, 1);

/** A timer of at most this many milliseconds does not count as keeping its process alive. */
const MOMENT = 100;

interface ProcessWorld {
  readonly machine: Machine;
  readonly scheduler: Scheduler;
  readonly seed: number;
  /** The seed of its IDs. */
  readonly idSeed: number;
}

/** How the operating system identifies a process, or a thread of one. */
export interface ProcessIds {
  readonly pid: number;
  readonly tid: number;
  /** Never repeats, unlike the ids. */
  readonly startedAt: number;
}

/** A process: its clock, timers and I/O stop while it is suspended, and end when it dies. */
export class SimulatedProcess implements Owner, ProcessIds {
  readonly name: string;
  readonly machine: Machine;
  /** The boot of the machine in which it runs. */
  readonly boot: number;
  readonly pid: number;
  readonly tid: number;
  readonly startedAt: number;
  readonly clock: Clock;
  readonly bornAt: number;
  state: "running" | "suspended" | "dead" = "running";
  /** The number of timers that would keep a real process alive. */
  keepingAlive = 0;
  /** When it died, in virtual milliseconds. */
  diedAt = Number.POSITIVE_INFINITY;
  /** `true` as long as the operating system lists it, be it as a zombie. */
  exists = true;
  /** When it was last continued, or born, in virtual milliseconds. */
  continuedAt: number;
  #asleep = 0;
  #suspendedAt = 0;
  readonly #scheduler: Scheduler;

  constructor(name: string, { pid, tid, startedAt }: ProcessIds, world: ProcessWorld) {
    const { machine } = world;
    this.name = name;
    this.machine = machine;
    this.boot = machine.boots;
    [this.pid, this.tid, this.startedAt] = [pid, tid, startedAt];
    this.#scheduler = world.scheduler;
    this.bornAt = world.scheduler.now;
    this.continuedAt = this.bornAt;
    const random = randomFrom(Math.imul(world.seed, 31) + [...name].reduce((sum, c) => sum * 33 + c.charCodeAt(0), 7));
    const ids = randomFrom(world.idSeed);
    this.clock = {
      now: () => EPOCH + machine.offset + Math.floor(this.#scheduler.now),
      monotonic: () => Math.max(this.#scheduler.now, machine.stillUntil) - machine.stoodStill,
      random,
      randomId: () => `${ids()}`,
      setTimer: (callback, delay, keepAlive) => this.#setTimer(callback, delay, keepAlive),
    };
  }

  get isRunning(): boolean {
    return this.state === "running";
  }

  /** The virtual milliseconds since its start during which it was not suspended. */
  get awake(): number {
    const now = this.state === "suspended" ? this.#suspendedAt : this.#scheduler.now;
    return now - this.bornAt - this.#asleep;
  }

  suspend(): void {
    if (this.state !== "running") return;
    this.state = "suspended";
    this.#suspendedAt = this.#scheduler.now;
  }

  resume(): void {
    if (this.state !== "suspended") return;
    this.#asleep += this.#scheduler.now - this.#suspendedAt;
    this.continuedAt = this.#scheduler.now;
    this.state = "running";
  }

  /** Ends it: none of its events happen any more. Requests that it has sent still arrive. */
  kill({ isZombie = false } = {}): void {
    this.state = "dead";
    this.exists = isZombie;
    this.diedAt = this.#scheduler.now;
    this.keepingAlive = 0;
    this.#scheduler.forget(this);
  }

  /** Whether anything keeps it from ending: a timer, or I/O. */
  get isKeptAlive(): boolean {
    return this.#scheduler
      .pendingOf(this, { inTransit: true })
      .some(({ isTimer, keepsAlive }) => !isTimer || keepsAlive);
  }

  /** Schedules `run` in this process, at the earliest `delay` milliseconds from now. */
  later(label: string, run: () => void, delay = 0): void {
    if (this.state === "dead") return;
    this.#scheduler.add({ owner: this, author: this.name, label, at: this.#scheduler.now + delay, run });
  }

  /** Calls the outside world: as one event, performs the call and settles with its result. */
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
    // A timer that is set in the moment in which the machine falls asleep is due that much later, like all others.
    const at = Math.max(this.#scheduler.now, this.machine.stillUntil) + Math.max(0, delay);
    const label = `timer of ${Math.round(delay)} ms`;
    const run = () => {
      end();
      callback();
    };
    const cancel = this.#scheduler.add({
      owner: this,
      author: this.name,
      label,
      at,
      run,
      isTimer: true,
      keepsAlive: keepAlive,
    });
    return () => {
      end();
      cancel();
    };
  }
}
