/**
 * What a session holds. Plain data: the objects that the library hands out print without their secrets
 * (`util.inspect`, `JSON.stringify`), so read the fields by name.
 */
export interface TokenSet {
  /** The access token, as the server sent it. */
  readonly accessToken: string;
  /** The refresh token; absent where the session cannot be renewed. */
  readonly refreshToken?: string | undefined;
  /** When the access token ends, in epoch milliseconds; absent where nobody said. */
  readonly expiresAt?: number | undefined;
  /** `Bearer` unless the server said otherwise ({@link https://www.rfc-editor.org/rfc/rfc6749#section-7.1 RFC 6749 §7.1}). */
  readonly tokenType: string;
  /** The granted scope, space-separated ({@link https://www.rfc-editor.org/rfc/rfc6749#section-3.3 RFC 6749 §3.3}). */
  readonly scope?: string | undefined;
  /** The OpenID Connect ID token. */
  readonly idToken?: string | undefined;
  /** What the server sent besides, kept as it came. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/** A {@link TokenSet} as a caller gives it: `tokenType` defaults to `"Bearer"`, `extra` to `{}`. */
export type TokenSetInput = Omit<TokenSet, "tokenType" | "extra"> & Partial<Pick<TokenSet, "tokenType" | "extra">>;

/** A token endpoint's successful answer ({@link https://www.rfc-editor.org/rfc/rfc6749#section-5.1 RFC 6749 §5.1}). */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type?: string | undefined;
  /** Seconds from the moment that the request was sent. */
  readonly expires_in?: number | undefined;
  /** Absent: the server keeps the old refresh token valid, and so do we. */
  readonly refresh_token?: string | undefined;
  readonly scope?: string | undefined;
  readonly id_token?: string | undefined;
  readonly [parameter: string]: unknown;
}

/** What a refresh function is told about its exchange. */
export interface RefreshContext {
  /** Fires only at the exchange's deadline: no caller's abort reaches it. */
  readonly signal: AbortSignal;
  /** Names this exchange in events and in the stored record. */
  readonly attemptId: string;
}

/**
 * Exchanges the current refresh token for new tokens, with one request and no retry of its own.
 *
 * To report what the endpoint said it throws a `TokenEndpointError`. Anything else thrown counts as "sent, answer
 * lost": the server may or may not have rotated.
 */
export interface RefreshFunction {
  (current: TokenSet, context: RefreshContext): Promise<TokenResponse>;
  /** The exchange's deadline in milliseconds; default 30,000. */
  readonly timeout?: number | undefined;
  /** Revokes tokens at the server ({@link https://www.rfc-editor.org/rfc/rfc7009 RFC 7009}); used when an exchange ends after a sign-out. */
  readonly revoke?: ((tokens: TokenSet) => Promise<void>) | undefined;
}

/** A stored string and the version under which it is stored. */
export interface StoredValue {
  readonly value: string;
  /** Opaque, as an HTTP ETag is; never repeats, also not after remove and re-create. */
  readonly version: string;
}

/** Keeps one string under compare-and-set. Nothing more is asked of a store. */
export interface TokenStore {
  /** The stored string and its version; `undefined` where there is none. Unreadable is an error, never `undefined`. */
  load(): Promise<StoredValue | undefined>;
  /**
   * Stores `value` only if the version is still `expected` (`undefined`: only if there is none) and resolves to the
   * new version. Else `StoreConflictError`. Any other error means: outcome unknown (the core loads again and looks).
   */
  save(value: string, expected: string | undefined): Promise<string>;
  /** Deletes everything. For uninstalling; signing out saves a tombstone. */
  remove(): Promise<void>;
  /** Calls back when the record may have changed, until the returned function is called. Must not keep the process alive. */
  watch?(onChange: () => void): () => void;
  /** How far compare-and-set holds, and whether a resolved save survives a power cut. */
  readonly supports: { readonly compareAndSet: "process" | "host" | "cluster"; readonly durable: boolean };
  /** Who we are to other holders, and whether one of them is certainly gone. Without it: leases only. */
  readonly holder?: { readonly id: string; isGone(id: string): Promise<boolean> };
  /** Where the session lives, for people: no secrets. */
  describe(): string;
}

