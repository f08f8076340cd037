import { errorMonitor } from "node:events";
import type { GotReturn, Request, RequestError } from "got";

/** A promise of got, with shortcuts such as `json`, event methods such as `on` and, in early versions, `cancel`. */
type GotPromise = Promise<unknown> & Record<string, (...given: unknown[]) => unknown>;

/** Passes each error to `cleanError` before the caller sees it, even if got calls no hook for it, as for an abort. */
export function interceptErrors<T extends GotReturn>(result: T, cleanError: (error: RequestError) => RequestError): T {
  if (!("catch" in result)) return (result as Request).prependListener(errorMonitor, cleanError) as T;
  const promise = result as unknown as GotPromise;
  const wrapped = wrapPromise(promise, cleanError);
  promise.cancel &&= promise.cancel.bind(promise); // got passes it on
  return wrapped as unknown as T;
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
