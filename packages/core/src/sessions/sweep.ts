import type { Clock } from "../types.ts";
import { redact } from "../util/redact.ts";

const HOUR = 60 * 60_000;
const SECOND = 1_000;
const DEFAULT_RATE = 10;

interface SweepDeps {
  readonly clock: Clock;
  /** Milliseconds. Default: an hour. */
  readonly interval?: number | undefined;
  readonly perSecond?: number | undefined;
  list(): AsyncIterable<string>;
  /** Renews a session if it is due. Its failure is announced as an event of that session. */
  renewIfDue(key: string): Promise<void>;
  onFailure(message: string): void;
}

/** Looks at all sessions in each interval, one after the other, with timers that do not keep the process alive. */
export class Sweep {
  readonly #deps: SweepDeps;
  #cancel: (() => void) | undefined;
  #isStopped = false;

  /** The first look begins within the interval, at random, so that processes that start together do not look together. */
  constructor(deps: SweepDeps) {
    this.#deps = deps;
    const { clock, interval = HOUR } = deps;
    this.#after(clock.random() * interval);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #after(delay: number): void {
    if (this.#isStopped) return;
    this.#cancel = this.#deps.clock.setTimer(() => void this.#run(), delay, false);
  }

  async #run(): Promise<void> {
    const { clock, interval = HOUR, onFailure } = this.#deps;
    const began = clock.monotonic();
    await this.#lookAtAll().catch((error: unknown) => onFailure(redact(error, []).message));
    this.#after(Math.max(SECOND, began + interval - clock.monotonic()));
  }

  async #lookAtAll(): Promise<void> {
    const { perSecond = DEFAULT_RATE, list, renewIfDue } = this.#deps;
    for await (const key of list()) {
      if (this.#isStopped) return;
      await Promise.all([renewIfDue(key).catch(() => {}), this.#pause(SECOND / perSecond)]);
    }
  }

  #pause(delay: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#deps.clock.setTimer(resolve, delay, false);
      this.#cancel = () => {
        cancel();
        resolve();
      };
    });
  }
}
