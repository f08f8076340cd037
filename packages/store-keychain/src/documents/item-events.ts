import type { StoreEvent } from "@unexpired/core";

/** Reports what became of another program's item. */
export class ItemEvents {
  readonly #listeners = new Set<(event: StoreEvent) => void>();
  /** The failure that was reported last; `undefined` if the item shows the session. */
  #failure: string | undefined;

  /** Calls back until the returned function is called. */
  readonly subscribe = (listener: (event: StoreEvent) => void): (() => void) => {
    const own = (event: StoreEvent) => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  };

  /** Reports that the session could not be written into the item: once for as long as the reason lasts. */
  failed(location: string, error: unknown): void {
    const { message = "It cannot be written." } = Object(error) as { message?: string };
    if (message === this.#failure) return;
    this.#failure = message;
    this.#emit({ type: "document-failed", location, reason: "unavailable", message });
  }

  /** Reports that the item shows the session again, if a failure was reported. */
  recovered(location: string): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#emit({ type: "document-recovered", location });
  }

  #emit(event: StoreEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
