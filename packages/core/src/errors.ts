import { describeFailure, type TokenEndpointErrorDetails } from "./errors/endpoint-failure.ts";
import type { DeadReason } from "./types.ts";

/** Every `code` of this library's errors. */
export type ErrorCode =
  | "SIGN_IN_REQUIRED"
  | "REFRESH_FAILED"
  | "CONFIGURATION"
  | "STORE_UNREADABLE"
  | "STORE_UNAVAILABLE"
  | "STORE_CONFLICT"
  | "TOKEN_ENDPOINT"
  | "SIGN_IN_FAILED";

const BRAND = Symbol.for("unexpired.error");

/** The base class of all errors of this library. Narrow on `code`. No error contains a token. */
export abstract class UnexpiredError extends Error {
  abstract readonly code: ErrorCode;

  /** Returns whether `value` is an error of this library, even of another copy of this package. */
  static is(value: unknown): value is AnyUnexpiredError {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}
Object.defineProperty(UnexpiredError.prototype, BRAND, { value: true });

const SIGN_IN_REASONS: Record<DeadReason, string> = {
  no_session: "there is no session",
  session_expired: "the session has ended",
  refresh_token_reused: "the refresh token had already been used, and the server ended the session",
  response_lost: "the response to a token refresh was lost, and with it the new refresh token",
  revoked: "the session was revoked",
  signed_out: "the session was signed out",
  account_changed: "another account is signed in now",
  interaction_required: "the server wants the user to interact with it",
};

/** Returns a location for the inside of a sentence: "the memory store". */
export const withinSentence = (location: string): string => location.replace(/^The /, "the ");

/** Returns whether this release knows the reason. */
export const isDeadReason = (reason: string): reason is DeadReason => Object.hasOwn(SIGN_IN_REASONS, reason);

/** There is nothing to refresh with, so the user has to sign in. */
export class SignInRequiredError extends UnexpiredError {
  override readonly name = "SignInRequiredError";
  readonly code = "SIGN_IN_REQUIRED";
  /** The reason why the session cannot be refreshed. */
  readonly reason: DeadReason;
  /** The store or variable concerned, if known. */
  readonly location: string | undefined;

  /**
   * `cause`: the response that ended the session, in every process. `problem`, a clause ("there is no token"), and `hint`, a
   * full sentence, replace the description of the reason and the remedy.
   */
  constructor(
    reason: DeadReason,
    location?: string,
    options: {
      readonly cause?: unknown;
      readonly problem?: string | undefined;
      readonly hint?: string | undefined;
    } = {},
  ) {
    const { cause } = options;
    const isVerdict = cause !== undefined;
    const { text, remedy } = explain(reason, isVerdict);
    const { problem = text, hint = remedy } = options;
    super(
      `Sign in required: ${problem}${location ? ` (${withinSentence(location)})` : ""}. ${hint}`,
      isVerdict ? { cause } : undefined,
    );
    this.reason = reason;
    this.location = location;
  }
}

/** `isVerdict`: whether the token endpoint is the reason. */
function explain(reason: DeadReason, isVerdict: boolean): { readonly text: string; readonly remedy: string } {
  const remedy = "Have the user sign in: call signIn(tokens) or signInWith(flow).";
  const text = SIGN_IN_REASONS[reason];
  if (reason === "interaction_required")
    return { text, remedy: `${remedy} If the user has interacted with it elsewhere, call refresh().` };
  if (reason !== "account_changed") return { text, remedy };
  if (isVerdict) return { text: "the token endpoint returned tokens of another account, which were discarded", remedy };
  return {
    text,
    remedy: "Create a new token manager to use that account, or call signIn() to replace its session.",
  };
}

const LAST_DATE = 8.64e15; // the latest time that a Date can represent

const shown = (time: number): string | undefined =>
  Math.abs(time) <= LAST_DATE ? new Date(time).toISOString() : undefined;

/** Says that a call sent nothing, because of a back-off. */
export const notSentUntil = (retryAt: number): string =>
  `Nothing was sent this time: all processes leave the token endpoint alone until ${shown(retryAt)}.`;

/** The token could not be refreshed at the moment. As far as is known, the session is still alive. */
export class RefreshFailedError extends UnexpiredError {
  override readonly name = "RefreshFailedError";
  readonly code = "REFRESH_FAILED";
  /** The earliest time at which trying again can help, in epoch milliseconds. */
  readonly retryAt: number;
  /**
   * The cause: the token endpoint issued no token (`"endpoint"`); the rejected token was obtained too recently for
   * expiry to be the cause (`"just_obtained"`); another process that is alive, perhaps stopped, has claimed the
   * refresh and not finished it (`"claimed"`); or every entry of a token pool is put aside (`"exhausted"`).
   */
  readonly reason: "endpoint" | "just_obtained" | "claimed" | "exhausted";

