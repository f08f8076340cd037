import type { TokenStore } from "@unexpired/core";
import { identityOn } from "../../packages/store-node/src/process-identity.ts";
import { ClusterStore } from "./cluster-store.ts";
import { DocumentWorld } from "./document-world.ts";
import { type AnyFault, Faults } from "./faults.ts";
import { FileWorld } from "./file-world.ts";
import { Invariants } from "./invariants.ts";
import { asLaterRelease, withoutRequirement } from "./later-release.ts";
import { systemFor } from "./operating-system.ts";
import { EPOCH, type Machine, type ProcessIds, SimulatedProcess } from "./process.ts";
import type { Random } from "./random.ts";
import { Scheduler, settle } from "./scheduler.ts";
import { AuthorizationServer } from "./server.ts";
import { SharedStore } from "./shared-store.ts";
import type { WorldOptions } from "./world-options.ts";

const POLLING = /^(timer|load|response to load|stat|list|read|is )/;
const FIRST_PID = 100;
const WAKING = [0, 0, 10, 300];
const OUTAGES = [4_000, 300, 1_500, 12_000, 60_000];
const LATENCIES = [0, 0, 0, 1, 2, 4, 9, 40];

/** Processes, machines, a store, a server and a network, in virtual time. */
export class World {
  readonly options: WorldOptions;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly server: AuthorizationServer;
  readonly store: SharedStore | FileWorld;
  readonly machines: readonly Machine[];
  readonly invariants: Invariants;
  readonly trace: string[] = [];
  /** The refresh token of the first sign-in. */
  seed: string | undefined;
  steps = 0;
  isTracing = false;
  /** The author of the last event. */
  lastAuthor = "";
  /** Whether that event was only polling, which waiting processes do hundreds of times. */
  isPolling = false;
  /** Whether the later release requires that every process knows what it adds to records. */
  isUpdateRequired = false;
  #isSkewed: boolean;
  #brokenUntil = 0;
  /** Whether the faults have ended: one that was drawn before has no effect any more. */
  #isCalm = false;
  readonly #later = new Set<SimulatedProcess>();
  #isUpdated = false;
  readonly #processes = new Map<string, SimulatedProcess>();

  constructor(options: WorldOptions, random: Random, faults?: readonly AnyFault[]) {
    this.options = options;
    this.random = random;
    this.scheduler = new Scheduler(random);
    this.faults = new Faults(random, faults);
    const { graceSeconds, revokesOnReuse, lifetime, machines, skew } = options;
    this.server = new AuthorizationServer({ graceSeconds, revokesOnReuse, lifetime }, () => this.scheduler.now);
    this.machines = Array.from({ length: machines }, (_, index) => ({
      name: `m${index}`,
      offset: index * skew,
      jumps: 0,
      boots: 1,
      stoodStill: 0,
      stillUntil: 0,
      asleepUntil: 0,
    }));
    this.#isSkewed = skew !== 0;
    this.store = this.#createStore();
    this.invariants = new Invariants(this);
  }

  /** The world's document, if the session is in one. */
  get documents(): DocumentWorld | undefined {
    return this.store instanceof DocumentWorld ? this.store : undefined;
  }

  /** Whether a document has lost the session, or a failover has left the store empty. */
  get isSessionLost(): boolean {
    return this.documents?.isLost === true || this.invariants.failovers.hasEmptied;
  }

  /** The world's store, if it fails over. */
  get cluster(): ClusterStore | undefined {
    return this.store instanceof ClusterStore ? this.store : undefined;
  }