/** Time, timers and chance. Everything that waits or looks at a clock does it through this. */
export interface Clock {
  /** Epoch milliseconds. May jump. */
  now(): number;
  /** Milliseconds since some moment. Never jumps. */
  monotonic(): number;
  /**
   * Calls back once, `delay` milliseconds from now, and returns what cancels it.
   * `keepAlive` says whether the process has to stay alive for it.
   */
  setTimer(callback: () => void, delay: number, keepAlive: boolean): () => void;
  /** A number from 0 up to, not including, 1. */
  random(): number;
}

/** What is known about an authorization server. Data only; see `providers`. */
export interface ProviderProfile {
  /** Whether a refresh token may be used once (`true`) or is reusable. Default `true`. */
  readonly rotation: boolean;
  /** For how many seconds after a rotation the old refresh token is still answered. Default 0. */
  readonly graceSeconds: number;
  /**
   * What the old refresh token brings meanwhile: the tokens of the first exchange once more (`"same"`), or further ones
   * (`"new"`), beside which the lost ones may live on. Default `"new"`. The manager keeps whatever comes, and decides
   * nothing by it: this is for people who judge a server, and for simulated servers.
   */
  readonly replayReturns: "same" | "new";
  /** What to do with a refresh token whose exchange was lost: present it once more, or sign in again. Default `"retry"`. */
  readonly afterLoss: "retry" | "sign-in";
  /** Error codes that end the session, besides `invalid_grant`. Default none. */
  readonly terminalCodes: readonly string[];
}

/** Why there is nothing to refresh with. */
export type DeadReason =
  | "no_session"
  | "session_expired"
  | "refresh_token_reused"
  | "response_lost"
  | "revoked"
  | "signed_out"
  | "account_changed";

/** The state of a session, computed when asked for. */
export type SessionState =
  | { readonly status: "valid"; readonly expiresAt: number | undefined }
  /** Inside the window, or past the end (`usable: false`), and nobody renews it yet. */
  | { readonly status: "near-expiry"; readonly expiresAt: number | undefined; readonly usable: boolean }
  /** An exchange is in flight, here or in another holder of the session. */
  | { readonly status: "refreshing"; readonly expiresAt: number | undefined; readonly usable: boolean }
  | { readonly status: "dead"; readonly reason: DeadReason };

/** What happens to a session, for logs and views. Holds no secret. */
export type SessionEvent =
  /** The session's status or reason is another one than when last told. */
  | { readonly type: "state-changed"; readonly state: SessionState }
  /** This manager sends the refresh token to the token endpoint now. */
  | { readonly type: "exchange-started"; readonly attemptId: string; readonly afterLoss: boolean }
  /** This manager's exchange brought new tokens. `duration` in milliseconds. */
  | {
      readonly type: "refreshed";
      readonly attemptId: string;
      readonly expiresAt: number | undefined;
      readonly duration: number;
    }
  /** Another holder's tokens were taken over from the store. */
  | { readonly type: "tokens-adopted"; readonly expiresAt: number | undefined }
  /** A renewal brought nothing; the session lives. `retryAt` in epoch milliseconds. */
  | { readonly type: "refresh-failed"; readonly code: string; readonly retryAt: number | undefined }
  /** Our exchange's tokens were not kept, because the stored session had moved on. */
  | { readonly type: "rotation-dropped"; readonly reason: "superseded" | "signed_out" | "account_changed" }
  /** The store refuses the current tokens: they live in this process's memory only. */
  | { readonly type: "save-failed"; readonly location: string; readonly code: string }
  /** Tokens told as `unsaved` are in the store now. */
  | { readonly type: "save-recovered"; readonly location: string }
  /** A spent refresh token was found in the store; the current session was written back. */
  | { readonly type: "session-restored"; readonly location: string }
  /**
   * Somebody writes where a store of `fromKeyValue` keeps its session, past that store: another process, or another
   * store over the same object. Either may overwrite the other's tokens. Use a store that compares and sets for all.
   */
  | { readonly type: "store-shared"; readonly location: string };

