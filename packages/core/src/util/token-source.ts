import type { CallOptions, RejectionOptions, TokenSet, TokenSource } from "../types.ts";
import { abortable } from "./abortable.ts";
import { systemClock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";
import { describeType } from "./describe-type.ts";

/** Returns whether a value has the methods of a token source. */
export function isTokenSource(given: unknown): given is TokenSource {
  const { getTokenSet, replaceRejected } = Object(given) as Partial<TokenSource>;
  return typeof getTokenSet === "function" && typeof replaceRejected === "function";
}

/** @throws TypeError that names the argument `name`, if `given` is not a token source */
export function assertTokenSource(given: unknown, name: string): asserts given is TokenSource {
  if (isTokenSource(given)) return;
  throw new TypeError(`${name}: expected a token manager or another TokenSource, not ${describeType(given)}.`);
}

/**
 * The key of the status of the sources that this package creates, also in other copies of it. Their calls end within bounds of
 * their own. A closed source never has a token again.
 */
export const SOURCE_STATUS = Symbol.for("unexpired.source-status.1");
export type SourceStatus = "open" | "closed";

/** Marks a source that this package creates and that is never closed. */
export const markOwn = <T extends TokenSource>(source: T): T =>
  Object.defineProperty(source, SOURCE_STATUS, { value: "open" satisfies SourceStatus });

const statusOf = (source: TokenSource): SourceStatus | undefined => Reflect.get(source, SOURCE_STATUS);

/** Returns whether the source is a token manager that was closed. */
export const isClosed = (source: TokenSource): boolean => statusOf(source) === "closed";

/** The key of a function that returns the source of the request that is being made, for sources that use several. */
export const SOURCE_OF_CALL = Symbol.for("unexpired.source-of-call.1");

/** Returns the source for one request, from its token to its retry. */
export function sourceOfCall(source: TokenSource): TokenSource {
  const current = Reflect.get(source, SOURCE_OF_CALL) as (() => TokenSource) | undefined;
  return current ? sourceOfCall(current()) : source;
}

/** Returns the tokens of a source. One of foreign code has five minutes. */
export const requestTokens = (source: TokenSource, options: CallOptions | undefined): Promise<TokenSet> =>
  statusOf(source) ? source.getTokenSet(options) : inTime(() => source.getTokenSet(options), options);

/** Returns another token of the source than the rejected one. A source of foreign code has five minutes. */
export const requestReplacement = (
  source: TokenSource,
  rejected: string,
  options: RejectionOptions,
): Promise<string> =>
  statusOf(source)
    ? source.replaceRejected(rejected, options)
    : inTime(() => source.replaceRejected(rejected, options), options);

/** In milliseconds. A source may wrap a token manager, which waits for other processes, or ask the user. */
const DEADLINE = 5 * 60_000;

const LATE = {
  milliseconds: DEADLINE,
  message: "The token source did not respond within 5 minutes. Check that its promises settle.",
};

const inTime = <T>(run: () => Promise<T>, options: CallOptions | undefined): Promise<T> =>
  abortable(withDeadline(run, systemClock, LATE), options?.signal);

/** Returns whether a response with this status rejects the access token of the source. */
export const isRejectionFor = (source: TokenSource, status: number, accessToken: string): boolean =>
  typeof source.isRejection === "function" ? source.isRejection(status, accessToken) === true : status === 401;
