/**
 * The tokens of a session, as plain data. The objects that the library returns hide their secrets, which are getters,
 * from `util.inspect` and `JSON.stringify`: read the fields by name, or serialize a copy
 * (`JSON.stringify({ ...tokenSet })`).
 */
export interface TokenSet {
  /** The access token, exactly as the server sent it. */
  readonly accessToken: string;
  /** The refresh token; `undefined` if the session cannot be refreshed. */
  readonly refreshToken?: string | undefined;
  /** The expiry of the access token in epoch milliseconds; `undefined` if unknown. */
  readonly expiresAt?: number | undefined;
  /**
   * The expiry of the refresh token in epoch milliseconds; `undefined` if unknown. Usually it counts from the token's last
   * use: if a server replaces the refresh token and does not tell the new expiry, the lifetime of the previous one starts
   * again. Informative: the server may accept the refresh token for longer, and only its response ends the session.
   */
  readonly refreshTokenExpiresAt?: number | undefined;
  /**
   * The token type: `Bearer`, unless the server named another
   * ({@link https://www.rfc-editor.org/rfc/rfc6749#section-7.1 RFC 6749 §7.1}).
   */
  readonly tokenType: string;
  /** The granted scope, space-separated ({@link https://www.rfc-editor.org/rfc/rfc6749#section-3.3 RFC 6749 §3.3}). */
  readonly scope?: string | undefined;
  /** The OpenID Connect ID token. */
  readonly idToken?: string | undefined;
  /** Additional response parameters, unmodified. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/**
 * A {@link TokenSet} as a caller passes it, or a refresh function returns it: `tokenType` defaults to `"Bearer"`, `extra`
 * to `{}`. A refresh token is enough for a sign-in; the access token is then obtained when it is needed.
 */
export type TokenSetInput = Omit<Partial<TokenSet>, "expiresAt" | "refreshTokenExpiresAt"> & {
  /**
   * Epoch milliseconds, or a date and time of ISO 8601 with its time zone: `"2026-01-31T12:00:00.250Z"`. If a refresh function
   * returns anything else, the expiry is unknown, and the event `members-ignored` reports it.
   */
  readonly expiresAt?: number | string | undefined;
  /** Like `expiresAt`. */
  readonly refreshTokenExpiresAt?: number | string | undefined;
} & (Pick<TokenSet, "accessToken"> | { readonly refreshToken: string });

/** A {@link TokenSetInput} whose tokens may each be `undefined`, as long as one of them is there. */
export type ParsedTokens = { readonly [Name in keyof TokenSet]?: TokenSetInput[Name] | undefined };

/**
 * Signs a user in, and resolves to the tokens for `signIn`. Rejects with the signal's reason as soon as it aborts.
 *
 * @throws SignInFailedError if the sign-in led to no tokens
 * @throws ConfigurationError if the server rejects the client or its request
 */
export type SignInFlow = (context: { readonly signal: AbortSignal }) => Promise<TokenSetInput>;

/**
 * A successful response of a token endpoint ({@link https://www.rfc-editor.org/rfc/rfc6749#section-5.1 RFC 6749 §5.1}).
 */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type?: string | undefined;
  /** The lifetime of the access token in seconds, counted from when the request was sent. */
  readonly expires_in?: number | undefined;
  /** If omitted, the current refresh token stays valid and is kept. */
  readonly refresh_token?: string | undefined;
  readonly scope?: string | undefined;
  readonly id_token?: string | undefined;
  readonly [parameter: string]: unknown;
}

/** The context of one exchange, passed to the refresh function. */
export interface RefreshContext {
  /**
   * Aborts only at the exchange's deadline; a caller that aborts does not affect it. If nothing has been sent by then, reject
   * at once with a `TokenEndpointError` with `sent: false`: otherwise the response counts as lost.
   */
  readonly signal: AbortSignal;
  /** Identifies this exchange in events and in the stored record. */
  readonly attemptId: string;
}

/**
 * Exchanges the current refresh token for new tokens with a single request, without retrying. Returns the token
 * endpoint's response, or a token set.
 *
 * Throws a `TokenEndpointError` to report an error response. Any other exception counts as a lost response: the server
 * may have rotated. Must not call methods of the same manager that wait for this exchange: they reject with a
 * `TypeError`, in browsers only if they are called before the function first awaits.
 */
