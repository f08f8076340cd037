/** Returns a generator of reproducible whole numbers below its argument (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Call {
  readonly who: number;
  readonly run: () => Promise<unknown>;
}

/** How processes die and take turns. */
export interface Fate {
  /** On average, one call in this many kills its process instead. If omitted, no process dies. */
  readonly deathOdds?: number | undefined;
  /** The average number of calls that a process makes in a row while the others wait. Default: 1. */
  readonly burst?: number | undefined;
}

/** Runs one call at a time, of a randomly chosen process. Processes may die instead of making a call. */
export class Schedule {
  readonly #random: (below: number) => number;
  readonly #fate: Fate;
  readonly #waiting: Call[] = [];
  readonly #dead = new Set<number>();
  readonly #onDeath = new Map<number, () => void>();
  #last: number | undefined;

  constructor(random: (below: number) => number, fate: Fate = {}) {
    this.#random = random;
    this.#fate = fate;
  }

  /** Wraps an object so that each of its calls waits for its turn. */
  of<T extends object>(who: number, calls: T): T {
    const scheduled = Object.entries(calls).map(([name, call]) => [
      name,
      typeof call === "function" ? (...args: unknown[]) => this.#queue(who, () => call(...args)) : call,
    ]);
    return Object.fromEntries(scheduled) as T;
  }

  /** Runs calls until every task has settled or its process has died. `tasks[who]` is the task of process `who`. */
  async run(tasks: readonly Promise<unknown>[]): Promise<void> {
    let isDone = false;
    const all = tasks.map((task, who) => Promise.race([task, this.#death(who)]));
    const settled = Promise.all(all).finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await new Promise(setImmediate); // every process that can goes on to its next call
      const next = this.#next();
      if (next) await this.#runCall(next);
    }
    await settled;
  }

  #next(): Call | undefined {
    const candidates = this.#waiting.filter(({ who }) => !this.#dead.has(who));
    const isBurst = this.#random(this.#fate.burst ?? 1) > 0;
    const again = isBurst ? candidates.filter(({ who }) => who === this.#last) : [];
    const pool = again.length > 0 ? again : candidates;
    return pool[this.#random(pool.length)];
  }

  #queue(who: number, call: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ who, run: () => call().then(resolve, reject) });
    });
  }

  #death(who: number): Promise<void> {
    return new Promise((resolve) => this.#onDeath.set(who, resolve));
  }

  async #runCall(next: Call): Promise<void> {
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    this.#last = next.who;
    const { deathOdds } = this.#fate;
    if (deathOdds === undefined || this.#random(deathOdds) > 0) return void (await next.run());
    this.#dead.add(next.who);
    this.#onDeath.get(next.who)?.();
  }
}
