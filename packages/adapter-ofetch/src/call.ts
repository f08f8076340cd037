import { type Authorization, type Authorizer, setInspectView, type WithRequestOptions } from "@unexpired/core/adapter";
import { createFetch } from "ofetch";
import type { FetchContext, FetchOptions, FetchResponse } from "./ofetch-types.ts";

/** What ofetch hands to hooks. */
export type Context = FetchContext & { options: Partial<WithRequestOptions> & { [key: symbol]: Call | undefined } };

/** The caller's of one kind: one, several or none. */
type Hooks = ((context: never) => unknown) | readonly ((context: never) => unknown)[] | undefined;

/** One call through all of its tries: ofetch hands it on among the options. It does not print. */
export class Call {
  /** The caller's own: ofetch puts another there for `timeout`, whose time is running. */
  readonly #signal: FetchOptions["signal"];
  /** The token of the try that is under way. */
  #authorization: Authorization<FetchResponse> | undefined;
  /** While the next try is ours: the caller's options that it was arranged with, to be put back; `null` from then on. */
  #aside: object | null | undefined;
  /** What `retry` was when the last try ended. */
  #left: unknown;

  private constructor(signal: FetchOptions["signal"]) {
    this.#signal = signal;
  }

  /** The call that a try belongs to. */
  static of({ request, options }: Context, key: symbol): Call {
    const last = options[key];
    // ofetch counts `retry` down: where it is what it was, it is the caller who sends the options of an error again
    const call = last && last.#left !== options.retry ? last : new Call(options.signal ?? (request as Request).signal);
    Object.assign(options, call.#aside);
    call.#aside &&= null;
    options[key] = call;
    // a dispatcher leads to the requests that it carries, and their headers
    setInspectView(options, () => ({ ...options, dispatcher: undefined }));
    return call;
  }

  /** Puts the token on a try, and our hooks around the caller's. */
  async begin(context: Context, authorizer: Authorizer<FetchResponse>): Promise<void> {
    const { request, options } = context;
    // here, because the hooks of a single request replace those of the instance
    for (const kind of ["onRequestError", "onResponse", "onResponseError"] as const) {
      const own: Hooks = options[kind];
      (options as Record<typeof kind, Hooks>)[kind] = async (context: Context) => {
        await this.#end(context);
        if (!this.#aside) await run(own, context);
        this.#left = context.options.retry;
      };
    }
    // a copy: ofetch 1.0 hands out the caller's own headers, or none
    const headers = new Headers(options.headers ?? (request as Request).headers);
    const { unexpired } = options;
    const signal = options.signal ?? this.#signal;
    const url = headers.has("authorization") ? undefined : await targetOf(context);
    const authorization = await authorizer.authorize({ url, signal, unexpired }).catch((error: unknown) => {
      if (!signal?.aborted) throw error; // else ofetch says so, in its own form
    });
    if (!authorization) return;
    headers.set("authorization", authorization.header);
    options.headers = headers;
    this.#authorization = authorization;
  }

  /**
   * Takes the token off a try that ended, so that no error of ofetch shows it. After a refusal has ofetch try once more,
   * in addition to the caller's own retries.
   */
  async #end(context: Context): Promise<void> {
    const { request, response, options } = context;
    const authorization = this.#authorization;
    if (!authorization) return;
    options.headers.delete("authorization");
    this.#authorization = undefined;
    if (!response || this.#aside === null) return;
    const { method = (request as Request).method, body = (request as Request).body } = options;
    let isOver = false;
    try {
      const header = await authorization.renew({
        response,
        status: response.status,
        headers: response.headers,
        url: response.url,
        method,
        body,
      });
      isOver = header === undefined;
    } catch (error) {
      if (!this.#signal?.aborted) throw error; // else the next try meets the abort, and ofetch says so in its own form
    } finally {
      if (!isOver) await response.body?.cancel().catch(() => {}); // where ofetch did not read it
    }
    if (!isOver) this.#repeat(context);
  }

  #repeat(context: Context): void {
    const { retry, retryStatusCodes, retryDelay, ignoreResponseError } = context.options;
    this.#aside = { retry, retryStatusCodes, retryDelay, ignoreResponseError, signal: this.#signal };
    Object.assign(context.options, { retry: 1, retryStatusCodes: [408], retryDelay: 0, ignoreResponseError: false });
    context.response = new Response(null, { status: 408 }); // which every version of ofetch tries again
  }
}

/** One after the other. ofetch itself takes several since 1.4. */
export async function run(hooks: Hooks, context: Context): Promise<void> {
  for (const hook of [hooks].flat()) await hook?.(context as never);
}

/** Where ofetch will send it. ofetch itself is asked, with a transport that only listens. */
async function targetOf({ request, options: { baseURL, query, params } }: Context): Promise<URL | undefined> {
  let target: URL | undefined;
  const listen = async (input: RequestInfo | URL) => {
    target = new URL((input as Request).url ?? input, globalThis.location?.href);
    return new Response();
  };
  const listener = createFetch({ fetch: listen, Headers });
  // where it is no URL, ofetch says so when it is its turn
  await listener.raw(request, { baseURL, query, params } as FetchOptions).catch(() => {});
  return target;
}
