import type { Random } from "./random.ts";

/** The owner of an event, which happens only while the owner is running. */
export interface Owner {
  readonly name: string;
  readonly isRunning: boolean;
}

/** A possible next event: a response, a timer, an action. */
export interface Pending {
  /** `undefined` for events of the network, the server or the world. */
  readonly owner?: Owner | undefined;
  /** The process, or other cause, that the event is attributed to. */
  readonly author: string;
  readonly label: string;
  /** The earliest virtual time of the event, in milliseconds. */
  at: number;
  /** Whether it is a timer, which runs on its owner's monotonic clock. */
  readonly isTimer?: boolean;
  /** Whether it is a timer that keeps a real process alive. */
  readonly keepsAlive?: boolean;
  readonly run: () => void;
}

/** Keeps the virtual time and chooses the next event. */
export class Scheduler {
  now = 0;
  readonly #random: Random;
  #pending: Pending[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** Adds an event and returns a function that cancels it. */
  add(event: Pending): () => void {
    this.#pending.push(event);
    return () => {
      const index = this.#pending.indexOf(event);
      if (index >= 0) this.#pending.splice(index, 1);
    };
  }

  /** Takes the next event. Time passes only if no event can happen now. */
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

  /** The events of an owner, on request with its requests that are under way, which arrive whether it runs or not. */
  pendingOf(owner: Owner, { inTransit = false } = {}): readonly Pending[] {
    const isInTransit = (event: Pending) => inTransit && !event.owner && event.author === owner.name;
    return this.#pending.filter((event) => event.owner === owner || isInTransit(event));
  }

  /** Postpones the timers of an owner whose monotonic clock stands still for `span` milliseconds. */
  postponeTimers(owner: Owner, span: number): void {
    for (const event of this.#pending) if (event.owner === owner && event.isTimer) event.at += span;
  }

  /** Cancels all events of an owner. */
  forget(owner: Owner): void {
    this.#pending = this.#pending.filter((event) => event.owner !== owner);
  }
}

/** Waits until every promise that can settle has settled: all microtasks run before it. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
