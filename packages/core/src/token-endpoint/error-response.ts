import { TokenEndpointError, UnexpiredError } from "../errors.ts";
import type { EndpointResponse } from "../types.ts";
import { toDuration } from "../util/clock.ts";
import { maskQuotes, redact } from "../util/redact.ts";

/** Reads the body of an error response: RFC 6749 §5.2, and the places where other servers put the same. */
export function readError(body: unknown): { error?: string | undefined; description?: string | undefined } {
  const fields = fieldsOf(body);
  const { error, errors, error_code, error_description, msg, code, message, detail, __type, status } = fields;
  const inner = fieldsOf(error);
  const first = fieldsOf(Array.isArray(errors) ? errors[0] : undefined);
  const type = firstText(__type)?.replace(/^.*#/, ""); // AWS: "com.amazonaws.…#NotAuthorizedException"
  return {
    error: firstText(
      isCode(status) ? status : "",
      error,
      inner.code,
      inner.type,
      first.errorType,
      error_code,
      code,
      type,
    ),
    description: describe(firstText(error_description, inner.message, first.message, msg, message, detail), first),
  };
}

const fieldsOf = (value: unknown) => Object(value) as Readonly<Record<string, unknown>>;

const firstText = (...values: unknown[]): string | undefined =>
  values.find((value): value is string => typeof value === "string" && value !== "");

/** HubSpot's `status` is a code, such as "BAD_REFRESH_TOKEN"; that of others is "error" or "fail". */
const isCode = (status: unknown): boolean => typeof status === "string" && status.includes("_");

/** Adds the field and code of the first error, as Strava sends them: "Bad Request (refresh_token invalid)". */
function describe(description: string | undefined, { field, code }: Readonly<Record<string, unknown>>) {
  if (typeof field !== "string" || typeof code !== "string") return description;
  return description === undefined ? `${field} ${code}` : `${description} (${field} ${code})`;
}

/** Returns what an error response said, as it is stored and shown; `undefined` if there was none. */
export function toResponse({ status, error, description }: TokenEndpointError): EndpointResponse | undefined {
  if (status === undefined && error === undefined) return undefined;
  return {
    ...(status !== undefined && { status }),
    ...(error !== undefined && { error }),
    ...(description !== undefined && { description }),
  };
}

/** Returns the error for a stored response. */
export const toError = (response: EndpointResponse | undefined): TokenEndpointError | undefined =>
  response && new TokenEndpointError({ ...response, sent: true });

const MAX_TEXT_LENGTH = 200;

/** Converts an exception to a `TokenEndpointError` without secrets and with plausible values only. */
export function toEndpointError(thrown: unknown, secrets: readonly string[]): TokenEndpointError {
  if (!UnexpiredError.is(thrown) || thrown.code !== "TOKEN_ENDPOINT") {
    return new TokenEndpointError({ sent: true, cause: redact(thrown, secrets) });
  }
  const { error, description, status, retryAfter, sent, endpoint, body, cause } = thrown;
  const text = (given: unknown) =>
    typeof given === "string"
      ? maskQuotes(given, secrets)
          .replace(/\p{Cc}+/gu, " ")
          .slice(0, MAX_TEXT_LENGTH) || undefined
      : undefined;
  return new TokenEndpointError({
    error: text(error),
    description: text(description),
    status,
    retryAfter: clampRetryAfter(retryAfter),
    sent: sent !== false,
    endpoint: text(endpoint),
    body: body === "empty" || body === "json" || body === "other" ? body : undefined,
    cause: cause === undefined ? undefined : redact(cause, secrets),
  });
}

/** Limits the delay to plausible milliseconds, because it is stored and blocks every attempt until it has passed. */
const clampRetryAfter = (given: unknown): number | undefined =>
  typeof given === "number" && given >= 0 ? toDuration(given) : undefined;
