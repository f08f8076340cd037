import type { DeadReason } from "./types.ts";

/** Every `code` that an error of this library can have. */
export type ErrorCode =
  | "SIGN_IN_REQUIRED"
  | "REFRESH_FAILED"
  | "CONFIGURATION"
  | "STORE_UNREADABLE"
  | "STORE_UNAVAILABLE"
  | "STORE_CONFLICT"
  | "TOKEN_ENDPOINT";

const BRAND = Symbol.for("unexpired.error");

/** What all our errors have in common. Narrow on `code`; none of them holds a token. */
export abstract class UnexpiredError extends Error {
  abstract readonly code: ErrorCode;

  /** Whether `value` is one of our errors, also one of another copy of this package. */
  static is(value: unknown): value is AnyUnexpiredError {
    return typeof value === "object" && value !== null && BRAND in value;
  }
}
Object.defineProperty(UnexpiredError.prototype, BRAND, { value: true });

const SIGN_IN_REASONS: Record<DeadReason, string> = {
  no_session: "there is no session",
  session_expired: "the session has ended",
  refresh_token_reused: "the refresh token had been used before, and the server ended the session",
  response_lost: "the answer to a token exchange was lost, and the server did not accept the old refresh token again",
  revoked: "the session was revoked",
  signed_out: "the session was signed out",
  account_changed: "another account is signed in now",
};

/** There is nothing to refresh with: the user has to sign in. */
export class SignInRequiredError extends UnexpiredError {
  override readonly name = "SignInRequiredError";
  readonly code = "SIGN_IN_REQUIRED";
  /** Why. */
  readonly reason: DeadReason;

  constructor(reason: DeadReason, place?: string) {
    super(`Sign in required: ${SIGN_IN_REASONS[reason]}${place ? ` (${place})` : ""}. Sign in, then call signIn().`);
    this.reason = reason;
  }
}

const LAST_DATE = 8.64e15; // what is beyond it is no Date

/** The token could not be renewed now; the session lives. */
export class RefreshFailedError extends UnexpiredError {
  override readonly name = "RefreshFailedError";
  readonly code = "REFRESH_FAILED";
  /** When it will be tried again, in epoch milliseconds. */
  readonly retryAt: number;
  /** `"endpoint"`: the token endpoint gave no token. `"just_obtained"`: the rejected token is new, so its age is not what is wrong with it. */
  readonly reason: "endpoint" | "just_obtained";

  constructor(retryAt: number, options: { reason?: "endpoint" | "just_obtained"; cause?: unknown } = {}) {
    const when = Math.abs(retryAt) <= LAST_DATE ? ` Try again after ${new Date(retryAt).toISOString()}.` : "";
    const because = options.reason ?? "endpoint";
    const cause = options.cause instanceof Error ? `: ${options.cause.message.replace(/\.$/, "")}` : "";
    super(
      because === "endpoint"
        ? `The access token could not be renewed${cause}.${when} The session is untouched.`
        : `The rejected access token was obtained a moment ago, so it is not renewed again: check its scope and audience.${when}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.retryAt = retryAt;
    this.reason = because;
  }
}

/** The client or its set-up is wrong; the session is left alone. */
export class ConfigurationError extends UnexpiredError {
  override readonly name = "ConfigurationError";
  readonly code = "CONFIGURATION";
}

/** The store could not be read (`STORE_UNREADABLE`: what is there is not ours) or not be reached (`STORE_UNAVAILABLE`). */
export class StoreError extends UnexpiredError {
  override readonly name = "StoreError";
  readonly code: "STORE_UNREADABLE" | "STORE_UNAVAILABLE";
  /** The file, key or service that it is about. */
  readonly location: string;
  /** What is wrong with it: a clause, such as "is a directory". */
  readonly problem: string;
  /** What to do about it: sentences. */
  readonly hint: string;

  /** `problem` is a clause about the location, `hint` a sentence: "holds no JSON", "Move it away." */
  constructor(
    code: "STORE_UNREADABLE" | "STORE_UNAVAILABLE",
    details: { location: string; problem: string; hint: string; cause?: unknown },
  ) {
    super(
      `${details.location} ${details.problem}. ${details.hint}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.location = details.location;
    this.problem = details.problem;
    this.hint = details.hint;
  }
}

/** The stored value is not the expected version any more: somebody else saved. */
export class StoreConflictError extends UnexpiredError {
  override readonly name = "StoreConflictError";
  readonly code = "STORE_CONFLICT";

  constructor(location: string) {
    super(`${location} was changed by somebody else meanwhile. Load it again and decide anew.`);
  }
}

/** What a token endpoint said, or that it said nothing. Thrown by refresh functions. */
export class TokenEndpointError extends UnexpiredError {
  override readonly name = "TokenEndpointError";
  readonly code = "TOKEN_ENDPOINT";
  /** The OAuth error code of the body ({@link https://www.rfc-editor.org/rfc/rfc6749#section-5.2 RFC 6749 §5.2}). */
  readonly error: string | undefined;
  /** What the server said about it, for people. */
  readonly description: string | undefined;
  /** The HTTP status; absent where no complete answer came. */
  readonly status: number | undefined;
  /** How long the server asked us to wait, in milliseconds. At most a day of it is honoured. */
  readonly retryAfter: number | undefined;
  /** Whether the request may have left. `false` only where it certainly did not. */
  readonly sent: boolean;
  /** The endpoint's address, where it is known. */
  readonly endpoint: string | undefined;

  constructor(details: {
    error?: string | undefined;
    description?: string | undefined;
    status?: number | undefined;
    retryAfter?: number | undefined;
    sent: boolean;
    endpoint?: string | undefined;
    cause?: unknown;
  }) {
    const { error, description, status, sent, endpoint } = details;
    const said = [status === undefined ? undefined : `HTTP ${status}`, error, description].filter(Boolean).join(", ");
    const what = said ? `answered ${said}` : sent ? "gave no complete answer" : "could not be reached";
    super(
      `The token endpoint${endpoint ? ` ${endpoint}` : ""} ${what}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.error = error;
    this.description = description;
    this.status = status;
    this.retryAfter = details.retryAfter;
    this.sent = sent;
    this.endpoint = endpoint;
  }
}

/** Any of our errors, discriminated by `code`. */
export type AnyUnexpiredError =
  | SignInRequiredError
  | RefreshFailedError
  | ConfigurationError
  | StoreError
  | StoreConflictError
  | TokenEndpointError;

const MAX_CAUSES = 5;

/**
 * Whether the user has to authenticate: a sign-in that is required, or any HTTP client's 401. A client that wraps what
 * its hooks throw is looked through, by `cause`.
 */
export function isAuthError(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && typeof current === "object" && current !== null; depth++) {
    if (UnexpiredError.is(current)) return current.code === "SIGN_IN_REQUIRED";
    if (statusOf(current) === 401 || ("response" in current && statusOf(current.response) === 401)) return true;
    current = "cause" in current ? current.cause : undefined;
  }
  return false;
}

const statusOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null
    ? ("status" in value && value.status) || ("statusCode" in value && value.statusCode)
    : undefined;
