import type { Clock } from "@unexpired/core";

type Timer = { readonly at: number; readonly callback: () => void; readonly keepAlive: boolean };

/** A clock for `createTokenManager` that advances only when you tell it to. All times are in milliseconds. */
export class VirtualClock implements Clock {
  #timers: Timer[] = [];
  #passed = 0;
  #wall: number;
  #seed = 1;

  /** `start` is the initial time of the wall clock, in epoch milliseconds. Default: the beginning of 2026, UTC. */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#wall = start;
  }

  /** The wall clock, in epoch milliseconds. */
  now = () => this.#wall + this.#passed;
  /** The time since the clock was created. */
  monotonic = () => this.#passed;
  /** A seeded random number between 0 and 1: every clock returns the same sequence. */
  random = () => {
    this.#seed = (this.#seed * 16807) % 2147483647;
    return this.#seed / 2147483647;
  };

  /** A random ID, which differs even between clocks. */
  randomId = () => crypto.randomUUID().replaceAll("-", "");

  /** Calls `callback` after `delay`. Returns a function that cancels the timer. */
  setTimer = (callback: () => void, delay: number, keepAlive: boolean) => {
    const timer = { at: this.#passed + Math.max(0, delay), callback, keepAlive };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  /** Moves only the wall clock, forward or backward. */
  jump(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** The number of pending timers that keep a process alive. */
  get keepingAlive(): number {
    return this.#timers.filter((timer) => timer.keepAlive).length;
  }

  /** Passes time at once, as if the machine had slept: timers that became due fire late, once each. */
  async leap(milliseconds: number): Promise<void> {
    this.#passed += milliseconds;
    await this.advance(0);
  }

  /** Passes time: calls the timers as they become due, each at its time, and lets the resulting promises settle. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#passed + milliseconds;
    await settle();
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#passed = Math.max(this.#passed, next.at);
      next.callback();
      await settle();
    }
    this.#passed = until;
    await settle();
  }
}

/** Lets every promise settle that depends on neither a timer nor I/O, up to a chain of 100. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
};