  /**
   * `holder` describes the process that has claimed the refresh, `entries` the state of each entry of a pool. `isSent: false`
   * says that this call sent nothing, because of the back-off after an earlier exchange, which `cause` is about.
   */
  constructor(
    retryAt: number,
    options: {
      reason?: RefreshFailedError["reason"];
      holder?: string;
      entries?: string;
      isSent?: boolean;
      cause?: unknown;
    } = {},
  ) {
    const { reason = "endpoint", holder, entries, isSent = true, cause } = options;
    const time = shown(retryAt);
    const retry = isSent ? `Try again after ${time}.` : notSentUntil(retryAt);
    const when = time ? ` ${retry}` : "";
    const { message } = Object(cause) as { message?: unknown };
    const problem = typeof message === "string" ? `: ${message.replace(/\.$/, "")}` : "";
    const messages: Record<RefreshFailedError["reason"], string> = {
      endpoint: `The access token could not be refreshed${problem}.${when}`,
      just_obtained: `The rejected access token was obtained only a moment ago, so another one would not help. Check its scope and audience.${when}`,
      claimed: `The access token could not be refreshed: ${holder} has claimed the refresh and not finished it. Let it continue, or end it.${when}`,
      exhausted: `No entry of the token pool is available: ${entries}.${when}`,
    };
    super(messages[reason], cause === undefined ? undefined : { cause });
    this.retryAt = retryAt;
    this.reason = reason;
  }
}

/** The token endpoint rejects this client or its configuration. */
export class ConfigurationError extends UnexpiredError {
  override readonly name = "ConfigurationError";
  readonly code = "CONFIGURATION";
}

/**
 * The stored data is not a readable session (`STORE_UNREADABLE`), or the store cannot be reached (`STORE_UNAVAILABLE`).
 */
export class StoreError extends UnexpiredError {
  override readonly name = "StoreError";
  readonly code: "STORE_UNREADABLE" | "STORE_UNAVAILABLE";
  /** The file, key or service concerned. */
  readonly location: string;
  /** The problem, as a clause about the location, such as "is a directory". */
  readonly problem: string;
  /** Instructions for fixing the problem, in full sentences. */
  readonly hint: string;
  /**
   * The version over which a store's `save` replaces unreadable data, if it can: on request
   * (`signIn(tokens, { over: "unreadable" })`), and without one if the data only hides an intact session, see `stored`.
   */
  readonly version?: string;
  /**
   * The version for a save on request, if it is another one: then a save over `version` replaces the hidden session, and
   * leaves the unreadable data alone.
   */
  readonly overwriteVersion?: string;
  /** Returns the stored string of that version, if it is intact. Not enumerable; a function, because it returns secrets. */
  declare readonly stored?: () => string;