export interface RefreshFunction {
  (current: TokenSet, context: RefreshContext): Promise<TokenResponse | TokenSetInput>;
  /** The deadline of an exchange in milliseconds, at most 20 minutes. Default 30,000. Read when an exchange is claimed. */
  readonly timeout?: number | undefined;
  /**
   * Revokes tokens at the server ({@link https://www.rfc-editor.org/rfc/rfc7009 RFC 7009}). Used by `signOut`, which
   * waits for it until the deadline of an exchange, and for tokens that arrive after the session was signed out or
   * replaced by another account's. Resolves to `false` if the server turns out to have no revocation endpoint.
   */
  readonly revoke?: ((tokens: TokenSet) => Promise<unknown>) | undefined;
  /**
   * The origin of the token endpoint, such as `https://issuer.example`, or a function that finds it out; `undefined` if unknown. If
   * a sign-in flow has obtained the session from another origin, its tokens are not sent.
   */
  readonly tokenOrigin?: string | (() => Promise<string | undefined>) | undefined;
}

/** A stored string and its version. */
export interface StoredValue {
  readonly value: string;
  /** An opaque version, like an HTTP ETag. Never repeats, even if the value is removed and created again. */
  readonly version: string;
}

/** Stores one string with compare-and-set. A store needs to do nothing more. */
export interface TokenStore {
  /**
   * Resolves to the stored string and its version, or `undefined` if nothing is stored. Rejects if it is unreadable.
   */
  load(): Promise<StoredValue | undefined>;
  /**
   * Stores `value` if the version is still `expected` (`undefined`: if nothing is stored), and resolves to the new
   * version. Otherwise rejects with `StoreConflictError`. Any other error means that the outcome is unknown; the
   * manager then loads again to find out.
   */
  save(value: string, expected: string | undefined): Promise<string>;
  /** Deletes everything, to uninstall an application. Signing out does not delete; it saves a tombstone. */
  remove(): Promise<void>;
  /**
   * Calls `onChange` whenever the stored value may have changed, until the returned function is called. Must not keep
   * the process alive.
   */
  watch?(onChange: () => void): () => void;
  /**
   * Resolves once other processes have had time to restore what a failover of the store may have undone. The manager awaits
   * it before it claims a refresh, for 10 seconds at most; a rejection counts as settled. If omitted, it claims at once.
   */
  settled?(): Promise<void>;
  /**
   * Calls `listener` with what the store has to report besides the outcome of a call, until the returned function is
   * called. A manager emits it as an event of its own. Optional.
   */
  subscribe?(listener: (event: StoreEvent) => void): () => void;
  /** The scope within which compare-and-set is reliable, and whether a completed save survives a power failure. */
  readonly supports: {
    readonly compareAndSet: "process" | "host" | "cluster";
    readonly durable: boolean;
    /**
     * Whether the session is also kept in documents of other programs. They state no rotation number, so that only the list of
     * used refresh tokens tells an old copy from a new session, for example after a backup was restored: the manager then
     * keeps the last 1,000 of them instead of 32. Default `false`.
     */
    readonly foreignDocuments?: boolean | undefined;
  };
  /**
   * Identifies this process to others that share the store, and tells what became of them. If omitted, a claim ends
   * only with its lease.
   */
  readonly holder?: {
    /** Names this process, or this thread of it. Stored with each claim, so it must not contain secrets. */
    readonly id: string;
    /**
     * Resolves to `gone` if the holder with this id has certainly ended; to `alive` if it certainly exists, running or
     * stopped, on this machine and since the same boot: its claim then outlives its lease. Otherwise to `unknown`.
     */
    statusOf(id: string): Promise<"alive" | "gone" | "unknown">;
    /** Describes a holder that is alive, for error messages: `process 4711 (stopped)`. If omitted, its id is shown. */
    describe?(id: string): Promise<string>;
  };
  /** Returns a human-readable location of the session, without secrets. */
  describe(): string;
}

