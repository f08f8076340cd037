import type { Clock } from "@unexpired/core";

type Timer = { readonly at: number; readonly callback: () => void; readonly keepAlive: boolean };

/** Time that passes only when told to. `jump` moves the wall clock alone. */
export class VirtualClock implements Clock {
  #timers: Timer[] = [];
  #passed = 0;
  #wall: number;
  #seed = 1;

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#wall = start;
  }

  now = () => this.#wall + this.#passed;
  monotonic = () => this.#passed;
  /** The same numbers in every run. */
  random = () => {
    this.#seed = (this.#seed * 16807) % 2147483647;
    return this.#seed / 2147483647;
  };

  setTimer = (callback: () => void, delay: number, keepAlive: boolean) => {
    const timer = { at: this.#passed + Math.max(0, delay), callback, keepAlive };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  jump(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** Timers that would keep a process alive. */
  get keepingAlive(): number {
    return this.#timers.filter((timer) => timer.keepAlive).length;
  }

  /** Time that nobody sees pass, as in sleep: what was due in between comes late, once. */
  async leap(milliseconds: number): Promise<void> {
    this.#passed += milliseconds;
    await this.advance(0);
  }

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

/** Lets every promise that can settle do so. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
};
