import { setTimeout as sleep } from "node:timers/promises";

/**
 * Waits until `isReached` returns true.
 *
 * @throws Error that says what was not reached within `seconds`
 */
export async function until(what: string, isReached: () => boolean, seconds = 30): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (!isReached()) {
    if (performance.now() > end) throw new Error(`not reached within ${seconds} s: ${what}`);
    await sleep(10);
  }
}

/** Waits for `promise`, in the same way. */
export async function within(what: string, promise: PromiseLike<unknown>): Promise<void> {
  let isSettled = false;
  const settled = Promise.resolve(promise).finally(() => {
    isSettled = true;
  });
  await Promise.race([settled, until(what, () => isSettled)]);
}

/** A promise that others settle. */
export function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: () => resolve() };
}