/** Time, timers and randomness. Everything that waits or reads the time does so through this interface. */
export interface Clock {
  /** Returns epoch milliseconds. May jump. */
  now(): number;
  /** Returns the milliseconds since an arbitrary moment. Never jumps. */
  monotonic(): number;
  /**
   * Calls `callback` once after `delay` milliseconds, and returns a function that cancels the timer. With `keepAlive`,
   * the pending timer keeps the process alive.
   */
  setTimer(callback: () => void, delay: number, keepAlive: boolean): () => void;
  /** Returns a number from 0 (inclusive) to 1 (exclusive). Spreads the retries of several processes. */
  random(): number;
  /**
   * Returns an ID that no other call returns, in this process or another one: processes tell their claims apart by it.
   * Default: 128 bits from `crypto.getRandomValues`.
   */
  randomId(): string;
}

/** The behavior of an authorization server, as plain data. See `providers`. */
export interface ProviderProfile {
  /** Whether a refresh token can be used only once (`true`) or is reusable (`false`). Default `true`. */
  readonly rotation: boolean;
  /** How long after a rotation the server still accepts the old refresh token, in seconds; may be `Infinity`. Default 0. */
  readonly graceSeconds: number;
  /**
   * The response to the old refresh token during that time: the tokens of the first exchange again (`"same"`), or new
   * ones (`"new"`), in which case the lost ones may remain valid. Default `"new"`. The manager keeps what it receives
   * and does not depend on this value; it is for people who assess a server, and for simulated servers.
   */
  readonly replayReturns: "same" | "new";
  /** How to recover from a lost response: present the refresh token again, or require a sign-in. Default `"retry"`. */
  readonly afterLoss: "retry" | "sign-in";
  /** Responses that end the session, besides `invalid_grant` and its known aliases. Default: none. */
  readonly terminal: readonly ResponsePattern[];
  /** Responses that end the session until its user has interacted with the server. It keeps its refresh token. Default: none. */
  readonly interaction: readonly ResponsePattern[];
  /** Responses about the client or its configuration, which leave the session alone. Default: none. */
  readonly misconfigured: readonly ResponsePattern[];
  /** Responses after which the same request can succeed later. Default: none. */
  readonly transient: readonly ResponsePattern[];
  /** Responses after which the server may have issued new tokens. Default: none. */
  readonly lost: readonly ResponsePattern[];
}

/**
 * Matches error responses of a token endpoint: a string those with this error code, an object those with all of its
 * members. A response that matches several lists of a profile is treated with the most care: transient, lost,
 * misconfigured, interaction, terminal.
 */
export type ResponsePattern =
  | string
  | {
      /** The error code; `null` if the response has none. */
      readonly error?: string | null | undefined;
      /** The HTTP status. */
      readonly status?: number | undefined;
      /** A part of the description, in upper or lower case. */
      readonly description?: string | undefined;
    };

/** An error response of a token endpoint, without secrets. */
export type EndpointResponse = {
  /** The HTTP status. */
  readonly status?: number | undefined;
  /** The error code. */
  readonly error?: string | undefined;
  /** The server's description of the error. */
  readonly description?: string | undefined;
};

/** The reason why a session cannot be refreshed and the user has to sign in. */
export type DeadReason =
  | "no_session"
  | "session_expired"
  | "refresh_token_reused"
  | "response_lost"
  | "revoked"
  | "signed_out"
  | "account_changed"
  | "interaction_required";

/** The state of a session, computed when it is read. */
export type SessionState =
  | { readonly status: "valid"; readonly expiresAt: number | undefined }
  /** The token is inside the refresh window, or expired (`usable: false`), and no exchange is running yet. */
  | {
      readonly status: "near-expiry";
      readonly expiresAt: number | undefined;
      readonly usable: boolean;
      readonly renewable: true;
    }
  /** The server refused to refresh the session, and `reason` says why. Its access token can be used until it expires. */
  | {
      readonly status: "near-expiry";
      readonly expiresAt: number | undefined;
      readonly usable: true;
      readonly renewable: false;
      readonly reason: DeadReason;
    }
  /** An exchange is in flight, in this manager or in another one that shares the session. */
  | { readonly status: "refreshing"; readonly expiresAt: number | undefined; readonly usable: boolean }
  | { readonly status: "dead"; readonly reason: DeadReason };

