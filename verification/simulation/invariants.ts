import { CallerInvariants } from "./caller-invariants.ts";
import { ExchangeInvariants } from "./exchange-invariants.ts";
import { FailoverInvariants } from "./failover-invariants.ts";
import { PromptInvariants } from "./prompt-invariants.ts";
import { RecordInvariants } from "./record-invariants.ts";
import { TokenBook } from "./tokens.ts";
import type { World } from "./world.ts";

/**
 * The invariants that a simulation can check: P1 to P16 of `docs/guarantees.md`, without P9 and P11, which concern HTTP
 * clients and have their own tests.
 */
export type InvariantName =
  | "P1"
  | "P2"
  | "P3"
  | "P4"
  | "P5"
  | "P6"
  | "P7"
  | "P8"
  | "P10"
  | "P12"
  | "P13"
  | "P14"
  | "P15"
  | "P16";

/** An invariant that was violated. */
export interface Violation {
  readonly invariant: InvariantName;
  readonly text: string;
}

/** All invariants, checked from outside: by the server's log, the store's content, and what callers received. */
export class Invariants {
  readonly book = new TokenBook();
  readonly exchanges: ExchangeInvariants;
  readonly records: RecordInvariants;
  readonly callers: CallerInvariants;
  readonly prompts: PromptInvariants;
  readonly failovers: FailoverInvariants;
  /** The first violation; it ends the run. */
  violation: Violation | undefined;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.exchanges = new ExchangeInvariants(world, this);
    this.records = new RecordInvariants(world, this);
    this.callers = new CallerInvariants(world, this);
    this.prompts = new PromptInvariants(world, this);
    this.failovers = new FailoverInvariants(world, this);
  }

  /** Records a violation. */
  break(invariant: InvariantName, text: string): void {
    this.violation ??= { invariant, text };
  }

  /** Records a violation unless `holds`. */
  require(holds: boolean, invariant: InvariantName, text: () => string): void {
    if (!holds) this.break(invariant, text());
  }

  /** Checks what must hold after every step. */
  check(author: string): void {
    this.records.check(author);
    this.prompts.check();
    for (const process of this.#world.living) this.callers.checkIdle(process);
  }

  /** Checks what must hold after the last step, when no more faults occur. */
  checkEnd(): void {
    this.records.checkEnd();
    this.callers.checkEnd();
    this.prompts.checkEnd();
  }
}
