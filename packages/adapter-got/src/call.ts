import { type Authorization, type Authorizer, redactRequest, setInspectView } from "@unexpired/core/adapter";
import type { Options, OptionsInit, RequestError, Response } from "got";
import type { Connection, KnownConnections } from "./connection.ts";
import type { TokenContext } from "./per-request.ts";

type RequestInProgress = Pick<Options, "context" | "headers" | "signal" | "url" | keyof Connection>;

/** The beginning of a call. */
interface CallStart {
  readonly connections: KnownConnections;
  /** The options of the request, before got serializes its body. */
  readonly request: Pick<Options, "body" | "headers">;
}

/** One call, including its redirects and retries. Its methods are got hooks. */
export class Call {
  readonly #authorizer: Authorizer<Response>;
  readonly #connections: KnownConnections;
  /** Options that send the caller's `FormData` again; `undefined` if the body is something else. */
  readonly #form: Pick<OptionsInit, "body" | "headers"> | undefined;
  /** The body as got serialized it. */
  #serialized: unknown;
  #authorization: Authorization<Response> | undefined;
  /** The URL of the first request, before redirects. */
  #startUrl: URL | undefined;
  #isRetried = false;
  #failure: unknown;

  constructor(authorizer: Authorizer<Response>, { connections, request: { body, headers } }: CallStart) {
    this.#authorizer = authorizer;
    this.#connections = connections;
    const type = "content-type"; // unless the caller has set it, got adds one with the boundary of each serialization
    if (isForm(body)) this.#form = { body, headers: { [type]: headers[type] } };
  }

  /** Whether the body is a `FormData`, which got is about to serialize. */
  get hasForm(): boolean {
    return this.#form !== undefined;
  }

  /** Records the body that got made of the caller's `FormData`. */
  readonly recordBody = ({ body }: Pick<Options, "body">): void => {
    this.#serialized = body;
  };

  /** Attaches the token to a request. got calls this for each redirect and each retry. */
  readonly attach = async (options: RequestInProgress): Promise<void> => {
    this.#removeToken(options); // got copies it to a redirect
    const { context, headers, signal } = options;
    const url = options.url as URL;
    this.#startUrl ??= url;
    if (headers.authorization || (url !== this.#startUrl && !this.#authorizer.mayFollow(this.#startUrl, url))) return;
    if (this.#connections.isConnectedElsewhere(options, url)) return;
    const authorization = await this.#authorizer
      .authorize({ ...(context as Partial<TokenContext>), url, host: hostOf(headers), signal })
      .catch(this.#recordFailure);
    if (!authorization || signal?.aborted) return;
    headers.authorization = authorization.header;
    this.#authorization = authorization;
  };

  /** Retries the request once after a 401, in addition to the retries that the caller configured. */
  readonly retry = async (
    response: Response,
    retry: (options: OptionsInit) => Promise<Response>,
  ): Promise<Response> => {
    const { request } = response;
    const { options } = request;
    const authorization = this.#removeToken(options);
    if (!authorization || this.#isRetried) {
      authorization?.report({ status: response.statusCode, headers: response.headers });
      this.#isRetried &&= !response.ok; // the options may be reused for the next page
      return response;
    }
    if (authorization.accepts(response.statusCode)) return response;
    const { body, hooks } = options;
    const form = body && body === this.#serialized ? this.#form : undefined; // a redirect may have dropped the body
    const header = await renew(authorization, response, form ? undefined : body).catch(this.#recordFailure);
    if (!header) return response;
    this.#isRetried = true;
    request.retryCount--; // this retry does not count toward the caller's limit
    const { afterResponse } = hooks;
    const { calculateDelay } = options.retry as Required<Options["retry"]>;
    const again = retry({
      ...form,
      retry: {
        // the caller's `calculateDelay` does not apply to this retry
        calculateDelay: (attempt) => (attempt.error.name === "RetryError" ? 1 : calculateDelay(attempt)),
      },
    });
    hooks.afterResponse = afterResponse; // got removes them from the response that the caller receives
    return again;
  };

  /** Removes the token from an error, and hides what references it, such as an agent with other requests in flight. */
  readonly cleanError = (error: RequestError): RequestError => {
    const { name, options, request, response } = error;
    if (!options?.headers) return error; // got rejected the options, or another hook replaced the error
    const authorization = this.#removeToken(options);
    // the error of a stream, which cannot be retried: refresh for the next call
    if (authorization && response) renew(authorization, response as Response, request).catch(() => {});
    if (this.#failure) error.cause ??= this.#failure; // early versions of got drop it
    const { method, throwHttpErrors, url } = options;
    // with `throwHttpErrors: false`, got returns the error's response to the caller
    const isThrown = throwHttpErrors || name !== "HTTPError";
    const view = redactRequest({ method, url, status: response?.statusCode }, isThrown ? error : undefined);
    for (const each of [options, response]) setInspectView(each, () => view);
    return error;
  };

  #removeToken({ headers }: Pick<Options, "headers">): Authorization<Response> | undefined {
    const authorization = this.#authorization;
    if (authorization && headers.authorization === authorization.header) delete headers.authorization;
    this.#authorization = undefined;
    return authorization;
  }

  readonly #recordFailure = (failure: unknown): never => {
    this.#failure = failure;
    throw failure;
  };
}

const isForm = (body: unknown): body is FormData => Object.prototype.toString.call(body) === "[object FormData]";

/** Returns the request's own `Host` header. */
const hostOf = ({ host }: Options["headers"]): string | undefined => (host === undefined ? undefined : String(host));

const renew = (authorization: Authorization<Response>, response: Response, body: unknown) =>
  authorization.renew({ response, status: response.statusCode, headers: response.headers, body });
