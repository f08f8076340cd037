import { CallerPromises } from "./caller-promises.ts";
import { ExchangePromises } from "./exchange-promises.ts";
import { RecordPromises } from "./record-promises.ts";
import { TokenBook } from "./tokens.ts";
import type { World } from "./world.ts";

/** The promises that a simulation can see broken. P9 and P11 are about HTTP clients: their tests are in `tests/`. */
export type PromiseName = "P1" | "P2" | "P3" | "P4" | "P5" | "P6" | "P7" | "P8" | "P10" | "P12" | "P13" | "P14" | "P15";

/** A promise that did not hold. */
export interface Violation {
  readonly promise: PromiseName;
  readonly text: string;
}

/** All promises, checked from outside: the server's log, the store's content, what callers were given. */
export class Promises {
  readonly book = new TokenBook();
  readonly exchanges: ExchangePromises;
  readonly records: RecordPromises;
  readonly callers: CallerPromises;
  /** The first one; the run ends with it. */
  violation: Violation | undefined;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.exchanges = new ExchangePromises(world, this);
    this.records = new RecordPromises(world, this);
    this.callers = new CallerPromises(world, this);
  }

  /** Says that a promise is broken. */
  break(promise: PromiseName, text: string): void {
    this.violation ??= { promise, text };
  }

  /** As {@link break}, unless it holds. */
  require(holds: boolean, promise: PromiseName, text: () => string): void {
    if (!holds) this.break(promise, text());
  }

  /** After every step. */
  check(author: string): void {
    this.records.check(author);
    for (const process of this.#world.living) this.callers.checkIdle(process);
  }

  /** After the last step of a run whose faults have stopped. */
  checkEnd(): void {
    this.records.checkEnd();
    this.callers.checkEnd();
  }
}
