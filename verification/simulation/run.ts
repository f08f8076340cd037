import { actionOf, userActionOf } from "./actions.ts";
import { coverageOf } from "./coverage.ts";
import { applyFault } from "./fault-effects.ts";
import type { AnyFault } from "./faults.ts";
import type { Violation } from "./invariants.ts";
import { checkLiveness } from "./liveness.ts";
import { Program } from "./program.ts";
import { type Choices, Random, randomFrom } from "./random.ts";
import { settle } from "./scheduler.ts";
import { drawUser } from "./users.ts";
import { World } from "./world.ts";
import { type WorldOptions, worldOptions } from "./world-options.ts";

/** The result of one run. */
export interface RunResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly steps: number;
  readonly exchanges: number;
  /** The exchanges that presented a refresh token whose successor had been lost in a failover. */
  readonly replays: number;
  readonly injected: Readonly<Record<string, number>>;
  readonly states: readonly string[];
  readonly choices: Choices;
  readonly trace: readonly string[];
}

/** Limits a search to worlds with these properties, in which only these faults occur, and often. */
export interface Focus {
  readonly world?: Partial<WorldOptions>;
  readonly faults?: readonly AnyFault[];
}

/** Choices that replace the seed's, whether to record a trace, and the worlds to play in. */
export interface RunOptions {
  readonly choices?: Choices | undefined;
  readonly trace?: boolean;
  readonly focus?: Focus | undefined;
}

const MAX_STEPS = { none: 40_000, object: 120_000, array: 120_000 }; // a torn document is read again and again
const STEPS_PER_MILLISECOND = 0.01; // failed saves are retried every second
const ROUND = 45_000;
const STARTS = [0, 0, 1, 3, 10, 50, 900, 4_000, 20_000];

process.removeAllListeners("warning"); // those of simulated processes would only confuse

/** Runs one world: a sign-in, rounds of calls with faults, and a last phase without faults that serves every caller. */
export async function run(seed: number, { choices, trace = false, focus = {} }: RunOptions = {}): Promise<RunResult> {
  const random = new Random(seed, choices);
  makeSystemIdsRepeatable(seed);
  const world = new World(worldOptions(random, focus.world), random, focus.faults);
  world.isTracing = trace;
  const course = new Course(world);
  await course.play();
  return {
    seed,
    violation: world.invariants.violation,
    steps: world.steps,
    exchanges: world.invariants.exchanges.log.length,
    replays: world.invariants.failovers.replays,
    injected: world.faults.injected,
    states: [...course.states],
    choices: random.made,
    trace: world.trace,
  };
}

/** Part of every ID comes from the system, and not from a process's own randomness, which may repeat. */
function makeSystemIdsRepeatable(seed: number): void {
  const draw = randomFrom(seed);
  const getRandomValues = (array: Uint32Array) => array.fill(0).map(() => draw() * 2 ** 32);
  Object.defineProperty(crypto, "getRandomValues", { value: getRandomValues, configurable: true });
}

/** The course of one run. */
class Course {
  readonly states = new Set<string>();
  readonly #world: World;
  readonly #programs: Program[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  async play(): Promise<void> {
    const { random, options, invariants, faults } = this.#world;
    this.#world.documents?.foreign.begin();
    for (let slot = 0; slot < options.processes; slot++) this.#programs.push(new Program(this.#world, slot));
    this.#signIn();
    await settle(); // only then does the file store make its first call
    await this.#until(1_000);
    faults.isOn = true;
    const rounds = 1 + random.choose("action", 3);
    for (let round = 0; round < rounds && !invariants.violation; round++) await this.#round();
    faults.isOn = false;
    if (invariants.violation) return;
    this.#world.wakeAll();
    this.#world.updateAll();
    this.#world.documents?.foreign.calm();
    this.#world.cluster?.calm();
    await checkLiveness(this.#world, this.#programs, (limit) => this.#until(limit));
    if (!invariants.violation) invariants.checkEnd();
  }

  /** Signs in to the first session: one program does, or in some worlds with users all of them at once. */
  #signIn(): void {
    const { random, options } = this.#world;
    if (options.hasUsers && random.choose("user", 2) === 1)
      for (const program of this.#programs) void program.signInWith(drawUser(random));
    else void this.#programs[0]?.signIn("A");
  }

  /** Lets all programs act at about the same time. */
  async #round(): Promise<void> {
    const { random, options, scheduler } = this.#world;
    const pause = random.pick("action", [1.02, 0.85, 0.1, 0.9, 4]) * options.lifetime;
    this.#world.note("", `--- ${Math.round(pause / 1000)} s later`);
    const start = scheduler.now + pause;
    for (let slot = 0; slot < options.processes; slot++) {
      const count = 1 + random.choose("action", 2);
      for (let each = 0; each < count; each++) this.#plan(slot, start);
    }
    if (options.hasUsers) this.#planSignIns(start);
    this.#world.documents?.foreign.plan(start);
    this.#world.cluster?.plan(start);
    await this.#until(pause + 1_000);
    await this.#until(ROUND);
  }

  #plan(slot: number, start: number): void {
    const { random } = this.#world;
    const at = start + random.pick("action", STARTS);
    this.#actAt(at, slot, actionOf(random));
  }

  /** Lets programs sign in with flows, at about the same time. */
  #planSignIns(start: number): void {
    const { random, options } = this.#world;
    const count = random.choose("user", 5);
    for (let each = 0; each < count; each++) {
      const slot = random.choose("user", options.processes);
      const at = start + random.pick("user", STARTS);
      this.#actAt(at, slot, userActionOf(random));
    }
  }

  #actAt(at: number, slot: number, act: (program: Program) => void): void {
    const run = () => {
      const program = this.#programOf(slot);
      if (program.process.isRunning) act(program);
      else program.process.later("act", () => act(program));
    };
    this.#world.scheduler.add({ author: `p?${slot}`, label: "act", at, run });
  }

  /** Returns the program of a slot; starts a new one if it has ended. */
  #programOf(slot: number): Program {
    const program = this.#programs[slot];
    if (program && !program.isClosed && program.process.state !== "dead") return program;
    const next = new Program(this.#world, slot);
    this.#programs[slot] = next;
    return next;
  }

  /** Runs events for `span` milliseconds, or until none is left. */
  async #until(span: number): Promise<void> {
    const { scheduler, invariants, faults } = this.#world;
    const end = scheduler.now + span;
    while (!invariants.violation) {
      if (this.#world.steps > MAX_STEPS[this.#world.options.document] + scheduler.now * STEPS_PER_MILLISECOND)
        return invariants.break("P15", `the run did not end within ${this.#world.steps} steps`);
      const hit = faults.drawStepFault(this.#world.isPolling ? 0.2 : 2);
      if (hit) {
        applyFault(this.#world, hit);
        await this.#world.after(this.#world.lastAuthor);
      }
      if (!(await this.#world.step(end))) return;
      this.states.add(coverageOf(this.#world, this.#programs));
    }
  }
}