/** An event in the life of a session, for logs and user interfaces. Contains no secrets. */
export type SessionEvent =
  /** The status or reason changed. `cause`: what the server said when it ended the session. */
  | {
      readonly type: "state-changed";
      readonly state: SessionState;
      readonly cause?: EndpointResponse | undefined;
    }
  /** This manager is about to send the refresh token to the token endpoint. */
  | { readonly type: "exchange-started"; readonly attemptId: string; readonly afterLoss: boolean }
  /** This manager obtained new tokens. `duration` is in milliseconds. */
  | {
      readonly type: "refreshed";
      readonly attemptId: string;
      readonly expiresAt: number | undefined;
      readonly duration: number;
    }
  /**
   * The refresh function returned members that cannot be read: an expiry that is neither in epoch milliseconds nor a date and time
   * of ISO 8601 with its time zone, or the placeholder of a token set that was copied as JSON. The tokens are used without them.
   */
  | { readonly type: "members-ignored"; readonly attemptId: string; readonly members: readonly string[] }
  /** A sign-in of this manager replaced a session of which it had tokens. */
  | { readonly type: "session-replaced"; readonly expiresAt: number | undefined }
  /** `signInWith` waits for a sign-in in another process, or of another call. `holder` describes the process. */
  | { readonly type: "sign-in-awaited"; readonly holder: string }
  /** Tokens that another manager or process obtained were adopted from the store. */
  | { readonly type: "tokens-adopted"; readonly expiresAt: number | undefined }
  /** A refresh failed; the session is still alive. `retryAt` is in epoch milliseconds. `cause`: what the server said. */
  | {
      readonly type: "refresh-failed";
      readonly code: string;
      readonly retryAt: number | undefined;
      readonly cause?: EndpointResponse | undefined;
    }
  /** The tokens of this manager's exchange were discarded, because the stored session had changed in the meantime. */
  | { readonly type: "rotation-dropped"; readonly reason: "superseded" | "signed_out" | "account_changed" }
  /** The store did not accept the current tokens. Until it does, they exist only in this process's memory. */
  | { readonly type: "save-failed"; readonly location: string; readonly code: string }
  /**
   * The store has not accepted the current tokens for the deadline of an exchange. They are still used and may be saved
   * later, but they no longer keep the process alive: if it ends now, the next one may have to sign in again.
   */
  | { readonly type: "rotation-lost"; readonly location: string }
  /** A sign-out could not revoke the tokens at the server, which still accepts them. `cause`: what it said. */
  | { readonly type: "revocation-failed"; readonly message: string; readonly cause?: EndpointResponse | undefined }
  /** Tokens reported by `save-failed` are now in the store. */
  | { readonly type: "save-recovered"; readonly location: string }
  /**
   * The store had gone back to an older state of the session, by a failover or because another program had overwritten it; the
   * current one was saved again.
   */
  | { readonly type: "session-restored"; readonly location: string }
  /**
   * Another process, or another store over the same object, writes to the object behind a `fromKeyValue` store
   * directly. Each may overwrite the other's tokens. Use a store whose compare-and-set covers both.
   */
  | { readonly type: "store-shared"; readonly location: string }
  /** An entry of a token pool was put aside, by this process or another one. `until` is in epoch milliseconds. */
  | {
      readonly type: "entry-set-aside";
      readonly entry: string;
      readonly reason: CooldownReason;
      readonly until: number;
    }
  | StoreEvent;

/**
 * Why an entry of a token pool was put aside: a 429 (`rate_limited`) or a 402 (`payment_required`); or the server rejected
 * its access token, and no newer one can be had, for now (`rejected`) or without a sign-in (`sign_in_required`).
 */
export type CooldownReason = "rate_limited" | "payment_required" | "rejected" | "sign_in_required";

/** An event that a store reports about the documents of other programs that show the session. Contains no secrets. */
export type StoreEvent =
  /**
   * A document does not show the current session. Reported once for as long as the reason lasts. The document was left
   * alone, and the session itself is safe in the store. `message`: what happened and what to do.
   */
  | {
      readonly type: "document-failed";
      readonly location: string;
      /**
       * `read_only`: it may not be written. `unparsable`: its format cannot read it. `other_account`: it holds the session of
       * another account. `unavailable`: it could not be read or written for another reason, and is tried again.
       */
      readonly reason: "read_only" | "unparsable" | "other_account" | "unavailable";
      readonly message: string;
    }
  /**
   * A write of another program to a document was lost, because the store and that program replaced it at the same moment, or
   * because a later write of that program does not contain it. One event for each write. The session is not affected.
   */
  | { readonly type: "document-write-lost"; readonly location: string }
  /** A document that was reported by `document-failed` shows the current session again. */
  | { readonly type: "document-recovered"; readonly location: string };

