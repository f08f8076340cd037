import { errorMonitor } from "node:events";
import { printAs, requestView } from "@unexpired/core/adapter";
import type { GotReturn, PlainResponse, Request, RequestError } from "got";

/** Replaces what leads to the headers that were sent. What else leads there, the caller's agent for one, does not print. */
export function clean(error: RequestError): RequestError {
  const { options, response } = error;
  const { method, url } = options;
  const isKept = error.name === "HTTPError" && !options.throwHttpErrors; // got takes the response out of it for the caller
  const view = requestView({ method, url, status: response?.statusCode }, isKept ? undefined : error);
  printAs(options, () => view);
  printAs(response, () => contentsOf(response as PlainResponse));
  return error;
}

const contentsOf = ({ statusCode, headers, body }: PlainResponse) => ({ statusCode, headers, body });

/** What a promise of got has; early versions have `cancel`. */
interface GotPromise extends Promise<unknown>, Record<"json" | "text" | "buffer", () => GotPromise> {
  cancel?: () => void;
}

/** Has `complete` see each error before the caller does. What got throws for an abort, for example, its hooks do not see. */
export function watch<T extends GotReturn>(result: T, complete: (error: RequestError) => RequestError): T {
  if (!("catch" in result)) return (result as Request).prependListener(errorMonitor, complete) as T;
  const promise = result as unknown as GotPromise;
  // not the same promise: where the caller forgets about it, its rejection stays an unhandled one
  const watched = (given: GotPromise): GotPromise =>
    Object.assign(
      given.catch((error) => {
        throw complete(error);
      }),
      given,
    );
  promise.cancel &&= promise.cancel.bind(promise);
  const ours = watched(promise);
  for (const shortcut of ["json", "text", "buffer"] as const) {
    ours[shortcut] = () => {
      ours.catch(() => {}); // the shortcut's rejection takes its place
      return watched(promise[shortcut]());
    };
  }
  return ours as unknown as T;
}
