import { TokenEndpointError, UnexpiredError } from "../errors.ts";
import { toDuration } from "../util/clock.ts";
import { maskSecrets, redact } from "../util/redact.ts";

/** Reads the body of an error response: RFC 6749 §5.2, and the variants of some servers. */
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

const MAX_TEXT_LENGTH = 200;

/** Converts an exception to a `TokenEndpointError` without secrets and with plausible values only. */
export function toEndpointError(thrown: unknown, secrets: readonly string[]): TokenEndpointError {
  if (!UnexpiredError.is(thrown) || thrown.code !== "TOKEN_ENDPOINT") {
    return new TokenEndpointError({ sent: true, cause: redact(thrown, secrets) });
  }
  const { error, description, status, retryAfter, sent, endpoint, cause } = thrown;
  const text = (given: unknown) =>
    typeof given === "string"
      ? maskSecrets(given, secrets)
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
    cause: cause === undefined ? undefined : redact(cause, secrets),
  });
}

/** Limits the delay to plausible milliseconds, because it is stored and blocks every attempt until it has passed. */
const clampRetryAfter = (given: unknown): number | undefined =>
  typeof given === "number" && given >= 0 ? toDuration(given) : undefined;
