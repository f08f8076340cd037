import type { TokenStore } from "../types.ts";

/** Watches a store from when it is needed, if the store can be watched. */
export class StoreWatch {
  readonly #store: TokenStore;
  readonly #onChange: () => void;
  #stop: (() => void) | undefined;
  #isStopped = false;

  constructor(store: TokenStore, onChange: () => void) {
    this.#store = store;
    this.#onChange = onChange;
  }

  /** Starts to watch, unless it has. If that fails, the store is checked when the session is due, and the next call tries again. */
  start(): void {
    if (this.#isStopped || this.#stop || !this.#store.watch) return;
    this.#stop = () => {}; // the store may call back at once
    try {
      this.#stop = this.#store.watch(this.#onChange) ?? this.#stop;
    } catch {
      this.#stop = undefined;
    }
  }

  /** Stops for good. */
  stop(): void {
    this.#isStopped = true;
    try {
      this.#stop?.();
    } catch {
      // what is still to be saved matters more
    }
  }
}
