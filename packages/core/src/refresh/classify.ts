import { TokenEndpointError } from "../errors.ts";
import { readError, toEndpointError } from "../token-endpoint/error-response.ts";
import { parseTokenResponse } from "../tokens/token-set.ts";
import type { DeadReason, ProviderProfile, TokenSet } from "../types.ts";

/** The outcome of an exchange. */
export type Outcome =
  | { readonly kind: "rotated"; readonly tokens: TokenSet }
  | { readonly kind: "terminal"; readonly reason: DeadReason; readonly error: TokenEndpointError }
  | { readonly kind: "misconfigured"; readonly error: TokenEndpointError }
  | { readonly kind: "transient"; readonly error: TokenEndpointError }
  | { readonly kind: "lost"; readonly error: TokenEndpointError };

/** `invalid_grant`, and its equivalents at servers that deviate from RFC 6749 §5.2. */
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

/** RFC 6749 §5.2, RFC 8707 §2: the error is in the client's configuration, not in the session. */
const MISCONFIGURED = [
  "invalid_client",
  "incorrect_client_credentials", // GitHub
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "invalid_request",
  "invalid_target",
];

/** The inputs for classifying a response. */
export interface ClassifyContext {
  /** When the request was sent, in epoch milliseconds. */
  readonly sentAt: number;
  readonly profile: ProviderProfile;
  /** Secrets that must not appear in any error. */
  readonly secrets: readonly string[];
}

/** Classifies the result of a refresh function by its body, because some servers send errors with status 200. */
export function classifyResponse(response: unknown, { sentAt, profile, secrets }: ClassifyContext): Outcome {
  const tokens = parseTokenResponse(response, sentAt);
  if (tokens) return { kind: "rotated", tokens };
  const details = readError(response);
  const cause = details.error === undefined ? new Error("The response contains no access_token.") : undefined;
  return classifyError(new TokenEndpointError({ ...details, status: 200, sent: true, cause }), profile, secrets);
}

/** Classifies an exception of a refresh function. Anything but a `TokenEndpointError` counts as a lost response. */
export function classifyError(thrown: unknown, profile: ProviderProfile, secrets: readonly string[]): Outcome {
  const error = toEndpointError(thrown, secrets);
  const { error: code, status, sent } = error;
  if (code !== undefined && [...TERMINAL, ...profile.terminalCodes].includes(code)) {
    return { kind: "terminal", reason: reasonOf(error), error };
  }
  if (code !== undefined && MISCONFIGURED.includes(code)) return { kind: "misconfigured", error };
  if (!sent) return { kind: "transient", error };
  const isFromGateway = status === 502 || status === 504;
  const hasResponse = isErrorCode(code) || (status !== undefined && !isFromGateway);
  return { kind: hasResponse ? "transient" : "lost", error };
}

/** Returns whether this is an OAuth error code rather than the text of a gateway, such as "Bad Gateway". */
const isErrorCode = (code: string | undefined): boolean => code !== undefined && !code.includes(" ");

/** Derives the reason from code and description, because most servers send `invalid_grant` in every case. */
function reasonOf({ error, description }: TokenEndpointError): DeadReason {
  const text = `${error} ${description}`;
  if (/reuse|already[ _](been[ _])?used/i.test(text)) return "refresh_token_reused";
  return /revoked/i.test(text) && !/expired/i.test(text) ? "revoked" : "session_expired";
}
