import { createTokenManager, TokenEndpointError, type TokenManager } from "@unexpired/core";

const LIFETIME = 3600; // seconds

/** A prefix of every token of {@link startSession}, so that a search through all output finds leaked tokens. */
export const CANARY = "canary-";

/**
 * A session for tests, without a token endpoint. Its tokens are numbered: `accessToken(1)`, and `(2)` after an
 * exchange.
 */
export interface Session extends AsyncDisposable {
  readonly tokens: TokenManager;
  /** Returns the access token with that number. */
  accessToken(number: number): string;
  /** The number of exchanges that were started. */
  readonly exchanges: number;
  /** Makes exchanges wait until the returned function is called. */
  pause(): () => void;
  /** Makes all further exchanges fail with a {@link TokenEndpointError} with these details. */
  fail(failure: ConstructorParameters<typeof TokenEndpointError>[0]): void;
}

/** Options of {@link startSession}. */
export interface SessionOptions {
  /** A string that is part of each of its tokens. Default: none. */
  readonly owner?: string | undefined;
  /** Whether the access token has already expired. Default `false`. */
  readonly expired?: boolean | undefined;
  /** The type of its tokens. Default `"Bearer"`. */
  readonly tokenType?: string | undefined;
}

/** Starts a session: a signed-in token manager. */
export async function startSession({
  owner = "",
  expired = false,
  tokenType = "Bearer",
}: SessionOptions = {}): Promise<Session> {
  let exchanges = 0;
  let paused = Promise.resolve();
  let failure: TokenEndpointError | undefined;
  const token = (kind: "access" | "refresh", number: number) => `${CANARY}${kind}-${owner}${number}`;
  const tokens = createTokenManager({
    async refresh() {
      const number = ++exchanges + 1;
      await paused;
      if (failure) throw failure;
      return {
        access_token: token("access", number),
        refresh_token: token("refresh", number),
        token_type: tokenType,
        expires_in: LIFETIME,
      };
    },
  });
  await tokens.signIn({
    accessToken: token("access", 1),
    refreshToken: token("refresh", 1),
    tokenType,
    expiresAt: expired ? 0 : Date.now() + LIFETIME * 1000,
  });
  return {
    tokens,
    accessToken: (number) => token("access", number),
    get exchanges() {
      return exchanges;
    },
    pause() {
      let go = () => {};
      paused = new Promise((resolve) => {
        go = resolve;
      });
      return go;
    },
    fail(details) {
      failure = new TokenEndpointError(details);
    },
    [Symbol.asyncDispose]: () => tokens.close(),
  };
}