  /** `problem` is a clause about the location ("is a directory"); `hint` is a full sentence ("Move it away."). */
  constructor(
    code: "STORE_UNREADABLE" | "STORE_UNAVAILABLE",
    details: {
      location: string;
      problem: string;
      hint: string;
      version?: string | undefined;
      overwriteVersion?: string | undefined;
      stored?: (() => string) | undefined;
      cause?: unknown;
    },
  ) {
    super(
      `${details.location} ${details.problem}. ${details.hint}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.location = details.location;
    this.problem = details.problem;
    this.hint = details.hint;
    if (details.version !== undefined) this.version = details.version;
    if (details.overwriteVersion !== undefined) this.overwriteVersion = details.overwriteVersion;
    if (details.stored) Object.defineProperty(this, "stored", { value: details.stored });
  }
}

/** The stored value no longer has the expected version, because another process or store saved first. */
export class StoreConflictError extends UnexpiredError {
  override readonly name = "StoreConflictError";
  readonly code = "STORE_CONFLICT";

  constructor(location: string) {
    super(`${location} was modified concurrently. Reload and retry.`);
  }
}

/** An error response of a token endpoint, or a missing response. Thrown by refresh functions. */
export class TokenEndpointError extends UnexpiredError {
  override readonly name = "TokenEndpointError";
  readonly code = "TOKEN_ENDPOINT";
  /**
   * The OAuth error code from the response body ({@link https://www.rfc-editor.org/rfc/rfc6749#section-5.2 RFC 6749
   * §5.2}).
   */
  readonly error: string | undefined;
  /** The server's human-readable description of the error. */
  readonly description: string | undefined;
  /** The HTTP status; `undefined` if there was no complete response. */
  readonly status: number | undefined;
  /** The delay that the server asked for, in milliseconds. In errors of this library, at most one hour. */
  readonly retryAfter: number | undefined;
  /** Whether the request may have been sent. `false` only if it certainly was not. */
  readonly sent: boolean;
  /** The URL of the endpoint, if known. */
  readonly endpoint: string | undefined;
  /** The kind of endpoint, if it is not the token endpoint: `"revocation endpoint"`. */
  declare readonly endpointKind?: string;
  /** The form of the response's body, if known: `other` is neither empty nor JSON, such as a proxy's HTML page. */
  readonly body: "empty" | "json" | "other" | undefined;

  constructor(details: TokenEndpointErrorDetails) {
    super(describeFailure(details), details.cause === undefined ? undefined : { cause: details.cause });
    const { error, description, status, sent, endpoint, endpointKind, body } = details;
    this.error = error;
    this.description = description;
    this.status = status;
    this.retryAfter = details.retryAfter;
    this.sent = sent;
    this.endpoint = endpoint;
    if (endpointKind !== undefined) this.endpointKind = endpointKind;
    this.body = body;
  }
}

/** The reason why a sign-in did not complete. See {@link SignInFailedError}. */
export type SignInFailedReason =
  | "refused"
  | "expired"
  | "timeout"
  | "mismatched"
  | "port_in_use"
  | "rejected"
  | "unreachable";

/** The description of each reason, and the next step. */
const SIGN_IN_FAILURES: Record<SignInFailedReason, readonly [problem: string, hint: string]> = {
  refused: [
    "the user refused it, or a policy of the server did",
    "Start another one if the user wants to sign in after all.",
  ],
  expired: ["the user did not complete it before the server's code expired", "Start another one."],
  timeout: ["the user did not complete it in time", "Start another one."],
  mismatched: [
    "the response does not belong to it",
    "Its code was not used. Start another sign-in, and complete it in the browser in which it began.",
  ],
  port_in_use: ["another program uses the port of the redirect", "End that program, or choose another port."],
  rejected: ["the authorization server rejected it", "Read its response, and start another one."],
  unreachable: ["the authorization server did not complete it", "Check the network connection, and try again later."],
};

/** A sign-in did not lead to tokens. What is stored has not changed. */
export class SignInFailedError extends UnexpiredError {
  override readonly name = "SignInFailedError";
  readonly code = "SIGN_IN_FAILED";
  /**
   * The reason: the user, or a policy of the server, refused the access (`"refused"`); a code expired before the user had
   * completed the sign-in (`"expired"`), or the program stopped waiting (`"timeout"`); the response belongs to another sign-in
   * or comes from another server (`"mismatched"`); another program uses the port of the redirect (`"port_in_use"`); the server
   * responded with another error (`"rejected"`), or is failing or out of reach (`"unreachable"`).
   */
  readonly reason: SignInFailedReason;

  /**
   * `problem`, a clause ("the user closed the window"), and `hint`, a full sentence, replace the description of the reason and
   * the remedy.
   */
  constructor(
    reason: SignInFailedReason,
    options: {
      readonly problem?: string | undefined;
      readonly hint?: string | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    const [text, remedy] = SIGN_IN_FAILURES[reason];
    const { problem = text, hint = remedy, cause } = options;
    super(`The sign-in failed: ${problem}. ${hint}`, cause === undefined ? undefined : { cause });
    this.reason = reason;
  }
}

/** Any error of this library, discriminated by `code`. */
export type AnyUnexpiredError =
  | SignInRequiredError
  | RefreshFailedError
  | ConfigurationError
  | StoreError
  | StoreConflictError
  | TokenEndpointError
  | SignInFailedError;
