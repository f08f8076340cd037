import { TokenEndpointError } from "../errors.ts";
import { readError, toEndpointError, toJudgedError } from "../token-endpoint/error-response.ts";
import { isOfOtherSubject } from "../tokens/jwt.ts";
import {
  parseReturnedTokens,
  parseTokenResponse,
  parseTokenUpdate,
  type TokenUpdate,
  tokensOf,
} from "../tokens/token-set.ts";
import { explainPlaceholders, unreadableMembers } from "../tokens/unreadable-members.ts";
import type { ProviderProfile, TokenSet } from "../types.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

/** The outcome of an exchange. */
export type Outcome =
  | Rotated
  /** Tokens of another account, by their ID token (OpenID Connect Core §12.2). */
  | { readonly kind: "other-account"; readonly tokens: TokenSet }
  /** A new refresh token without an access token: for OpenID Connect only, without a scope of any API. */
  | { readonly kind: "incomplete"; readonly update: TokenUpdate; readonly error: TokenEndpointError }
  | Failure;

/** New tokens. `unreadable` names the members of the result that had to be ignored. */
export interface Rotated {
  readonly kind: "rotated";
  readonly tokens: TokenSet;
  readonly unreadable: readonly string[];
}

/** The outcome of an exchange that returned no tokens. */
export interface Failure {
  readonly kind: Verdict;
  readonly error: TokenEndpointError;
}

/** The inputs for classifying a response. */
export interface ClassifyContext {
  /** When the request was sent, in epoch milliseconds. */
  readonly sentAt: number;
  readonly profile: ProviderProfile;
  /** The session's ID token. */
  readonly idToken: string | undefined;
  /** Secrets that must not appear in any error. */
  readonly secrets: readonly string[];
}

/** Classifies the result of a refresh function by its body, because some servers send errors with status 200. */
export function classifyResponse(response: unknown, { sentAt, profile, idToken, secrets }: ClassifyContext): Outcome {
  const tokens = parseTokenResponse(response, sentAt) ?? parseReturnedTokens(response);
  if (tokens && isOfOtherSubject(tokens.idToken, idToken)) return { kind: "other-account", tokens };
  if (tokens) return { kind: "rotated", tokens, unreadable: unreadableMembers(response) };
  const details = readError(response, { isOk: true });
  const update = details.error === undefined ? parseTokenUpdate(response, sentAt) : undefined;
  if (!update) return classifyError(new TokenEndpointError({ ...details, ...noTokens(response) }), profile, secrets);
  if (isOfOtherSubject(update.idToken, idToken)) return { kind: "other-account", tokens: tokensOf(update) };
  return { kind: "incomplete", update, error: new TokenEndpointError({ status: 200, body: "json", sent: true }) };
}

/** The refresh function, which may be the caller's own, returned something else. */
const noTokens = (returned: unknown) => ({
  sent: true,
  cause: new TypeError(`the refresh function returned no tokens${explainPlaceholders(returned)}`),
});

/** Classifies an exception of a refresh function. Anything but a `TokenEndpointError` counts as a lost response. */
export function classifyError(thrown: unknown, profile: ProviderProfile, secrets: readonly string[]): Failure {
  return { kind: verdictOf(toJudgedError(thrown, secrets), profile), error: toEndpointError(thrown, secrets) };
}
