/** Functions to call with each event. Their exceptions, even asynchronous ones, are ignored. */
export class Listeners<Event extends readonly unknown[]> {
  /** Created when it is needed: a server holds thousands. */
  #listeners: Set<(...event: Event) => void> | undefined;

  /** Returns a function that removes the listener. */
  add(listener: (...event: Event) => void): () => void {
    const added = (...event: Event) => listener(...event); // the same function may be added twice
    this.#listeners ??= new Set();
    this.#listeners.add(added);
    return () => this.#listeners?.delete(added);
  }

  get size(): number {
    return this.#listeners?.size ?? 0;
  }

  call(...event: Event): void {
    // a copy, because listeners may add and remove listeners
    for (const listener of [...(this.#listeners ?? [])]) {
      if (!this.#listeners?.has(listener)) continue;
      new Promise<void>((resolve) => resolve(listener(...event))).catch(() => {});
    }
  }
}
