import { expect, it } from "vitest";
import { FOREIGN, POWER } from "../constants.ts";
import { FileWorld } from "../file-world.ts";
import { Program } from "../program.ts";
import { noChoices, Random } from "../random.ts";
import { settle } from "../scheduler.ts";
import { readToken, shortAccess, shortRefresh } from "../tokens.ts";
import { World } from "../world.ts";
import type { WorldOptions } from "../world-options.ts";

const OPTIONS: WorldOptions = {
  kind: "shared",
  document: "none",
  foreignActs: 0,
  hasUsers: false,
  reconnectsWithin: undefined,
  processes: 0,
  machines: 1,
  skew: 0,
  watches: false,
  platform: "linux",
  hasContainers: false,
  hasThreads: false,
  aborts: false,
  background: true,
  lifetime: 60_000,
  graceSeconds: 0,
  revokesOnReuse: false,
  afterLoss: "retry",
  mounts: false,
  sleepStopsClock: true,
  sameIds: false,
  hasLaterRelease: false,
  givesReasons: true,
};
const PATIENCE = 100_000;

/** Defines a test for one schedule. Every invariant is also checked after each step. */
export function schedule(name: string, options: Partial<WorldOptions>, play: (script: Script) => Promise<void>): void {
  it(name, async () => {
    const script = new Script(options);
    await play(script);
    script.world.invariants.checkEnd();
    expect(script.world.invariants.violation).toBeUndefined();
  });
}

/** A world without randomness: events happen in the order in which they become ready, and faults are planned. */
export class Script {
  readonly world: World;
  #slots = 0;

  constructor(options: Partial<WorldOptions> = {}) {
    this.world = new World({ ...OPTIONS, ...options }, new Random(0, noChoices()));
  }

  /** The file world. Throws if this world has a shared store. */
  get files(): FileWorld {
    if (this.world.store instanceof FileWorld) return this.world.store;
    throw new Error('This world has no files. Create it with { kind: "file" }.');
  }

  /** Removes the session's directory. After `span` milliseconds it comes back with its content, or empty. */
  async detach(span: number, { isEmpty = false } = {}): Promise<void> {
    this.files.detach(span, isEmpty);
    await this.world.after(FOREIGN);
  }

  /** Ends every program, and undoes all unsynced changes of names. */
  async cutPower(): Promise<void> {
    const { disk } = this.files;
    for (const process of this.world.living) process.kill();
    for (const machine of this.world.machines) machine.boots++;
    disk.cutPower(disk.unsynced, (text) => text);
    await this.world.after(POWER);
  }

  /** Starts a program on the next machine, in turn. */
  start(): Program {
    return new Program(this.world, this.#slots++);
  }

  /** Starts three programs, of which the first signs in, and waits until its access token has `left` ms to live. */
  async signedIn(left = -1_000): Promise<readonly [Program, Program, Program]> {
    const programs = [this.start(), this.start(), this.start()] as const;
    await Promise.all([programs[0].signIn("A"), this.pass(this.world.options.lifetime - left)]);
    return programs;
  }

  /** Runs events until one of a program's pending events begins with `label`. */
  async before({ process }: Program, label: string): Promise<void> {
    const { scheduler } = this.world;
    const end = scheduler.now + PATIENCE;
    await settle();
    while (!scheduler.pendingOf(process).some((event) => event.label.startsWith(label))) {
      if (!(await this.world.step(end))) throw new Error(`${process.name} never came to this event: ${label}`);
    }
  }

  /** Runs the events of the next `span` milliseconds. */
  async pass(span: number): Promise<void> {
    const end = this.world.scheduler.now + span;
    await settle();
    while (await this.world.step(end));
  }

  /** The access token that a program gets within `within` milliseconds, as `A0a1`, or the error's reason or code. */
  async get(program: Program, within = 1_000): Promise<string> {
    const [token] = await Promise.all([this.outcome(program, program.get()), this.pass(within)]);
    return token;
  }

  /** The outcome of a settled call, in the same format. */
  async outcome(program: Program, call: Promise<string | undefined>): Promise<string> {
    const token = await call;
    if (token !== undefined) return shortAccess(readToken(token));
    const { reason, code } = Object(program.error) as { reason?: string; code?: string };
    return (code === "SIGN_IN_REQUIRED" ? reason : code) ?? "nothing";
  }

  /** The presented refresh tokens with their processes, in order: `p0 A0R1`. */
  get presented(): string[] {
    const { book, exchanges } = this.world.invariants;
    return exchanges.log.map(({ process, digest }) => {
      const token = book.find(digest);
      return `${process.name} ${token && shortRefresh(token)}`;
    });
  }

  /** The stored refresh token, as `A0R1`, or the reason why the session is dead. */
  get stored(): string | undefined {
    const { current } = this.world.invariants.records;
    const token = current?.tokens?.refreshToken;
    return token === undefined ? current?.dead?.reason : shortRefresh(readToken(token));
  }
}
