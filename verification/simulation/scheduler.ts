import type { Random } from "./random.ts";

/** Whose event it is; one that stands still gets none. */
export interface Owner {
  readonly name: string;
  readonly isRunning: boolean;
}

/** Something that can happen: an answer, a timer, an action. */
export interface Pending {
  /** Absent: the network, a server, the world. */
  readonly owner?: Owner | undefined;
  /** Who caused it. */
  readonly author: string;
  readonly label: string;
  /** Virtual milliseconds before which it cannot happen. */
  readonly at: number;
  readonly run: () => void;
}

/** Virtual time, and the choice of what happens next. */
export class Scheduler {
  now = 0;
  readonly #random: Random;
  #pending: Pending[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Returns what takes it back. */
  add(event: Pending): () => void {
    this.#pending.push(event);
    return () => {
      const index = this.#pending.indexOf(event);
      if (index >= 0) this.#pending.splice(index, 1);
    };
  }

  /** Takes the event that happens next; time passes only where nothing can happen now. */
  next(until: number): Pending | undefined {
    const candidates = this.#pending.filter(({ owner }) => owner?.isRunning !== false);
    let ready = candidates.filter(({ at }) => at <= this.now);
    if (ready.length === 0) {
      const soonest = candidates.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
      if (soonest > until) return undefined;
      this.now = soonest;
      ready = candidates.filter(({ at }) => at <= soonest);
    }
    const event = ready[ready.length > 1 ? this.#random.choose("schedule", ready.length) : 0];
    if (event) this.#pending.splice(this.#pending.indexOf(event), 1);
    return event;
  }

  pendingOf(owner: Owner): readonly Pending[] {
    return this.#pending.filter((event) => event.owner === owner);
  }

  /** Nothing of it ever happens any more. */
  forget(owner: Owner): void {
    this.#pending = this.#pending.filter((event) => event.owner !== owner);
  }
}

/** Lets every promise that can settle do so: all microtasks come before it. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
