import { SignInFailedError } from "@unexpired/core";
import { systemClock } from "@unexpired/core/adapter";

/** @throws TypeError */
export function assertTimeout(timeout: unknown): asserts timeout is number {
  if (Number.isFinite(timeout) && (timeout as number) > 0) return;
  throw new TypeError("timeout: expected milliseconds above 0.");
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
  const cancel = systemClock.setTimer(() => limit.abort(new SignInFailedError("timeout")), timeout, true);
  const signal = caller ? AbortSignal.any([caller, limit.signal]) : limit.signal;
  return run(signal).finally(cancel);
}
