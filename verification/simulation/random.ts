/** The kinds of choices. Each has its own stream, so that removing a fault leaves all other choices in place. */
export const STREAMS = ["world", "action", "fault", "schedule", "document", "user", "failover"] as const;
export type Stream = (typeof STREAMS)[number];

/** All choices of a run by stream, in order. 0 is always the calmest option. */
export type Choices = Readonly<Record<Stream, readonly number[]>>;

/** The calmest run makes no other choices. */
export const noChoices = (): Record<Stream, number[]> => ({
  world: [],
  action: [],
  fault: [],
  schedule: [],
  document: [],
  user: [],
  failover: [],
});

/** A generator of reproducible numbers from 0 up to, but not including, 1 (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Makes every choice of a run: draws it from the seed, or replays given choices and then the calmest ones. */
export class Random {
  readonly seed: number;
  readonly made: Record<Stream, number[]> = noChoices();
  readonly #given: Choices | undefined;
  readonly #random: Record<Stream, () => number>;

  constructor(seed: number, given?: Choices) {
    this.seed = seed;
    this.#given = given;
    const stream = (number: number) => randomFrom(Math.imul(seed + 1, 0x9e3779b1) ^ (number * 0x85ebca6b));
    this.#random = {
      world: stream(1),
      action: stream(2),
      fault: stream(3),
      schedule: stream(4),
      document: stream(5),
      user: stream(6),
      failover: stream(7),
    };
  }

  /** Chooses a number from 0 up to, but not including, `below`. */
  choose(stream: Stream, below: number): number {
    return this.#make(stream, below, () => Math.floor(this.#random[stream]() * below));
  }

  /** Chooses 0, or with probability `rate` a number from 1 up to, but not including, `below`. */
  rarely(stream: Stream, below: number, rate: number): number {
    return this.#make(stream, below, () =>
      this.#random[stream]() < rate ? 1 + Math.floor(this.#random[stream]() * (below - 1)) : 0,
    );
  }

  /** Picks one of the options; the first is the calmest. */
  pick<T>(stream: Stream, options: readonly T[]): T {
    const picked = options[this.choose(stream, options.length)];
    if (picked === undefined) throw new Error("There is no option to pick from.");
    return picked;
  }

  #make(stream: Stream, below: number, draw: () => number): number {
    const made = this.made[stream];
    const given = this.#given?.[stream];
    const choice = given ? (given[made.length] ?? 0) % below : draw();
    made.push(choice);
    return choice;
  }
}
