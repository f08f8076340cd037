import type { Authorizer } from "@unexpired/core";
import type { Options, OptionsInit, RequestError, Response } from "got";

interface Sent {
  readonly accessToken: string;
  readonly url: URL;
}

/** What one request carries through its redirects and tries: got hands what is in `context` on from one to the next. */
interface Ticket {
  /** Takes the token off the try that is under way. A function, because errors of got print their context. */
  detach: () => Sent | undefined;
  /** The request had its 401. */
  asked: boolean;
  /** Why there was no token. */
  failure?: unknown;
}

const TICKET = Symbol("unexpired.ticket");

const ticketOf = ({ context }: Pick<Options, "context">): Ticket => {
  const carrier: { [TICKET]?: Ticket } = context;
  carrier[TICKET] ??= { detach: () => undefined, asked: false };
  return carrier[TICKET];
};

type Trying = Pick<Options, "context" | "headers" | "url" | "signal">;

/** Puts the token on a request; got calls this for each redirect and each try. */
export async function attach(options: Trying, authorizer: Authorizer): Promise<void> {
  const { headers, signal } = options;
  const ticket = ticketOf(options);
  const before = ticket.detach();
  if (before && headers.authorization === header(before)) delete headers.authorization; // got copied it into a redirect
  if (headers.authorization !== undefined) return;
  const url = new URL(options.url ?? "");
  const accessToken = await authorizer.tokenFor(url, { signal }).catch(noteIn(ticket));
  if (accessToken === undefined) return;
  const sent = { accessToken, url };
  headers.authorization = header(sent);
  const answered = new AbortController();
  ticket.detach = () => {
    answered.abort();
    ticket.detach = () => undefined;
    if (headers.authorization === header(sent)) delete headers.authorization;
    return sent;
  };
  // the one error that got makes without asking beforeError
  signal?.addEventListener("abort", () => ticket.detach(), { signal: answered.signal });
}

const noteIn = (ticket: Ticket) => (failure: unknown) => {
  ticket.failure = failure;
  throw failure;
};

const header = ({ accessToken }: Sent) => `Bearer ${accessToken}`;

interface Answered {
  readonly response: Response;
  /** Throws what makes got send the request again. */
  readonly retry: (options: OptionsInit) => Promise<Response>;
  readonly authorizer: Authorizer;
}

/** After a 401: has got send the request once more, in addition to the caller's own retries. */
export async function repeat({ response, retry, authorizer }: Answered): Promise<Response> {
  const { options } = response.request;
  const ticket = ticketOf(options);
  const sent = ticket.detach();
  if (!sent || ticket.asked) return response;
  ticket.asked = response.statusCode === 401;
  const answer = {
    ...sent,
    status: response.statusCode,
    wwwAuthenticate: response.headers["www-authenticate"],
    replayable: isReplayable(options.body),
  };
  const newer = await authorizer.tokenAfter(answer, { signal: options.signal }).catch(noteIn(ticket));
  if (newer === undefined) return response;
  const { afterResponse } = options.hooks;
  const again = retry({ retry: oneMore(options) });
  options.hooks.afterResponse = afterResponse; // got takes them away from the response that the caller gets
  return again;
}

/** The caller's retries, and ours: a rule of the caller's own is not asked about it. */
const oneMore = ({ retry: { limit = 0, calculateDelay } }: Pick<Options, "retry">): OptionsInit["retry"] & object => ({
  limit: limit + 1,
  calculateDelay: (attempt) =>
    attempt.error.name === "RetryError"
      ? attempt.computedValue
      : (calculateDelay?.({ ...attempt, attemptCount: attempt.attemptCount - 1 }) ?? attempt.computedValue),
});

/** got prints the options of its errors: takes the token off them. Early versions of 14 drop the cause: puts ours back. */
export function complete(error: RequestError): RequestError {
  const ticket = ticketOf(error.options);
  ticket.detach();
  if (ticket.failure !== undefined) error.cause ??= ticket.failure;
  return error;
}

/** Streams, iterators and async iterables can be read only once; so can what got makes of a `FormData`. */
const isReplayable = (body: unknown): boolean =>
  typeof body !== "object" ||
  body === null ||
  !["pipe", "getReader", "next", Symbol.asyncIterator].some((key) => key in body);
