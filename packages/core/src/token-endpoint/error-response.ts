import { TokenEndpointError, UnexpiredError } from "../errors.ts";
import { blank, redact } from "../util/redact.ts";

/** What an error answer's body says: RFC 6749 §5.2, or what some servers make of it. */
export function readError(body: unknown): { error?: string | undefined; description?: string | undefined } {
  const { error, error_code, error_description, msg, code: body_code, message: body_message } = fieldsOf(body);
  const { code, type, message } = fieldsOf(error);
  const text = (...values: unknown[]) => values.find((value) => typeof value === "string" && value !== "");
  return {
    error: text(error, code, type, error_code, body_code) as string | undefined,
    description: text(error_description, message, msg, body_message) as string | undefined,
  };
}

const fieldsOf = (value: unknown) => Object(value) as Readonly<Record<string, unknown>>;

const LONGEST_TEXT = 200;
const LONGEST_WAIT = 24 * 60 * 60_000;

/** The error with nothing in it that might hold a token, or make no sense. */
export function toEndpointError(thrown: unknown, secrets: readonly string[]): TokenEndpointError {
  if (!UnexpiredError.is(thrown) || thrown.code !== "TOKEN_ENDPOINT") {
    return new TokenEndpointError({ sent: true, cause: redact(thrown, secrets) });
  }
  const { error, description, status, retryAfter, sent, endpoint, cause } = thrown;
  const text = (given: unknown) =>
    typeof given === "string"
      ? blank(given, secrets)
          .replace(/\p{Cc}+/gu, " ")
          .slice(0, LONGEST_TEXT) || undefined
      : undefined;
  return new TokenEndpointError({
    error: text(error),
    description: text(description),
    status,
    retryAfter: toWait(retryAfter),
    sent: sent !== false,
    endpoint: text(endpoint),
    cause: cause === undefined ? undefined : redact(cause, secrets),
  });
}

/** Milliseconds that make sense: it is stored, and nobody tries again before. */
const toWait = (given: unknown): number | undefined =>
  typeof given === "number" && given >= 0 ? Math.min(given, LONGEST_WAIT) : undefined;
