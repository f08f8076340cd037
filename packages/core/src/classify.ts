import { TokenEndpointError, UnexpiredError } from "./errors.ts";
import { blank, redact } from "./redact.ts";
import { parseTokenResponse } from "./token-set.ts";
import type { DeadReason, ProviderProfile, TokenSet } from "./types.ts";

/** How an exchange ended. */
export type Outcome =
  | { readonly kind: "rotated"; readonly tokens: TokenSet }
  | { readonly kind: "terminal"; readonly reason: DeadReason; readonly error: TokenEndpointError }
  | { readonly kind: "misconfigured"; readonly error: TokenEndpointError }
  | { readonly kind: "transient"; readonly error: TokenEndpointError }
  | { readonly kind: "lost"; readonly error: TokenEndpointError };

/** `invalid_grant`, and what servers that do not follow RFC 6749 §5.2 say in its place. */
const TERMINAL = [
  "invalid_grant",
  "bad_refresh_token", // GitHub
  "invalid_refresh_token", // Slack
  "refresh_token_already_used", // Supabase
  "refresh_token_not_found",
  "refresh_token_expired", // OpenAI
  "refresh_token_invalidated",
  "refresh_token_reused",
];

/** RFC 6749 §5.2, RFC 8707 §2: the client is wrong, not the session. */
const MISCONFIGURED = [
  "invalid_client",
  "incorrect_client_credentials", // GitHub
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "invalid_request",
  "invalid_target",
];

/** What an answer is judged by. */
export interface Judgement {
  /** When the request was sent, in epoch milliseconds. */
  readonly sentAt: number;
  readonly profile: ProviderProfile;
  /** What no error may show. */
  readonly secrets: readonly string[];
}

/** What a refresh function returned. The body comes first: some servers answer 200 with an error in it. */
export function classifyAnswer(response: unknown, { sentAt, profile, secrets }: Judgement): Outcome {
  const tokens = parseTokenResponse(response, sentAt);
  if (tokens) return { kind: "rotated", tokens };
  const said = readError(response);
  const cause = said.error === undefined ? new Error("The answer holds no access_token.") : undefined;
  return classifyError(new TokenEndpointError({ ...said, status: 200, sent: true, cause }), profile, secrets);
}

/** What a refresh function threw. Anything but a `TokenEndpointError` counts as sent, answer lost. */
export function classifyError(thrown: unknown, profile: ProviderProfile, secrets: readonly string[]): Outcome {
  const error = toEndpointError(thrown, secrets);
  const { error: code, status, sent } = error;
  if (code !== undefined && [...TERMINAL, ...profile.terminalCodes].includes(code)) {
    return { kind: "terminal", reason: reasonOf(error), error };
  }
  if (code !== undefined && MISCONFIGURED.includes(code)) return { kind: "misconfigured", error };
  if (!sent) return { kind: "transient", error };
  const isFromGateway = status === 502 || status === 504;
  const isAnswered = isCode(code) || (status !== undefined && !isFromGateway);
  return { kind: isAnswered ? "transient" : "lost", error };
}

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

/** A code, and not the prose ("Bad Gateway") of something that stands before the server. */
const isCode = (code: string | undefined): boolean => code !== undefined && !code.includes(" ");

/** The code alone does not tell; most servers say no more than `invalid_grant`. */
function reasonOf({ error, description }: TokenEndpointError): DeadReason {
  const said = `${error} ${description}`;
  if (/reuse|already[ _](been[ _])?used/i.test(said)) return "refresh_token_reused";
  return /revoked/i.test(said) && !/expired/i.test(said) ? "revoked" : "session_expired";
}

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
