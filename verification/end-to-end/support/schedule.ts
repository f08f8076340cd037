/** Reproducible random numbers (mulberry32). */
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

/** What happens to processes. */
export interface Fate {
  /** A process dies instead of one call in so many; of none where it is absent. */
  readonly deathOdds?: number | undefined;
  /** How many calls a process makes in a row, on average, while the others stand still. Default 1. */
  readonly burst?: number | undefined;
}

/** Lets one call at a time through, of a randomly chosen process; some processes die on the way. */
export class Schedule {
  readonly #random: (below: number) => number;
  readonly #fate: Fate;
  readonly #waiting: Call[] = [];
  readonly #dead = new Set<number>();
  readonly #mourners = new Map<number, () => void>();
  #last: number | undefined;

  constructor(random: (below: number) => number, fate: Fate = {}) {
    this.#random = random;
    this.#fate = fate;
  }

  /** `calls`, each of which waits until it is let through. */
  of<T extends object>(who: number, calls: T): T {
    const scheduled = Object.entries(calls).map(([name, call]) => [
      name,
      typeof call === "function" ? (...args: unknown[]) => this.#queue(who, () => call(...args)) : call,
    ]);
    return Object.fromEntries(scheduled) as T;
  }

  /** Until all tasks have ended, or those whose they are; `tasks[who]` is that process's. */
  async run(tasks: readonly Promise<unknown>[]): Promise<void> {
    let isDone = false;
    const all = tasks.map((task, who) => Promise.race([task, this.#death(who)]));
    const settled = Promise.all(all).finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await new Promise(setImmediate); // whoever can go on does, up to its next call
      const next = this.#next();
      if (next) await this.#letThrough(next);
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
    return new Promise((resolve) => this.#mourners.set(who, resolve));
  }

  async #letThrough(next: Call): Promise<void> {
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    this.#last = next.who;
    const { deathOdds } = this.#fate;
    if (deathOdds === undefined || this.#random(deathOdds) > 0) return void (await next.run());
    this.#dead.add(next.who);
    this.#mourners.get(next.who)?.();
  }
}