/** Options of one call. */
export interface CallOptions {
  /** Aborts this caller's wait with the signal's reason. The exchange continues for other callers. */
  readonly signal?: AbortSignal | null | undefined;
}

/** The response with which a server rejected an access token. */
export interface RejectingResponse {
  /** The HTTP status. */
  readonly status: number;
  /** The headers, if the client has them: `get("retry-after")`. */
  readonly headers?: { get(name: string): string | null } | undefined;
}

/** Options of {@link TokenSource.replaceRejected}. */
export interface RejectionOptions extends CallOptions {
  /** The response with which the server rejected the token, if known. A token manager does not need it. */
  readonly response?: RejectingResponse | undefined;
}

/** Options of {@link TokenManager.getAccessToken} and {@link TokenManager.getTokenSet}. */
export interface GetTokenOptions extends CallOptions {
  /**
   * How long the access token has to stay valid from now on, in milliseconds; may be `Infinity`. A token that expires earlier
   * is refreshed first, once: the call then returns the new token even if the server grants a shorter lifetime, and the
   * current one if the refresh fails and it is still valid. A token from an exchange less than a fifth of its lifetime ago
   * is not refreshed if a new one would not be valid for long enough either. A token of unknown expiry counts as valid.
   * Default 0.
   */
  readonly minValidity?: number | undefined;
}

/** Options of {@link TokenManager.signIn}. */
export interface SignInOptions {
  /**
   * `"unreadable"` also replaces stored data that cannot be read, such as a file with a syntax error. A file store keeps a
   * copy of it beside the file, and `fromKeyValue` under another key; other stores may keep none. Data that is out of reach, such as a directory or a
   * file of another user, and the session of a newer release are never replaced. Default: the call rejects with the
   * `StoreError`.
   */
  readonly over?: "unreadable" | undefined;
}

/** Options of {@link TokenManager.signInWith}. */
export interface SignInWithOptions extends CallOptions {
  /**
   * The current access token, if a server has rejected it as insufficient, for example because its scope is too narrow
   * ({@link https://www.rfc-editor.org/rfc/rfc6750#section-3.1 RFC 6750 §3.1}): its session does not count as alive, and is replaced.
   * If the session has another access token by now, that one is worth a try first: then this has no effect.
   */
  readonly insufficient?: string | undefined;
}

/** Options of {@link TokenManager.signOut}. */
export interface SignOutOptions extends SignInOptions {
  /**
   * Also revokes the tokens at the server: with the given function, or with the refresh function's own `revoke`
   * (`true`). Default: `true`, which has no effect if the refresh function has no `revoke`.
   */
  readonly revoke?: boolean | ((tokens: TokenSet) => Promise<void>) | undefined;
}

/** The result of {@link TokenManager.signOut}. */
export interface SignOutResult {
  /** Whether the server has revoked the tokens. If `false`, it may accept them until they expire. */
  readonly revoked: boolean;
}

/** A stored session, without its tokens. See {@link TokenManager.peek}. */
export interface SessionInfo {
  /** The account, if the tokens or the option `account` tell it. */
  readonly account: string | undefined;
  /** The expiry of the access token in epoch milliseconds; `undefined` if unknown, or without an access token. */
  readonly expiresAt: number | undefined;
  /** The expiry of the refresh token in epoch milliseconds; `undefined` if unknown, or without a refresh token. */
  readonly refreshTokenExpiresAt: number | undefined;
  /** The granted scope, space-separated. */
  readonly scope: string | undefined;
  readonly tokenType: string | undefined;
  /** When the tokens were requested, or the session was signed out, in epoch milliseconds. */
  readonly obtainedAt: number;
  /** Whether the access token can be refreshed. */
  readonly renewable: boolean;
  /** The reason why the user has to sign in again, now or once the access token has expired. */
  readonly reason: DeadReason | undefined;
}