/** Options of one call. */
export interface CallOptions {
  /** Ends this caller's wait, with the signal's reason. The exchange goes on for the others. */
  readonly signal?: AbortSignal | null | undefined;
}

/** Options of {@link TokenManager.signOut}. */
export interface SignOutOptions {
  /**
   * Also revokes the tokens at the server: with this function, or (`true`) with the refresh function's own `revoke`.
   * Default: `true` where the refresh function has one.
   */
  readonly revoke?: boolean | ((tokens: TokenSet) => Promise<void>) | undefined;
}

/** Keeps one session alive. Made by `createTokenManager`. */
export interface TokenManager extends AsyncDisposable {
  /**
   * The access token. While it is outside the refresh window this costs no I/O.
   *
   * @throws SignInRequiredError where there is nothing to refresh with
   * @throws RefreshFailedError where the token has expired and the token endpoint gave no new one
   * @throws ConfigurationError where the token endpoint refuses this client
   * @throws StoreError where the stored session cannot be read or claimed
   */
  getAccessToken(options?: CallOptions): Promise<string>;
  /** As {@link TokenManager.getAccessToken}, with everything that came with the token. */
  getTokenSet(options?: CallOptions): Promise<TokenSet>;
  /** Renews now, whatever the clock says: still one exchange for all who ask meanwhile. */
  refresh(options?: CallOptions): Promise<TokenSet>;
  /**
   * After a 401: an access token newer than the one that was rejected. Costs an exchange only where nobody has a newer
   * one yet.
   *
   * @throws RefreshFailedError with `because: "just_obtained"` where the rejected token came from an exchange less
   * than min(30 s, a fifth of its lifetime) ago: the 401 is not about its age, and is the caller's
   */
  replaceRejected(accessToken: string, options?: CallOptions): Promise<string>;
  /** Starts a session with these tokens, in place of any other. */
  signIn(tokens: TokenSetInput): Promise<void>;
  /** Ends the session here and for every other holder. */
  signOut(options?: SignOutOptions): Promise<void>;
  /** Whether a session is stored that has not ended. Presence only: never refreshes, never judges expiry. */
  hasSession(): Promise<boolean>;
  /** The state now; `undefined` before the first load. */
  readonly state: SessionState | undefined;
  /** Calls back on every {@link SessionEvent} until the returned function is called. A listener's exception is ignored. */
  subscribe(listener: (event: SessionEvent) => void): () => void;
  /** Waits for an exchange in flight and stops watching the store. Later calls are a `TypeError`. */
  close(): Promise<void>;
}

/** Options of `createTokenManager`. */
export interface TokenManagerOptions {
  /** Where the session is kept. Default: `memoryStore()`. */
  readonly store?: TokenStore | undefined;
  /** How to exchange a refresh token. Absent: tokens are used until they expire, and never refreshed. */
  readonly refresh?: RefreshFunction | undefined;
  /** How long before its end a token is renewed, in milliseconds; at most a fifth of its lifetime. Default 300,000. */
  readonly refreshWindow?: number | undefined;
  /**
   * Inside the window: hand out the token at once and renew behind it (`true`), or wait for the renewal (`false`: for
   * programs that are about to exit, which would kill the exchange). Default `true`.
   */
  readonly background?: boolean | undefined;
  /** What differs from the generic authorization server. */
  readonly provider?: Partial<ProviderProfile> | undefined;
  /** Tells accounts apart. Default: `iss` and `sub` of the ID token, or of the access token where that is a JWT. */
  readonly account?: ((tokens: TokenSet) => string | undefined) | undefined;
  /**
   * While the token endpoint cannot be reached: returns the expired access token instead of throwing `RefreshFailedError`
   * (the term of {@link https://www.rfc-editor.org/rfc/rfc5861#section-4 RFC 5861 §4}). Default `false`.
   */
  readonly staleIfError?: boolean | undefined;
  /** Time, timers and chance, for tests. What is absent is the system's. */
  readonly clock?: Partial<Clock> | undefined;
}

/** The part of a token manager that sending requests takes. */
export type TokenSource = Pick<TokenManager, "getTokenSet" | "replaceRejected">;
