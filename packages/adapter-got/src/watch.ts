import { errorMonitor } from "node:events";
import type { GotReturn, Request, RequestError } from "got";

/** What a promise of got has: shortcuts such as `json`, which return another one, `on` and its like; early ones `cancel`. */
type GotPromise = Promise<unknown> & Record<string, (...given: unknown[]) => unknown>;

/** Has `complete` see each error before the caller does. What got throws for an abort, for example, its hooks do not see. */
export function watch<T extends GotReturn>(result: T, complete: (error: RequestError) => RequestError): T {
  if (!("catch" in result)) return (result as Request).prependListener(errorMonitor, complete) as T;
  const promise = result as unknown as GotPromise;
  const ours = watched(promise, complete);
  promise.cancel &&= promise.cancel.bind(promise); // got hands it on
  return ours as unknown as T;
}

/** Not the same promise: where the caller forgets about it, its rejection stays an unhandled one. */
function watched(promise: GotPromise, complete: (error: RequestError) => RequestError): GotPromise {
  const ours = promise.catch((error) => {
    throw complete(error);
  }) as GotPromise;
  for (const [name, method] of Object.entries(promise)) {
    ours[name] = (...given) => {
      const result = method.apply(promise, given);
      if (result === promise) return ours;
      ours.catch(() => {}); // the shortcut's rejection takes its place
      return watched(result as GotPromise, complete);
    };
  }
  return ours;
}
