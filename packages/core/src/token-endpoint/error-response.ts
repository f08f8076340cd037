import { TokenEndpointError, UnexpiredError } from "../errors.ts";
import type { EndpointResponse } from "../types.ts";
import { toDuration } from "../util/clock.ts";
import { maskQuotes, redact } from "../util/redact.ts";
import { isCode, isKnown, isTerminal } from "./error-codes.ts";

/**
 * Reads the body of an error response: RFC 6749 §5.2, and the places where other servers put the same. In a successful
 * response (`isOk`), only `error` and the codes that are known count as an error.
 */
export function readError(body: unknown, { isOk }: { readonly isOk: boolean }): EndpointResponse {
  const fields = fieldsOf(body);
  const inner = fieldsOf(fields.error);
  const first = fieldsOf(Array.isArray(fields.errors) ? fields.errors[0] : undefined);
  const hasField = typeof first.field === "string"; // Strava: `code` is what is wrong with the field
  const error = textOf(fields.error);
  const codes = textsOf(
    error,
    inner.code,
    inner.error,
    inner.type,
    first.errorType, // Fitbit
    hasField ? undefined : first.code,
    fields.error_code, // Supabase
    fields.errorCode, // Okta
    fields.code,
    textOf(fields.__type)?.replace(/^.*#/, ""), // AWS: "com.amazonaws.…#NotAuthorizedException"
  );
  const { error_description, errorSummary, msg, message, detail, errors, status } = fields;
  const texts = textsOf(error_description, errorSummary, inner.message, first.message, msg, message, detail, errors);
  // HubSpot's `status` is a code, and so are the messages of some servers
  const candidates = [...codes, ...[...textsOf(status), ...texts].filter((text) => !/\s/.test(text))];
  const code = candidates.find(isTerminal) ?? candidates.find(isKnown) ?? (isOk ? textsOf(error) : codes).find(isCode);
  const description = [...texts, ...textsOf(error).filter((text) => !isCode(text))].find((text) => text !== code);
  return { error: code, description: withDetail(description, detailOf(first, fields)) };
}

type Fields = Readonly<Record<string, unknown>>;

const fieldsOf = (value: unknown) => Object(value) as Fields;

/** Returns a text, or the first one of an array. */
const textOf = (value: unknown): string | undefined => {
  const texts = [value].flat().filter((each): each is string => typeof each === "string" && each !== "");
  return texts[0];
};

const textsOf = (...values: unknown[]): string[] => values.flatMap((value) => textOf(value) ?? []);

/** Returns what else a server tells: the field and code of the first error (Strava), or a second code (Entra). */
function detailOf({ field, code }: Fields, { suberror }: Fields): string | undefined {
  return typeof field === "string" && typeof code === "string" ? `${field} ${code}` : textOf(suberror);
}

const withDetail = (description: string | undefined, detail: string | undefined): string | undefined =>
  description === undefined || detail === undefined ? (description ?? detail) : `${description} (${detail})`;

/** Begins the description of a successful response in which the option `read` of `jsonRefresh` found no tokens. */
export const UNREAD = "the option read ";

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
/** The length that a verdict is based on: a description may name another cause only at its end. */
const MAX_JUDGED_LENGTH = 2_000;

/** Converts an exception to a `TokenEndpointError` without secrets and with plausible values only. */
export const toEndpointError = (thrown: unknown, secrets: readonly string[]): TokenEndpointError =>
  toSafeError(thrown, secrets, MAX_TEXT_LENGTH);

/** Like {@link toEndpointError}, with a long description, on which a verdict can be based. */
export const toJudgedError = (thrown: unknown, secrets: readonly string[]): TokenEndpointError =>
  toSafeError(thrown, secrets, MAX_JUDGED_LENGTH);

function toSafeError(thrown: unknown, secrets: readonly string[], length: number): TokenEndpointError {
  if (!isEndpointError(thrown)) return new TokenEndpointError({ sent: true, cause: redact(thrown, secrets) });
  const { error, description, status, retryAfter, sent, endpoint, endpointKind, body, cause } = thrown;
  const text = (given: unknown) =>
    typeof given === "string"
      ? maskQuotes(given.slice(0, MAX_JUDGED_LENGTH), secrets)
          .replace(/\p{Cc}+/gu, " ")
          .slice(0, length) || undefined
      : undefined;
  return new TokenEndpointError({
    error: text(error),
    description: text(description),
    status: Number.isInteger(status) ? status : undefined,
    retryAfter: clampRetryAfter(retryAfter),
    sent: sent !== false,
    endpoint: text(endpoint),
    endpointKind: text(endpointKind),
    body: body === "empty" || body === "json" || body === "other" ? body : undefined,
    cause: cause === undefined ? undefined : redact(cause, secrets),
  });
}

function isEndpointError(thrown: unknown): thrown is TokenEndpointError {
  try {
    return UnexpiredError.is(thrown) && thrown.code === "TOKEN_ENDPOINT";
  } catch {
    return false; // a proxy that was revoked
  }
}

/** Limits the delay to plausible milliseconds, because it is stored and blocks every attempt until it has passed. */
const clampRetryAfter = (given: unknown): number | undefined =>
  typeof given === "number" && given >= 0 ? toDuration(given) : undefined;
