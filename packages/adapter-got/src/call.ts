import { type Authorization, type Authorizer, redactRequest, setInspectView } from "@unexpired/core/adapter";
import type { Options, OptionsInit, RequestError, Response } from "got";
import type { TokenContext } from "./per-request.ts";

type RequestInProgress = Pick<Options, "context" | "headers" | "signal" | "url">;

/** One call, including its redirects and retries. Its methods are got hooks. */
export class Call {
  readonly #authorizer: Authorizer<Response>;
  #authorization: Authorization<Response> | undefined;
  /** The URL of the first request, before redirects. */
  #startUrl: URL | undefined;
  #isRetried = false;
  #failure: unknown;

  constructor(authorizer: Authorizer<Response>) {
    this.#authorizer = authorizer;
  }

  /** Attaches the token to a request. got calls this for each redirect and each retry. */
  readonly attach = async (options: RequestInProgress): Promise<void> => {
    this.#removeToken(options); // got copies it to a redirect
    const { context, headers, signal, url } = options as RequestInProgress & { url: URL };
    this.#startUrl ??= url;
    if (headers.authorization || !this.#authorizer.mayFollow(this.#startUrl, url)) return;
    const authorization = await this.#authorizer
      .authorize({ ...(context as Partial<TokenContext>), url, signal })
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
      this.#isRetried &&= !response.ok; // the options may be reused for the next page
      return response;
    }
    const { body, hooks } = options;
    const header = await renew(authorization, response, body).catch(this.#recordFailure);
    if (!header) return response;
    this.#isRetried = true;
    request.retryCount--; // this retry does not count toward the caller's limit
    const { afterResponse } = hooks;
    const { calculateDelay } = options.retry as Required<Options["retry"]>;
    const again = retry({
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
    if (headers.authorization === authorization?.header) delete headers.authorization;
    this.#authorization = undefined;
    return authorization;
  }

  readonly #recordFailure = (failure: unknown): never => {
    this.#failure = failure;
    throw failure;
  };
}

const renew = (authorization: Authorization<Response>, response: Response, body: unknown) =>
  authorization.renew({ response, status: response.statusCode, headers: response.headers, body });
