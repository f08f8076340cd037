import { FOREIGN, POWER } from "../constants.ts";
import { FileWorld } from "../file-world.ts";
import { Program } from "../program.ts";
import { Random } from "../random.ts";
import { settle } from "../scheduler.ts";
import { readToken, shortAccess, shortRefresh } from "../tokens.ts";
import { World, type WorldOptions } from "../world.ts";

const OPTIONS: WorldOptions = {
  kind: "shared",
  processes: 0,
  machines: 1,
  skew: 0,
  watches: false,
  knowsHolders: true,
  aborts: false,
  background: true,
  lifetime: 60_000,
  graceSeconds: 0,
  revokesOnReuse: false,
  afterLoss: "retry",
  mounts: false,
};
const PATIENCE = 100_000;

/** A world without randomness: what is ready first happens first, and what goes wrong is told. */
export class Script {
  readonly world: World;
  #slots = 0;

  constructor(options: Partial<WorldOptions> = {}) {
    this.world = new World(
      { ...OPTIONS, ...options },
      new Random(0, { world: [], action: [], fault: [], schedule: [] }),
    );
  }

  /** The files, in a world that has them. */
  get files(): FileWorld {
    if (this.world.store instanceof FileWorld) return this.world.store;
    throw new Error("a world without files");
  }

  /** Takes the session's directory away; after so many milliseconds it is back, with all that was in it, or empty. */
  async detach(span: number, { isEmpty = false } = {}): Promise<void> {
    this.files.detach(span, isEmpty);
    await this.world.after(FOREIGN);
  }

  /** Ends every program, and undoes all changes of names that were not synced. */
  async cutPower(): Promise<void> {
    const { disk } = this.files;
    for (const process of this.world.living) process.kill();
    for (const machine of this.world.machines) machine.boots++;
    disk.cutPower(disk.unsynced, (text) => text);
    await this.world.after(POWER);
  }

  /** A new program; on each machine in turn. */
  start(): Program {
    return new Program(this.world, this.#slots++);
  }

  /** Three programs, of which the first has signed in; its access token has so many milliseconds left. */
  async signedIn(left = -1_000): Promise<readonly [Program, Program, Program]> {
    const programs = [this.start(), this.start(), this.start()] as const;
    await Promise.all([programs[0].signIn("A"), this.pass(this.world.options.lifetime - left)]);
    return programs;
  }

  /** Lets everything happen until this is what a program does next. */
  async before({ process }: Program, label: string): Promise<void> {
    const { scheduler } = this.world;
    const end = scheduler.now + PATIENCE;
    await settle();
    while (!scheduler.pendingOf(process).some((event) => event.label.startsWith(label))) {
      if (!(await this.world.step(end))) throw new Error(`${process.name} never came to: ${label}`);
    }
  }

  /** Lets so many milliseconds pass. */
  async pass(span: number): Promise<void> {
    const end = this.world.scheduler.now + span;
    await settle();
    while (await this.world.step(end));
  }

  /** What a program gets within so many milliseconds: an access token such as `A0a1`, or the error's reason or code. */
  async get(program: Program, within = 1_000): Promise<string> {
    const [token] = await Promise.all([this.outcome(program, program.get()), this.pass(within)]);
    return token;
  }

  /** What came of a call that has ended. */
  async outcome(program: Program, call: Promise<string | undefined>): Promise<string> {
    const token = await call;
    if (token !== undefined) return shortAccess(readToken(token));
    const { reason, code } = Object(program.error) as { reason?: string; code?: string };
    return reason ?? code ?? "nothing";
  }

  /** Who presented which refresh token, in order: `p0 A0R1`. */
  get presented(): string[] {
    const { book, exchanges } = this.world.invariants;
    return exchanges.log.map(({ process, digest }) => {
      const token = book.find(digest);
      return `${process.name} ${token && shortRefresh(token)}`;
    });
  }

  /** The stored refresh token such as `A0R1`, or why there is none. */
  get stored(): string | undefined {
    const { current } = this.world.invariants.records;
    const token = current?.tokens?.refreshToken;
    return token === undefined ? current?.dead?.reason : shortRefresh(readToken(token));
  }
}
