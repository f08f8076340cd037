/** Runs a task that never rejects, one run at a time. Calls during a run share one more run, which begins after it. */
export class SerialTask {
  readonly #task: () => Promise<void>;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(task: () => Promise<void>) {
    this.#task = task;
  }

  /** Resolves when a run that begins after the call has ended. */
  run(): Promise<void> {
    if (this.#running !== undefined) {
      this.#next ??= this.#running.then(() => {
        this.#next = undefined;
        return this.run();
      });
      return this.#next;
    }
    this.#running = this.#task().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Resolves when all runs that were asked for have ended. */
  async settled(): Promise<void> {
    await (this.#next ?? this.#running);
  }
}
