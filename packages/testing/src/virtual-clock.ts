import type { Clock } from "@unexpired/core";

type Timer = { readonly at: number; readonly callback: () => void; readonly keepAlive: boolean };

/** A clock for `createTokenManager` whose time passes only when told to. All times are in milliseconds. */
export class VirtualClock implements Clock {
  #timers: Timer[] = [];
  #passed = 0;
  #wall: number;
  #seed = 1;

  /** `start`: what the wall clock shows at first, in epoch milliseconds. Default: the beginning of 2026. */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#wall = start;
  }

  /** The wall clock, in epoch milliseconds. */
  now = () => this.#wall + this.#passed;
  /** What has passed since the start. */
  monotonic = () => this.#passed;
  /** The same numbers in every run. */
  random = () => {
    this.#seed = (this.#seed * 16807) % 2147483647;
    return this.#seed / 2147483647;
  };

  /** Has `callback` called when `delay` has passed, and returns what cancels it. */
  setTimer = (callback: () => void, delay: number, keepAlive: boolean) => {
    const timer = { at: this.#passed + Math.max(0, delay), callback, keepAlive };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  /** Moves the wall clock alone, forward or back. */
  jump(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** How many timers would keep a process alive. */
  get keepingAlive(): number {
    return this.#timers.filter((timer) => timer.keepAlive).length;
  }

  /** Time that nobody sees pass, as in sleep: what was due in between comes late, once. */
  async leap(milliseconds: number): Promise<void> {
    this.#passed += milliseconds;
    await this.advance(0);
  }

  /** Lets time pass: calls the timers that come due, each at its time, and lets what they cause settle. */
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

/** Lets every promise settle that waits for no timer and no I/O, up to a chain of 100. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
};
