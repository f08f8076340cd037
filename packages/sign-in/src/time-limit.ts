import { SignInFailedError } from "@unexpired/core";

const LONGEST_TIMER = 2 ** 31 - 1; // setTimeout fires immediately if the delay is longer

/** @throws TypeError */
export function assertTimeout(timeout: unknown): asserts timeout is number {
  if (typeof timeout === "number" && timeout > 0 && timeout <= LONGEST_TIMER) return;
  throw new TypeError(`timeout: expected milliseconds above 0, at most ${LONGEST_TIMER}.`);
}

/**
 * Calls `run` with a signal that aborts with the caller's signal, and with a {@link SignInFailedError} after the timeout.
 * Rejects with the signal's reason as soon as `run` has settled after that.
 */
export async function withTimeLimit<T>(
  timeout: number,
  caller: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  caller?.throwIfAborted();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new SignInFailedError("timeout")), timeout);
  const signal = caller ? AbortSignal.any([caller, limit.signal]) : limit.signal;
  try {
    return await run(signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Settles like `promise`, or rejects with the signal's reason once it aborts. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
  });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", onAbort));
}
