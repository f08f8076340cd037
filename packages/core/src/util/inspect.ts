/** What an error may show of the request that failed, in place of the client's own object, which holds the token. */
export interface RequestView {
  /** The HTTP method, in capitals. */
  readonly method: string;
  readonly url: string;
  /** The HTTP status; `undefined` where there was no response. */
  readonly status: number | undefined;
}

/** What has a client's own request in it. */
interface Holder {
  request?: unknown;
}

/** Makes a {@link RequestView}, and puts it in place of `request` in an error and in the error's `response`. */
export function requestView(
  {
    method = "GET",
    url,
    status,
  }: { method?: string | undefined; url: string | URL | undefined; status?: number | undefined },
  error?: Holder & { readonly response?: Holder | undefined },
): RequestView {
  const view = Object.freeze({ method: method.toUpperCase(), url: String(url), status });
  for (const holder of [error, error?.response]) if (holder?.request) Reflect.set(holder, "request", view);
  return view;
}

/**
 * Has `util.inspect` and `JSON.stringify` show what `view` returns in place of `object`. Invisible otherwise. What cannot
 * be changed, because it is frozen or no object, stays as it is.
 */
export function printAs<T>(object: T, view: () => unknown): T {
  if (!Object.isExtensible(object)) return object;
  return Object.defineProperties(object, {
    [Symbol.for("nodejs.util.inspect.custom")]: { value: view, configurable: true },
    toJSON: { value: view, configurable: true },
  });
}
