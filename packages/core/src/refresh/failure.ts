import { ConfigurationError, notSentUntil, type TokenEndpointError } from "../errors.ts";
import type { Attempt } from "../record/record.ts";
import { toError, toResponse, UNREAD } from "../token-endpoint/error-response.ts";
import type { Clock, ProviderProfile } from "../types.ts";
import { backoff } from "./backoff.ts";
import type { SessionEnd } from "./claim.ts";
import { classifyError, type Failure } from "./classify.ts";
import { reasonOf } from "./verdict.ts";

/** Refusals without a reason end the session after so many in a row, the last so many milliseconds after the first. */
const MAX_REFUSALS = 3;
const REFUSED_FOR = 10 * 60_000;

/** The circumstances of a failure. `isUsable`: whether the access token still is. */
interface FailureContext {
  readonly isUsable: boolean;
  readonly profile: ProviderProfile;
  readonly clock: Clock;
}

/** Returns an attempt after its failure: what was said, and a back-off for all processes. */
export function failedAttempt(attempt: Attempt, { kind, error }: Failure, ctx: FailureContext): Attempt {
  const { clock, profile, isUsable } = ctx;
  const failures = attempt.failures + 1;
  const isWithinGrace = kind === "lost" && profile.graceSeconds > 0 && !attempt.afterLoss;
  const endedAt = clock.now();
  return {
    ...attempt,
    status: kind === "lost" ? "lost" : "failed",
    failures,
    endedAt,
    retryIn: isWithinGrace ? 0 : backoff(failures, error.retryAfter, clock),
    response: toResponse(error),
    refusals: kind === "refused" ? refusalsAfter(attempt, isUsable, endedAt) : undefined,
    mayBeSpent: (profile.rotation && (attempt.mayBeSpent || kind === "misconfigured")) || undefined,
  };
}

/** Counts a refusal without a reason. One that comes while the access token is usable proves nothing. */
function refusalsAfter({ refusals }: Attempt, isUsable: boolean, now: number): Attempt["refusals"] {
  if (isUsable) return refusals;
  if (!refusals || now < refusals.since) return { count: 1, since: now };
  return { ...refusals, count: refusals.count + 1 };
}

/** Returns how a failure ended the session, if it did. `attempt` is the one that failed. */
export function endOf(attempt: Attempt, { kind, error }: Failure): SessionEnd | undefined {
  const { afterLoss } = attempt;
  const isLost = afterLoss || attempt.mayBeSpent;
  if (kind === "terminal") return { reason: isLost ? "response_lost" : reasonOf(error) };
  if (kind === "interaction") return { reason: "interaction_required", keepsRefreshToken: true };
  if (kind !== "refused") return undefined;
  if (afterLoss) return { reason: "response_lost", keepsRefreshToken: true };
  if (!isRefusedForLong(attempt)) return undefined;
  return { reason: isLost ? "response_lost" : "session_expired", keepsRefreshToken: true };
}

const isRefusedForLong = ({ refusals, endedAt = 0 }: Attempt): boolean =>
  refusals !== undefined && refusals.count >= MAX_REFUSALS && endedAt - refusals.since >= REFUSED_FOR;

/** Returns the error for the callers: a `ConfigurationError` if the client, or its function `read`, is at fault. */
export function failureOf({ kind, error }: Failure): Error {
  if (kind === "lost" && isUnread(error)) return unreadError(error);
  if (kind !== "misconfigured") return error;
  return new ConfigurationError(`${withoutDot(error.message)}. ${hintFor(error)}`, { cause: error });
}

const isUnread = ({ status, error, description }: TokenEndpointError): boolean =>
  status !== undefined && error === undefined && description?.startsWith(UNREAD) === true;

/** The response counts as lost, but another one would be read in the same way. */
function unreadError(error: TokenEndpointError): ConfigurationError {
  const { message } = Object(error.cause) as { readonly message?: unknown };
  const details = typeof message === "string" && message !== "" ? `: ${withoutDot(message)}` : "";
  return new ConfigurationError(
    `${withoutDot(error.message)}${details}. Correct the function read. The server may have replaced the refresh token, and then the user has to sign in again.`,
    { cause: error },
  );
}

/** Returns the error for the response to a stored attempt that failed, in this process or another. */
export function storedFailureOf({ response, status }: Attempt, profile: ProviderProfile): Error | undefined {
  const error = toError(response);
  if (!error) return undefined;
  // Only a response without an access token is a success and a failure.
  const isIncomplete = status === "failed" && error.status === 200 && error.error === undefined;
  return isIncomplete ? incompleteError(error) : failureOf(classifyError(error, profile, []));
}

/** Returns the error for a response that contained a refresh token and no access token. */
export const incompleteError = (error: TokenEndpointError): ConfigurationError =>
  new ConfigurationError(
    `${withoutDot(error.message)}, but a new refresh token, which was kept. Request a scope of an API, besides those of OpenID Connect.`,
    { cause: error },
  );

/** Returns the error of an exchange for a call that came within the back-off after it, and sent nothing. */
export const notSentAgain = (error: Error, retryAt: number): ConfigurationError =>
  new ConfigurationError(`${withoutDot(error.message)}. ${notSentUntil(retryAt)}`, { cause: error.cause });

const withoutDot = (text: string): string => text.replace(/\.$/, "");

function hintFor({ error, status = 0 }: TokenEndpointError): string {
  if (error === undefined && status < 400) return "Use the URL that it redirects to, if that is a token endpoint.";
  const hint = "Check the client ID, its authentication and the requested scope.";
  return error === "invalid_client"
    ? `${hint} Some servers accept only client_secret_post, or only client_secret_basic.`
    : hint;
}
