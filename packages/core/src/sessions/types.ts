import type {
  DeadReason,
  EndpointResponse,
  SessionEvent,
  SignInOptions,
  SignOutOptions,
  SignOutResult,
  TokenManager,
  TokenManagerOptions,
  TokenSetInput,
  TokenStore,
} from "../types.ts";

/** Options of {@link createSessions}. Those of a token manager apply to every session. */
export interface SessionsOptions extends Omit<TokenManagerOptions, "store" | "keepAlive"> {
  /** Returns the store of a session. Called again whenever the session is used after it was idle. */
  readonly store: (key: string) => TokenStore;
  /** Returns the keys of all sessions, if the store can tell them. `sessions.list()` and `keepAlive` need it. */
  readonly list?: (() => AsyncIterable<string> | Iterable<string>) | undefined;
  /**
   * How many sessions are kept in memory at most. Above that, those that were not used for the longest time are closed, except if
   * they are in use. Default 10,000.
   */
  readonly maxLive?: number | undefined;
  /** After how many milliseconds without use a session is closed, to free its memory. Default 300,000. */
  readonly idleTimeout?: number | undefined;
  /**
   * Renews sessions that no caller uses before their refresh tokens expire: looks at all of them in each `interval` (in
   * milliseconds, default 3,600,000), at most `perSecond` of them in a second (default 10), and renews those of which a fifth of
   * the refresh token's lifetime is left. Needs `list`, and a server that tells that lifetime, or `refreshTokenLifetime`. Every
   * process may do it: one of them renews. Its timer does not keep the process alive. Default: off.
   */
  readonly keepAlive?: boolean | KeepAliveOptions | undefined;
}

/** See {@link SessionsOptions.keepAlive}. */
export interface KeepAliveOptions {
  /** In milliseconds. */
  readonly interval?: number | undefined;
  readonly perSecond?: number | undefined;
}

/** One session of {@link createSessions}: a token manager that is opened when it is used, and closed when it is idle. */
export type Session = Omit<TokenManager, "close" | typeof Symbol.asyncDispose>;

/** An event of one of the sessions, or of all of them. Contains no secrets. */
export type SessionsEvent =
  /** An event of the session with this key, as its token manager announces it. */
  | (SessionEvent & { readonly key: string })
  /**
   * A session that was alive needs another sign-in: for notifying the user. Each process announces it once if it uses the session at
   * that time; `session` is the same in all of them. Not announced for a sign-out. The access token may still be usable for a
   * while.
   */
  | {
      readonly type: "session-failed";
      readonly key: string;
      /** Identifies the session from its sign-in on; not a secret. */
      readonly session: string;
      readonly reason: DeadReason;
      /** The response of the token endpoint. */
      readonly cause?: EndpointResponse | undefined;
    }
  /** A session that had failed, as this process knows, is alive again. */
  | { readonly type: "session-recovered"; readonly key: string; readonly session: string }
  /** A look at all sessions for `keepAlive` ended before it had seen all of them. The next one begins in time. */
  | { readonly type: "keep-alive-failed"; readonly message: string };

/** The sessions of a server's users, each under a key. Created by {@link createSessions}. */
export interface Sessions extends AsyncDisposable {
  /**
   * Returns the session with this key, which exists in the store or not. Costs nothing until it is used. It can be kept, and
   * passed to adapters.
   *
   * @throws TypeError if the key is not a non-empty string
   */
  get(key: string): Session;
  /** Starts a session: see {@link TokenManager.signIn}. */
  signIn(key: string, tokens: TokenSetInput, options?: SignInOptions): Promise<boolean>;
  /** Ends a session: see {@link TokenManager.signOut}. */
  signOut(key: string, options?: SignOutOptions): Promise<SignOutResult>;
  /**
   * Returns the keys of all sessions in the store, also of those that have ended.
   *
   * @throws TypeError without the option `list`
   */
  list(): AsyncIterable<string>;
  /** Calls `listener` on every event until the returned function is called. Ignores its exceptions. */
  subscribe(listener: (event: SessionsEvent) => void): () => void;
  /** The number of sessions in memory. */
  readonly size: number;
  /**
   * Closes all sessions: waits for their exchanges, and until their tokens are saved. Later calls reject with a `TypeError`.
   *
   * @throws StoreError if the store refuses the tokens of a session; AggregateError if there are several. See
   * {@link TokenManager.close}
   */
  close(): Promise<void>;
}