/** Keeps one session alive. Created by `createTokenManager`. */
export interface TokenManager extends AsyncDisposable {
  /**
   * Returns the access token, and refreshes it if necessary. A valid token costs no allocation and waits for no I/O.
   *
   * @throws SignInRequiredError if there is nothing to refresh with
   * @throws RefreshFailedError if the token has expired and the token endpoint issued no new one, or another process has
   * claimed the refresh and is late
   * @throws ConfigurationError if the token endpoint rejects this client
   * @throws StoreError if the stored session cannot be read or claimed
   */
  getAccessToken(options?: GetTokenOptions): Promise<string>;
  /** Returns the whole token set, in the same way as {@link TokenManager.getAccessToken}. */
  getTokenSet(options?: GetTokenOptions): Promise<TokenSet>;
  /** Refreshes now, regardless of the token's expiry. Concurrent calls share one exchange. */
  refresh(options?: CallOptions): Promise<TokenSet>;
  /**
   * Returns an access token newer than the one that a server rejected with a 401. Costs an exchange only if no newer
   * token has been obtained yet.
   *
   * @throws RefreshFailedError with `reason: "just_obtained"` if the rejected token came from an exchange less than
   * min(30 s, a fifth of its lifetime) ago: expiry is not the cause, and the 401 is for the caller to handle
   */
  replaceRejected(accessToken: string, options?: RejectionOptions): Promise<string>;
  /**
   * Starts a session with these tokens and replaces any other. Resolves to `false`, and keeps the stored session, only if
   * that is the same account's live session and has already exchanged this refresh token for its own.
   *
   * @throws StoreError if the stored data cannot be read, unless it may be replaced (`over`), or cannot be written
   */
  signIn(tokens: TokenSetInput, options?: SignInOptions): Promise<boolean>;
  /**
   * Signs in with a flow, unless a session is alive: for programs of which several processes may start at once. One process
   * runs its flow; the others, and other calls in the same process, wait for it and adopt its session. Resolves to whether
   * this call's flow started the session.
   *
   * The flow has 290 seconds; its process holds a claim in the stored record for 5 minutes. If that process ends, or aborts, another one
   * runs its flow; likewise if the flow fails for a reason of its own, such as a port that is taken. If the user refuses or takes too
   * long, all calls that wait reject with the same reason. Calls that wait announce `sign-in-awaited`. Tokens that a flow returns
   * after its signal has aborted are dropped, and not revoked.
   *
   * @throws SignInFailedError if the flow throws it, or that of the process that this call has waited for
   * @throws StoreError if the claim or the session cannot be saved
   */
  signInWith(flow: SignInFlow, options?: SignInWithOptions): Promise<boolean>;
  /**
   * Starts a session with these tokens unless one is alive, or the refresh token is known to have been used or signed out: for
   * tokens that a program finds at every start, in its environment or in an old file. A session that has ended is replaced.
   * Resolves to whether it stored them.
   */
  adopt(tokens: TokenSetInput | ParsedTokens): Promise<boolean>;
  /**
   * Ends the session in this manager and in every other one that shares it. Resolves to whether the tokens were revoked at
   * the server; if that was tried and failed, the event `revocation-failed` says why.
   */
  signOut(options?: SignOutOptions): Promise<SignOutResult>;
  /**
   * Returns a description of the stored session, or `undefined` if nothing is stored. Reads the store, and never sends a
   * request.
   *
   * @throws StoreError if the stored session cannot be read
   */
  peek(): Promise<SessionInfo | undefined>;
  /** Returns whether the store holds a session that has not ended. Never refreshes, and ignores expiry. */
  hasSession(): Promise<boolean>;
  /** The current state; `undefined` before the first load. */
  readonly state: SessionState | undefined;
  /**
   * Returns where the session is stored, as its store describes it; `undefined` if this manager knows that there is no session,
   * or that it was signed out.
   */
  source(): string | undefined;
  /** Calls `listener` on every {@link SessionEvent} until the returned function is called. Ignores its exceptions. */
  subscribe(listener: (event: SessionEvent) => void): () => void;
  /**
   * Waits for an exchange in flight until its tokens are saved, and stops watching the store. Later calls reject with a
   * `TypeError`.
   *
   * @throws StoreError if the store refuses the tokens for as long as the deadline of an exchange: they may be lost
   */
  close(): Promise<void>;
}

