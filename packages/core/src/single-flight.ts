/** At most one run at a time; whoever comes meanwhile shares it. Per instance. */
export class SingleFlight<T> {
  #current: Promise<T> | undefined;

  /** The run in flight, or a new one. */
  run(start: () => Promise<T>): Promise<T> {
    this.#current ??= Promise.resolve()
      .then(start)
      .finally(() => {
        this.#current = undefined;
      });
    return this.#current;
  }

  /** The run in flight. */
  get current(): Promise<T> | undefined {
    return this.#current;
  }
}

/** `promise`, or a rejection with the signal's reason as soon as it aborts. The promise itself goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
    if (signal.aborted) onAbort();
  });
}