  #createStore(): SharedStore | FileWorld {
    if (this.options.document !== "none") return new DocumentWorld(this);
    if (this.options.reconnectsWithin !== undefined) return new ClusterStore(this, this.options.reconnectsWithin);
    return this.options.kind === "file" ? new FileWorld(this) : new SharedStore(this);
  }

  get living(): readonly SimulatedProcess[] {
    return this.processes.filter(({ state }) => state !== "dead");
  }

  get processes(): readonly SimulatedProcess[] {
    return [...this.#processes.values()];
  }

  find(name: string): SimulatedProcess | undefined {
    return this.#processes.get(name);
  }

  /** Whether any fault has occurred so far. */
  get hasFaults(): boolean {
    return this.isSkewed || Object.keys(this.faults.injected).length > 0;
  }

  /** Whether clocks differ or have jumped. */
  get isSkewed(): boolean {
    return this.#isSkewed;
  }

  jump(machine: Machine, milliseconds: number): void {
    machine.offset += milliseconds;
    machine.jumps++;
    this.#isSkewed = true;
  }

  /** Suspends a process for `span` milliseconds. */
  suspend(victim: SimulatedProcess, span: number): void {
    if (victim.state !== "running" || this.#isCalm) return;
    this.note("", `! ${victim.name} is suspended for ${span} ms`);
    victim.suspend();
    const run = () => victim.resume();
    this.scheduler.add({ author: victim.name, label: "resumes", at: this.scheduler.now + span, run });
  }

  /** Suspends all processes of a machine, which wake one after the other. */
  sleep(machine: Machine | undefined, span: number): void {
    if (!machine || machine.asleepUntil > this.scheduler.now) return;
    machine.asleepUntil = this.scheduler.now + span;
    if (this.options.sleepStopsClock) {
      machine.stillUntil = machine.asleepUntil;
      machine.stoodStill += span;
    }
    for (const each of this.living) {
      if (each.machine !== machine) continue;
      if (this.options.sleepStopsClock) this.scheduler.postponeTimers(each, span);
      this.suspend(each, span + this.random.pick("schedule", WAKING));
    }
  }

  /** For some time the store accepts no save, for example because its disk is full; a shared one does not respond. */
  breakStore(): void {
    const milliseconds = this.random.pick("fault", OUTAGES);
    this.note("", `! the store is out of order for ${milliseconds} ms`);
    this.#brokenUntil = Math.max(this.#brokenUntil, this.scheduler.now + milliseconds);
  }

  get isStoreBroken(): boolean {
    return this.scheduler.now < this.#brokenUntil;
  }

  /** Wakes every machine, and continues every process for good. What is left of a sleep does not count on monotonic clocks. */
  wakeAll(): void {
    this.#isCalm = true;
    this.#brokenUntil = 0;
    for (const machine of this.machines) this.#wake(machine);
    for (const process of this.living) process.resume();
  }

  #wake(machine: Machine): void {
    machine.asleepUntil = Math.min(machine.asleepUntil, this.scheduler.now);
    const rest = machine.stillUntil - this.scheduler.now;
    if (rest <= 0) return;
    machine.stillUntil = this.scheduler.now;
    machine.stoodStill -= rest;
    for (const each of this.living) {
      if (each.machine !== machine) continue;
      this.scheduler.postponeTimers(each, -rest);
      each.resume();
    }
  }

  /** Converts the time of an exact wall clock to virtual milliseconds. */
  sinceStart(wall: number): number {
    return wall - EPOCH;
  }

  spawn(slot: number): SimulatedProcess {
    const { seed } = this.random;
    const machine = this.machines[slot % this.machines.length];
    if (!machine) throw new Error("The world has no machine.");
    this.#wake(machine); // no process starts on a machine that sleeps
    const ids = this.#freeIds(machine);
    const { scheduler } = this;
    const idSeed = this.options.sameIds ? seed : Math.imul(seed + 1, 64) + this.#processes.size;
    const process = new SimulatedProcess(`p${this.#processes.size}`, ids, { machine, scheduler, seed, idSeed });
    this.#processes.set(process.name, process);
    if (this.options.hasLaterRelease && slot % 2 === 1) this.#later.add(process);
    return process;
  }

  /** Whether a process runs the later release. */
  isLater(process: SimulatedProcess): boolean {
    return this.#isUpdated || this.#later.has(process);
  }

  /** Updates every program to the later release, if there is one. */
  updateAll(): void {
    this.#isUpdated = this.options.hasLaterRelease;
  }

  /** The lowest ids that no process of the machine has: those of the dead are used again. */
  #freeIds(machine: Machine): ProcessIds {
    const taken = this.processes.filter((each) => each.machine === machine && each.exists).map(({ tid }) => tid);
    let tid = FIRST_PID;
    while (taken.includes(tid)) tid++;
    return { pid: this.options.hasThreads ? FIRST_PID : tid, tid, startedAt: this.#processes.size };
  }

  /** Returns the store of a process, as its release uses it. */
  storeFor(process: SimulatedProcess): TokenStore {
    const store = this.store.storeFor(process);
    return this.options.hasLaterRelease ? asLaterRelease(store, process, this) : store;
  }

  /** Whether the session file is unreadable. */
  get isTorn(): boolean {
    return this.store instanceof FileWorld && this.store.isTorn;
  }

  /** Returns the stored string, as the later release reads it, without a simulated call. Throws if it is damaged. */
  truth(): string | undefined {
    const text = this.store.truth();
    return text === undefined ? undefined : withoutRequirement(text);
  }

  latency(): number {
    return this.random.pick("schedule", LATENCIES);
  }

  /** The `holder` of a process's store, if this world knows holders. */
  holderFor(process: SimulatedProcess): Pick<TokenStore, "holder"> {
    const holder = this.options.platform === "none" ? undefined : identityOn(systemFor(this, process));
    return holder ? { holder } : {};
  }

  /** Whether a process can tell that another one is alive. */
  canSee(self: SimulatedProcess, other: SimulatedProcess): boolean {
    const isHere = self.machine === other.machine && self.boot === other.boot;
    return isHere && self !== other && this.options.platform === "linux";
  }

  note(author: string, text: string): void {
    if (this.isTracing)
      this.trace.push(`${(this.scheduler.now / 1000).toFixed(3).padStart(10)}  ${author.padEnd(4)} ${text}`);
  }

  /** Lets the microtasks of the last event run, then checks the invariants. */
  async after(author: string): Promise<void> {
    this.lastAuthor = author;
    await settle();
    this.invariants.check(author);
  }

  /** Runs the next event. If no event can happen before `until`, advances the time to it and returns `false`. */
  async step(until: number): Promise<boolean> {
    const event = this.scheduler.next(until);
    if (!event) {
      this.scheduler.now = Math.max(this.scheduler.now, until);
      return false;
    }
    this.steps++;
    this.isPolling = POLLING.test(event.label);
    this.note(event.author, event.label);
    event.run();
    await this.after(event.author);
    return true;
  }
}
