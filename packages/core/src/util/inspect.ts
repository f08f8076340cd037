/** A summary of a failed request for errors. It replaces the client's own request object, which contains the token. */
export interface RequestSummary {
  /** The HTTP method in upper case. */
  readonly method: string;
  /** The URL of the request. */
  readonly url: string;
  /** The HTTP status; `undefined` if there was no response. */
  readonly status: number | undefined;
}

/** An object that contains the client's own request. */
interface RequestHolder {
  request?: unknown;
}

/** Creates a {@link RequestSummary}, and replaces `request` with it in an error and in the error's `response`. */
export function redactRequest(
  {
    method = "GET",
    url,
    status,
  }: { method?: string | undefined; url: string | URL | undefined; status?: number | undefined },
  error?: RequestHolder & { readonly response?: RequestHolder | undefined },
): RequestSummary {
  const summary = Object.freeze({ method: method.toUpperCase(), url: String(url), status });
  for (const holder of [error, error?.response]) if (holder?.request) Reflect.set(holder, "request", summary);
  return summary;
}

/**
 * Makes `util.inspect` and `JSON.stringify` show the result of `view` in place of `object`, through non-enumerable
 * properties. Leaves the value unchanged if it is frozen or not an object.
 */
export function setInspectView<T>(object: T, view: (this: T) => unknown): T {
  if (!Object.isExtensible(object)) return object;
  return Object.defineProperties(object, {
    [Symbol.for("nodejs.util.inspect.custom")]: { value: view, configurable: true },
    toJSON: { value: view, configurable: true },
  });
}

/**
 * Hides the result of a promise of a token from `util.inspect` and `console.log`. (`console.dir` still shows it: it
 * ignores the promise's own view.)
 */
export const hideResult = <T extends string | undefined>(promise: Promise<T>): Promise<T> =>
  setInspectView(promise, viewOfResult);

const viewOfResult = () => "Promise { [secret] }";