/** Options of `createTokenManager`. */
export interface TokenManagerOptions {
  /** The store that keeps the session. Default: `memoryStore()`. */
  readonly store?: TokenStore | undefined;
  /** Exchanges a refresh token. If omitted, tokens are used until they expire and never refreshed. */
  readonly refresh?: RefreshFunction | undefined;
  /**
   * How long before its expiry a token is refreshed, in milliseconds; at most a fifth of its lifetime. Default 300,000.
   */
  readonly refreshWindow?: number | undefined;
  /**
   * Whether a call inside the refresh window returns the current token at once and refreshes it in the background. With
   * `false` it waits for the new token: for programs that may exit soon, which would cut off the exchange. Default
   * `true`.
   */
  readonly background?: boolean | undefined;
  /** The ways in which the authorization server differs from the generic one. See `providers`. */
  readonly provider?: Partial<ProviderProfile> | undefined;
  /**
   * Identifies the account that tokens belong to. Default: `iss` and `sub` of the ID token, or of the access token if
   * it is a JWT.
   */
  readonly account?: ((tokens: TokenSet) => string | undefined) | undefined;
  /**
   * Whether to return the expired access token, instead of throwing `RefreshFailedError`, while the token endpoint
   * cannot be reached (named after {@link https://www.rfc-editor.org/rfc/rfc5861#section-4 RFC 5861 §4}). Default
   * `false`.
   */
  readonly staleIfError?: boolean | undefined;
  /**
   * Whether to renew the session before its refresh token expires, even if no call asks for a token: once a fifth of the
   * refresh token's lifetime is left, in one exchange of all processes that share the store. Has an effect only if the
   * server tells that lifetime, or the tokens of a sign-in do (`refreshTokenExpiresAt`). Loads the session soon after the
   * manager was created. Its timer does not keep the process alive, and ends with the session and with `close()`. Default
   * `false`.
   */
  readonly keepAlive?: boolean | undefined;
  /**
   * How long the server accepts a refresh token after its last use, in milliseconds: for `keepAlive`, with a server that does not
   * tell. Counts from when the tokens were obtained. Default: unknown.
   */
  readonly refreshTokenLifetime?: number | undefined;
  /**
   * For shared stores without `watch`: the first call more than this many milliseconds after the last load still returns
   * the current token and starts one load in the background, so the next call notices a sign-out elsewhere. Uses no
   * timer. Default 5,000; `Infinity` turns it off.
   */
  readonly maxStaleness?: number | undefined;
  /** Time, timers and randomness, for tests. Omitted members use the system clock. */
  readonly clock?: Partial<Clock> | undefined;
}

/**
 * A source of access tokens, as adapters take it: a token manager, `envToken` and the like, or an object of your own. A
 * promise of yours that does not settle within five minutes counts as rejected, with a `TimeoutError`.
 */
export interface TokenSource {
  /**
   * Returns an access token that is valid as far as is known, with its type and expiry.
   *
   * @throws SignInRequiredError if there is no token; with the reason `no_session` or `signed_out`, `firstAvailable` tries the
   * next source
   */
  getTokenSet(options?: CallOptions): Promise<TokenSet>;
  /** Returns another access token than the one that a server rejected, or rejects and says why it has no other. */
  replaceRejected(accessToken: string, options?: RejectionOptions): Promise<string>;
  /**
   * Returns whether a response with this status rejects the access token, which is passed along for sources with several. If
   * omitted, only a 401 does.
   */
  isRejection?(status: number, accessToken?: string): boolean;
  /**
   * Returns where the token comes from, for people: the name of a variable, a file. Returns `undefined` if there is no
   * token, as far as is known without waiting. Contains no secret.
   */
  source?(): string | undefined;
  /** Calls `listener` on every event that may change the token, until the returned function is called. */
  subscribe?(listener: (event: SessionEvent) => void): () => void;
}

/** A {@link TokenSource} that this package creates. */
export interface NamedTokenSource extends TokenSource {
  /** Returns the access token, in the same way as {@link TokenSource.getTokenSet}. */
  getAccessToken(options?: CallOptions): Promise<string>;
  source(): string | undefined;
}
