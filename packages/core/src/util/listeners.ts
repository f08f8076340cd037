/** Functions to call with each event. Their exceptions, even asynchronous ones, are ignored. */
export class Listeners<Event extends readonly unknown[]> {
  readonly #listeners = new Set<(...event: Event) => void>();

  /** Returns a function that removes the listener. */
  readonly add = (listener: (...event: Event) => void): (() => void) => {
    const added = (...event: Event) => listener(...event); // the same function may be added twice
    this.#listeners.add(added);
    return () => this.#listeners.delete(added);
  };

  call(...event: Event): void {
    // a copy, because listeners may add and remove listeners
    for (const listener of [...this.#listeners]) {
      if (!this.#listeners.has(listener)) continue;
      new Promise<void>((resolve) => resolve(listener(...event))).catch(() => {});
    }
  }
}
