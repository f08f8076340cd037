import { type Authorization, type Authorizer, redactRequest, setInspectView } from "@unexpired/core/adapter";
import type { Options, OptionsInit, RequestError, Response } from "got";
import type { SettingsInContext } from "./per-request.ts";

type Sending = Pick<Options, "context" | "headers" | "signal" | "url">;

/** One call, through its redirects and tries. Its functions are hooks of got's. */
export class Call {
  readonly #authorizer: Authorizer<Response>;
  #authorization: Authorization<Response> | undefined;
  /** Where the first try began. */
  #first: URL | undefined;
  #isRepeated = false;
  #failure: unknown;

  constructor(authorizer: Authorizer<Response>) {
    this.#authorizer = authorizer;
  }

  /** Puts the token on a request; got calls this for each redirect and each try. */
  readonly attach = async (options: Sending): Promise<void> => {
    this.#takeOff(options); // got copied it into a redirect
    const { context, headers, signal, url } = options as Sending & { url: URL };
    this.#first ??= url;
    if (headers.authorization || !this.#authorizer.mayFollow(this.#first, url)) return;
    const settings = context as Partial<SettingsInContext>;
    const authorization = await this.#authorizer.authorize({ ...settings, url, signal }).catch(this.#note);
    if (!authorization || signal?.aborted) return;
    headers.authorization = authorization.header;
    this.#authorization = authorization;
  };

  /** After a 401: has got send the request once more, in addition to the caller's own retries. */
  readonly repeat = async (
    response: Response,
    retry: (options: OptionsInit) => Promise<Response>,
  ): Promise<Response> => {
    const { request } = response;
    const { options } = request;
    const authorization = this.#takeOff(options);
    if (!authorization || this.#isRepeated) {
      this.#isRepeated &&= !response.ok; // got may be given these options again, for a next page
      return response;
    }
    const { body, hooks } = options;
    const header = await renew(authorization, response, body).catch(this.#note);
    if (!header) return response;
    this.#isRepeated = true;
    request.retryCount--; // it is not one of the caller's retries
    const { afterResponse } = hooks;
    const { calculateDelay } = options.retry as Required<Options["retry"]>;
    const again = retry({
      retry: {
        // a rule of the caller's own is not asked about our one more
        calculateDelay: (attempt) => (attempt.error.name === "RetryError" ? 1 : calculateDelay(attempt)),
      },
    });
    hooks.afterResponse = afterResponse; // got takes them away from the response that the caller gets
    return again;
  };

  /** Takes the token off an error, and what leads to it. The caller's agent, for one, leads to others' and does not print. */
  readonly complete = (error: RequestError): RequestError => {
    const { name, options, request, response } = error;
    if (!options?.headers) return error; // got could make nothing of them, or somebody's hook made an error of its own
    const authorization = this.#takeOff(options);
    // of a stream, which cannot be repeated: for the next call
    if (authorization && response) renew(authorization, response as Response, request).catch(() => {});
    if (this.#failure) error.cause ??= this.#failure; // early versions drop it
    const { method, throwHttpErrors, url } = options;
    // else got takes the response out of the error, for the caller
    const isThrown = throwHttpErrors || name !== "HTTPError";
    const view = redactRequest({ method, url, status: response?.statusCode }, isThrown ? error : undefined);
    for (const each of [options, response]) setInspectView(each, () => view);
    return error;
  };

  #takeOff({ headers }: Pick<Options, "headers">): Authorization<Response> | undefined {
    const authorization = this.#authorization;
    if (headers.authorization === authorization?.header) delete headers.authorization;
    this.#authorization = undefined;
    return authorization;
  }

  readonly #note = (failure: unknown): never => {
    this.#failure = failure;
    throw failure;
  };
}

const renew = (authorization: Authorization<Response>, response: Response, body: unknown) =>
  authorization.renew({ response, status: response.statusCode, headers: response.headers, body });
