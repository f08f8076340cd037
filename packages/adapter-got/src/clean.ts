import { errorMonitor } from "node:events";
import { printAs, requestView } from "@unexpired/core/adapter";
import type { GotReturn, Request, RequestError } from "got";

/** Replaces what leads to the headers that were sent. What else leads there, the caller's agent for one, does not print. */
export function clean(error: RequestError): RequestError {
  const { options, response } = error;
  const { method, url } = options;
  const isKept = error.name === "HTTPError" && !options.throwHttpErrors; // got takes the response out of it for the caller
  const view = requestView({ method, url, status: response?.statusCode }, isKept ? undefined : error);
  for (const each of [options, response]) printAs(each, () => view);
  return error;
}

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
