/** The listeners of a store that is notified of changes by itself, because it makes them all. */
export class Watchers {
  readonly #listeners = new Set<() => void>();

  readonly watch = (onChange: () => void): (() => void) => {
    const listener = () => onChange(); // the same function may be added twice
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  notify(): void {
    // a copy, because listeners may add and remove listeners
    for (const listener of [...this.#listeners]) {
      if (!this.#listeners.has(listener)) continue;
      try {
        listener();
      } catch {
        // an exception of a listener must not fail the save
      }
    }
  }
}
