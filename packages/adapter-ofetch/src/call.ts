import {
  type Authorization,
  type Authorizer,
  discardBody,
  plainUrlOf,
  setInspectView,
  type WithRequestOptions,
} from "@unexpired/core/adapter";
import { createFetch } from "ofetch";
import type { FetchContext, FetchOptions, FetchResponse } from "./ofetch-types.ts";

/** The context that ofetch passes to hooks. */
export type Context = FetchContext & { options: Partial<WithRequestOptions> & { [key: symbol]: Call | undefined } };

/** The caller's hooks of one kind: one, several or none. */
type Hooks = ((context: never) => unknown) | readonly ((context: never) => unknown)[] | undefined;

/** One call with all its attempts. It is passed on in the options, and hides its state from inspection. */
export class Call {
  /** The caller's signal. With `timeout`, ofetch replaces the signal in the options with one that is already timing. */
  readonly #signal: FetchOptions["signal"];
  /** The authorization of the current attempt. */
  #authorization: Authorization<FetchResponse> | undefined;
  /** While our retry is pending: the caller's options, to be restored when it begins; `null` after that. */
  #savedOptions: object | null | undefined;
  /** The value of `retry` when the last attempt ended. */
  #lastRetry: unknown;

  private constructor(signal: FetchOptions["signal"]) {
    this.#signal = signal;
  }

  /** Returns the call that an attempt belongs to. */
  static of({ request, options }: Context, key: symbol): Call {
    const last = options[key];
    // ofetch decrements `retry` for each attempt: if it is unchanged, the caller is reusing the options of an error
    const call =
      last && last.#lastRetry !== options.retry ? last : new Call(options.signal ?? (request as Request).signal);
    if (call.#savedOptions) {
      Object.assign(options, call.#savedOptions);
      call.#savedOptions = null;
    }
    options[key] = call;
    // a dispatcher references its requests in flight, with their headers
    if (options.dispatcher) setInspectView(options, () => ({ ...options, dispatcher: undefined }));
    return call;
  }

  /** Wraps the caller's hooks, per attempt: those of a single request replace those of the instance. */
  #wrapHooks(options: Context["options"]): void {
    const { onRequestError, onResponse, onResponseError } = options;
    const end = (own: Hooks) => (context: FetchContext) =>
      own || !this.#finishAccepted(context) ? this.#finishAndRun(own, context as Context) : undefined;
    options.onRequestError = end(onRequestError);
    options.onResponse = end(onResponse);
    if (onResponseError) options.onResponseError = end(onResponseError); // `onResponse` comes first
  }

  /** Attaches the token to an attempt, and wraps the caller's hooks. */
  async begin(context: Context, authorizer: Authorizer<FetchResponse>): Promise<void> {
    const { request, options } = context;
    this.#wrapHooks(options);
    // a copy: ofetch 1.0 passes the caller's own headers object, or none
    const headers = new Headers(options.headers ?? (request as Request).headers);
    const { unexpired = (request as Partial<WithRequestOptions>).unexpired } = options;
    const signal = options.signal ?? this.#signal;
    const url =
      headers.get("authorization") !== null ? undefined : (plainTargetOf(context) ?? (await targetOf(context)));
    const authorizing = authorizer.authorize({ url, host: headers.get("host"), signal, unexpired });
    try {
      const authorization = await authorizing;
      if (!authorization) return;
      headers.set("authorization", authorization.header);
      options.headers = headers;
      this.#authorization = authorization;
    } catch (error) {
      if (!signal?.aborted) throw error; // otherwise ofetch reports the abort itself
    }
  }

  /** Ends an attempt without a rejection at once, as nearly all do. Returns whether it was one. */
  #finishAccepted({ response, options }: FetchContext): boolean {
    if (!response || !this.#authorization?.accepts(response.status)) return false;
    options.headers.delete("authorization");
    this.#authorization = undefined;
    this.#lastRetry = options.retry;
    return true;
  }

  async #finishAndRun(own: Hooks, context: Context): Promise<void> {
    await this.#finish(context);
    if (own && !this.#savedOptions) await runHooks(own, context);
    this.#lastRetry = context.options.retry;
  }

  /**
   * Removes the token from an attempt that ended, so that no error of ofetch shows it. If the token was rejected, makes
   * ofetch retry once, in addition to the retries that the caller configured.
   */
  async #finish(context: Context): Promise<void> {
    const { request, response, options } = context;
    const authorization = this.#authorization;
    if (!authorization) return;
    options.headers.delete("authorization");
    this.#authorization = undefined;
    if (!response) return;
    if (this.#savedOptions === null) return authorization.report(response);
    const { method = (request as Request).method, body = (request as Request).body } = options;
    let isFinal = false;
    try {
      const header = await authorization.renew({
        response,
        status: response.status,
        headers: response.headers,
        url: response.url,
        method,
        body,
      });
      isFinal = header === undefined;
    } catch (error) {
      if (!this.#signal?.aborted) throw error; // otherwise ofetch reports the abort at the next attempt
    } finally {
      if (!isFinal) discardBody(response.body); // if ofetch did not read it
    }
    if (!isFinal) this.#scheduleRetry(context);
  }

  #scheduleRetry(context: Context): void {
    const { retry, retryStatusCodes, retryDelay, ignoreResponseError } = context.options;
    this.#savedOptions = { retry, retryStatusCodes, retryDelay, ignoreResponseError, signal: this.#signal };
    Object.assign(context.options, { retry: 1, retryStatusCodes: [408], retryDelay: 0, ignoreResponseError: false });
    context.response = new Response(null, { status: 408 }); // a status that every version of ofetch retries
  }
}

/** Runs hooks one after the other, as ofetch itself does since 1.4. */
export async function runHooks(hooks: Hooks, context: Context): Promise<void> {
  for (const hook of [hooks].flat()) await hook?.(context as never);
}

/** Returns the URL that ofetch will request, if that is plain. */
const plainTargetOf = ({ request, options: { baseURL, query, params } }: Context): URL | undefined =>
  query || params ? undefined : plainUrlOf(request, baseURL);

/** Returns the URL that ofetch will request, by running ofetch with a `fetch` that only records it. */
async function targetOf({ request, options: { baseURL, query, params } }: Context): Promise<URL | undefined> {
  let target: URL | undefined;
  const record = async (input: RequestInfo | URL) => {
    target = new URL((input as Request).url ?? input, globalThis.location?.href);
    return new Response();
  };
  const recorder = createFetch({ fetch: record, Headers });
  // ofetch reports an invalid URL when it sends the request
  await recorder.raw(request, { baseURL, query, params } as FetchOptions).catch(() => {});
  return target;
}
