import { errorMonitor } from "node:events";
import type { GotReturn, Request, RequestError } from "got";

/** A promise of got, with shortcuts such as `json`, event methods such as `on` and, in early versions, `cancel`. */
type GotPromise = Promise<unknown> & Record<string, (...given: unknown[]) => unknown>;

/** How the errors of a call are intercepted. */
interface Interception {
  readonly cleanError: (error: RequestError) => RequestError;
  /** Whether the call has a signal. */
  readonly canAbort: boolean;
}

/** Passes each error to `cleanError` before the caller sees it, even if got calls no hook for it, as for an abort. */
export function interceptErrors<T extends GotReturn>(result: T, { cleanError, canAbort }: Interception): T {
  if (!("catch" in result)) return (result as Request).prependListener(errorMonitor, cleanError) as T;
  const promise = result as unknown as GotPromise;
  if (!canAbort && !promise.cancel) return wrapShortcuts(promise, cleanError) as unknown as T;
  const wrapped = wrapPromise(promise, cleanError);
  promise.cancel &&= promise.cancel.bind(promise); // got passes it on
  return wrapped as unknown as T;
}

/**
 * Wraps the promises of the shortcuts, whose parsers got calls no hook for. The promise itself stays: got would copy all
 * properties to another one, which takes as long as everything else that this adapter does.
 */
function wrapShortcuts(promise: GotPromise, cleanError: Interception["cleanError"]): GotPromise {
  for (const name of ["json", "text", "buffer"]) {
    const shortcut = promise[name];
    if (shortcut) promise[name] = () => wrapPromise(shortcut.call(promise) as GotPromise, cleanError);
  }
  return promise;
}

/** Returns a new promise. If the caller does not handle its rejection, that is still reported as unhandled. */
function wrapPromise(promise: GotPromise, cleanError: (error: RequestError) => RequestError): GotPromise {
  const wrapped = promise.catch((error) => {
    throw cleanError(error);
  }) as GotPromise;
  for (const [name, method] of Object.entries(promise)) {
    wrapped[name] = (...given) => {
      const result = method.apply(promise, given);
      if (result === promise) return wrapped;
      wrapped.catch(() => {}); // the promise of the shortcut reports the rejection
      return wrapPromise(result as GotPromise, cleanError);
    };
  }
  return wrapped;
}
