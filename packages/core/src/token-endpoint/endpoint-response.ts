import { TokenEndpointError, UnexpiredError } from "../errors.ts";
import { expiryOf } from "../tokens/jwt.ts";
import { abortable } from "../util/abortable.ts";
import { systemClock } from "../util/clock.ts";
import { DEFAULT_TIMEOUT, onPunctualTick } from "../util/deadline.ts";
import { retryAfterOf } from "../util/retry-after.ts";
import { withoutQuery } from "./endpoint-url.ts";
import { readError, toJudgedError } from "./error-response.ts";
import { isUnsent } from "./unsent.ts";

/** A request to an endpoint. */
export interface EndpointRequest {
  /** The URL for messages. */
  readonly endpoint: string | undefined;
  /** The kind of endpoint. Default: the token endpoint. */
  readonly kind?: string | undefined;
  /** The deadline of the exchange in milliseconds. Half of it is for preparing the request. */
  readonly timeout: number | undefined;
  /** Aborts at that deadline. */
  readonly signal: AbortSignal;
}

/**
 * Turns every failure of `run` into a `TokenEndpointError` that contains none of the secrets. `run` calls its parameter
 * when the request is about to be sent; functions of the caller that prepare it may never settle. If that takes longer than
 * half the deadline, nothing is sent: the deadline itself would count as a lost response.
 */
export async function withEndpointErrors<T>(
  secrets: () => readonly string[],
  { endpoint, kind, timeout = DEFAULT_TIMEOUT, signal }: EndpointRequest,
  run: (onSend: () => void) => Promise<T>,
): Promise<T> {
  const preparation = new Preparation(timeout / 2, signal);
  try {
    return await preparation.race(run(() => preparation.end()));
  } catch (error) {
    const isKnown = UnexpiredError.is(error) && error.code === "TOKEN_ENDPOINT";
    const sent = preparation.isComplete && !isUnsent(error);
    throw toJudgedError(
      isKnown ? error : new TokenEndpointError({ sent, endpoint, endpointKind: kind, cause: error }),
      secrets(),
    );
  }
}

/** The preparation of a request, which ends when the request is sent, or fails. */
class Preparation {
  readonly #controller = new AbortController();
  readonly #cancel: () => void;
  isComplete = false;

  constructor(milliseconds: number, signal: AbortSignal) {
    const message = `The request was not ready within ${milliseconds} ms. Check the functions that prepare it.`;
    const onTick = () => this.#fail(new DOMException(message, "TimeoutError"));
    this.#cancel = onPunctualTick(onTick, systemClock, { milliseconds });
    signal.addEventListener("abort", () => this.#fail(signal.reason), { once: true });
    if (signal.aborted) this.#fail(signal.reason);
  }

  #fail(reason: unknown): void {
    if (!this.isComplete) this.#controller.abort(reason);
  }

  /** Settles like `sending`, or rejects as soon as the preparation has failed. */
  race<T>(sending: Promise<T>): Promise<T> {
    return abortable(sending, this.#controller.signal).finally(this.#cancel);
  }

  /** Must be called when the request is about to be sent. Throws if it is too late for that. */
  end(): void {
    this.#controller.signal.throwIfAborted();
    this.isComplete = true;
  }
}

/** Returns the error for a response that holds no tokens. */
export function toResponseError(
  response: Response,
  text: string,
  { endpoint, kind }: Pick<EndpointRequest, "endpoint" | "kind">,
): TokenEndpointError {
  const { status, headers } = response;
  const json = tryJson(text);
  const { error, description = redirectionOf(response, endpoint) } = readError(json, { isOk: response.ok });
  return new TokenEndpointError({
    error,
    description,
    status,
    retryAfter: retryAfterOf(headers, systemClock.now()),
    sent: true,
    endpoint,
    endpointKind: kind,
    body: text.trim() === "" ? "empty" : json ? "json" : "other",
  });
}

/** Says where a response redirects to, without the query, which may contain keys. */
function redirectionOf({ status, headers }: Response, endpoint: string | undefined): string | undefined {
  const location = headers.get("location");
  const isRedirect = status >= 300 && status < 400 && location !== null && URL.canParse(location, endpoint);
  return isRedirect ? `redirects to ${withoutQuery(new URL(location, endpoint))}` : undefined;
}

/** Returns the object or array that a body holds; `undefined` if it is not JSON, or a JSON of another kind. */
export function tryJson(body: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // HTML, or an empty body
  }
}

/**
 * Returns the lifetime of a JWT in seconds, as the difference between its `exp` and the `Date` header. Both follow the
 * server's clock, so the result does not depend on ours.
 */
export function lifetimeByServer(accessToken: string, { headers }: Response): number | undefined {
  const lifetime = (expiryOf(accessToken) ?? Number.NaN) - Date.parse(headers.get("date") ?? "");
  return lifetime > 0 ? lifetime / 1000 : undefined;
}
