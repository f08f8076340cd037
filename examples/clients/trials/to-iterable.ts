interface Observer<T> {
  next(value: T): void;
  error(error: unknown): void;
  complete(): void;
}

/** Starts a subscription, and returns how to end it. */
export type Subscribe<T> = (observer: Observer<T>) => { unsubscribe(): void };

/** Returns the values of a subscription. An abort ends it, and rejects with the reason. */
export async function* toIterable<T>(subscribe: Subscribe<T>, signal: AbortSignal): AsyncGenerator<T> {
  const values = new ReadableStream<T>({
    start(controller) {
      let isOver = false; // Apollo also completes after an error
      const end = (settle: () => void) => {
        if (!isOver) settle();
        isOver = true;
      };
      const error = (reason: unknown) => end(() => controller.error(reason));
      const complete = () => end(() => controller.close());
      const subscription = subscribe({ next: (value) => controller.enqueue(value), error, complete });
      signal.addEventListener("abort", () => {
        error(signal.reason);
        subscription.unsubscribe();
      });
    },
  });
  yield* values;
}
