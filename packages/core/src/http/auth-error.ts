import { type AnyUnexpiredError, UnexpiredError } from "../errors.ts";
import type { RejectingResponse } from "../types.ts";
import { type ResponseHeaders, toReadable } from "./headers.ts";

const MAX_ERRORS = 25; // one may contain itself, or thousands

/**
 * Returns whether the user has to authenticate: `error` is, or wraps, a `SignInRequiredError` or a 401 of an HTTP client,
 * in any of the shapes that popular clients throw. The code `UNAUTHENTICATED` of a GraphQL server counts as a 401. A 401
 * whose cause is another error of this library does not count: the token could not be replaced for another reason, such
 * as an authorization server that is down.
 *
 * Follows `cause`, the `suppressed` error of a `SuppressedError`, Apollo's `networkError`, and the `lastError` of the AI
 * SDK's `RetryError`. Never throws.
 */
export function isAuthError(error: unknown): boolean {
  for (const each of wrappedIn(error)) {
    if (isOwn(each) ? each.code === "SIGN_IN_REQUIRED" : statusOf(each) === 401 && !hasOwnCause(each)) return true;
  }
  return false;
}

/**
 * Returns the error of this library that `error` is or wraps, or `undefined`: some clients, such as got, wrap the errors
 * of their hooks, and `await using` wraps an error if closing fails, too. Follows the same properties as
 * {@link isAuthError}. Narrow the result on `code`. Never throws.
 */
export function authErrorOf(error: unknown): AnyUnexpiredError | undefined {
  for (const each of wrappedIn(error)) if (isOwn(each)) return each;
  return undefined;
}

/**
 * Returns the response that an error of an HTTP client is about, or `undefined`: if the error has no status, or if
 * it is, wraps or was caused by an error of this library. Never throws.
 */
export function responseOf(error: unknown): RejectingResponse | undefined {
  if (authErrorOf(error)) return undefined;
  for (const each of wrappedIn(error)) {
    const status = statusOf(each);
    const headers = HEADERS_PATHS.map((path) => path.reduce<unknown>(read, each)).find(isHeaders);
    if (status !== undefined) return { status, headers: headers && toReadable(headers) };
  }
  return undefined;
}

const HEADERS_PATHS = [["headers"], ["response", "headers"], ["meta", "response", "headers"]] as const;

const isHeaders = (value: unknown): value is ResponseHeaders => typeof value === "object" && value !== null;

/** Returns whether an error was caused by one of this library. */
function hasOwnCause(error: object): boolean {
  let cause: unknown = error;
  for (let depth = 0; depth < MAX_ERRORS; depth++) {
    cause = read(cause, "cause");
    if (isOwn(cause)) return true;
  }
  return false;
}

/** Yields an error and those that it wraps, nearest first. */
function* wrappedIn(error: unknown): Generator<object> {
  const found = new Set([error]); // the loop also visits what is added to it
  for (const each of found) {
    if (typeof each === "object" && each !== null) {
      yield each;
      for (const inner of innerErrors(each)) found.add(inner);
    }
    if (found.size > MAX_ERRORS) return;
  }
}

/** Returns what an error wraps: of our own errors nothing, because their causes are not about the caller's request. */
function innerErrors(error: object): readonly unknown[] {
  if (isOwn(error)) return [];
  const inner = ["cause", "suppressed", "networkError", "lastError"].map((key) => read(error, key));
  const thrownByDisposal = read(error, "suppressed") === undefined ? undefined : read(error, "error");
  return [...inner, thrownByDisposal];
}

/** Where clients keep the HTTP status. `code` is last, because it may be a code of another kind. */
const STATUS_PATHS = [
  ["status"],
  ["statusCode"],
  ["response", "status"],
  ["response", "statusCode"],
  ["data", "httpStatus"], // tRPC
  ["meta", "response", "status"], // tRPC, for a response that does not come from tRPC
  ["$metadata", "httpStatusCode"], // AWS
  ["code"], // Google, Feathers, MCP
] as const;

/** Where GraphQL clients keep the errors of a response: Apollo, its version 3 and urql, and graphql-request. */
const GRAPHQL_PATHS = [["errors"], ["graphQLErrors"], ["response", "errors"]] as const;

/** Returns the HTTP status of an error. GraphQL servers that reject a token may respond with 200. */
function statusOf(error: object): number | undefined {
  if (GRAPHQL_PATHS.some((path) => hasUnauthenticated(path.reduce<unknown>(read, error)))) return 401;
  const values = STATUS_PATHS.map((path) => path.reduce<unknown>(read, error));
  return values.map(toStatus).find((status) => status !== undefined);
}

/** Returns whether one of the first errors in a list has the code for a missing or rejected token. */
function hasUnauthenticated(errors: unknown): boolean {
  const first = Array.from({ length: MAX_ERRORS }, (_, index) => read(errors, `${index}`));
  return first.some((each) => read(read(each, "extensions"), "code") === "UNAUTHENTICATED");
}

/** Returns a number that can be an HTTP status, which may be a string (Google). */
const toStatus = (value: unknown): number | undefined =>
  (typeof value === "number" || typeof value === "string") && /^[1-5]\d\d$/.test(`${value}`)
    ? Number(value)
    : undefined;

function read(holder: unknown, key: string): unknown {
  try {
    return Reflect.get(Object(holder), key);
  } catch {
    return undefined; // the getter threw
  }
}

function isOwn(value: unknown): value is AnyUnexpiredError {
  try {
    return UnexpiredError.is(value);
  } catch {
    return false; // a proxy that was revoked
  }
}
