import * as z from "zod/mini";
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

const errorBody = z.looseObject({ error: z.string().check(z.minLength(1)), error_description: z.optional(z.string()) });

/** RFC 6749 §5.2, RFC 8707 §2: the client is wrong, not the session. */
const MISCONFIGURED = [
  "invalid_client",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "invalid_request",
  "invalid_target",
];

/** What a refresh function returned. The body comes first: some servers answer 200 with an error in it. */
export function classifyAnswer(
  response: unknown,
  sentAt: number,
  profile: ProviderProfile,
  secrets: readonly string[],
): Outcome {
  const failed = errorBody.safeParse(response);
  if (failed.success && !("access_token" in failed.data)) {
    const { error, error_description: description } = failed.data;
    return classifyError(new TokenEndpointError({ error, description, status: 200, sent: true }), profile, secrets);
  }
  const tokens = parseTokenResponse(response, sentAt);
  if (tokens) return { kind: "rotated", tokens };
  const cause = new Error("The answer holds no access_token.");
  return { kind: "transient", error: new TokenEndpointError({ status: 200, sent: true, cause }) };
}

/** What a refresh function threw. Anything but a `TokenEndpointError` counts as sent, answer lost. */
export function classifyError(thrown: unknown, profile: ProviderProfile, secrets: readonly string[]): Outcome {
  const error = toEndpointError(thrown, secrets);
  const { error: code, status, sent } = error;
  if (code !== undefined && (code === "invalid_grant" || profile.terminalCodes.includes(code))) {
    return { kind: "terminal", reason: reasonOf(error), error };
  }
  if (code !== undefined && MISCONFIGURED.includes(code)) return { kind: "misconfigured", error };
  if (!sent) return { kind: "transient", error };
  const isComplete = status !== undefined && (code !== undefined || (status !== 502 && status !== 504));
  return { kind: isComplete || code !== undefined ? "transient" : "lost", error };
}

/** The code alone does not tell; most servers say no more than `invalid_grant`. */
function reasonOf({ error, description }: TokenEndpointError): DeadReason {
  const said = `${error} ${description ?? ""}`;
  if (/reuse|already[ _](been[ _])?used/i.test(said)) return "refresh_token_reused";
  return /revoked/i.test(said) && !/expired/i.test(said) ? "revoked" : "session_expired";
}

/** The error with nothing in it that might hold a token. */
function toEndpointError(thrown: unknown, secrets: readonly string[]): TokenEndpointError {
  if (UnexpiredError.is(thrown) && thrown.code === "TOKEN_ENDPOINT") {
    const { error, description, status, retryAfter, sent, endpoint, cause } = thrown;
    return new TokenEndpointError({
      error: error && blank(error, secrets),
      description: description && blank(description, secrets),
      status,
      retryAfter,
      sent,
      endpoint,
      cause: cause === undefined ? undefined : redact(cause, secrets),
    });
  }
  return new TokenEndpointError({ sent: true, cause: redact(thrown, secrets) });
}
