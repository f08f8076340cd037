import { TokenEndpointError } from "../errors.ts";
import { readError, toEndpointError } from "../token-endpoint/error-response.ts";
import { parseTokenResponse } from "../tokens/token-set.ts";
import type { DeadReason, ProviderProfile, TokenSet } from "../types.ts";

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

/** A code, and not the prose ("Bad Gateway") of something that stands before the server. */
const isCode = (code: string | undefined): boolean => code !== undefined && !code.includes(" ");

/** The code alone does not tell; most servers say no more than `invalid_grant`. */
function reasonOf({ error, description }: TokenEndpointError): DeadReason {
  const said = `${error} ${description}`;
  if (/reuse|already[ _](been[ _])?used/i.test(said)) return "refresh_token_reused";
  return /revoked/i.test(said) && !/expired/i.test(said) ? "revoked" : "session_expired";
}
