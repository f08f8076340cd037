import { createTokenManager, TokenEndpointError, type TokenManager } from "@unexpired/core";

const LIFETIME = 3600; // seconds

/** Every token of {@link startSession} has this in it, so that a search through all that was printed finds it. */
export const CANARY = "canary-";

/** A session for tests, without a token endpoint. Its tokens are numbered: `accessToken(1)`, after an exchange `(2)`. */
export interface Session extends AsyncDisposable {
  readonly tokens: TokenManager;
  /** The access token with that number. */
  accessToken(number: number): string;
  /** How many exchanges were started. */
  readonly exchanges: number;
  /** Exchanges wait until the returned function is called. */
  pause(): () => void;
  /** From now on exchanges fail like this. */
  fail(failure: ConstructorParameters<typeof TokenEndpointError>[0]): void;
}

/** How a session starts. */
export interface SessionOptions {
  /** A part of each of its tokens. Default: none. */
  readonly owner?: string | undefined;
  /** The access token has expired. */
  readonly expired?: boolean | undefined;
}

/** Starts a session: a token manager that is signed in. */
export async function startSession({ owner = "", expired = false }: SessionOptions = {}): Promise<Session> {
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
        token_type: "Bearer",
        expires_in: LIFETIME,
      };
    },
  });
  await tokens.signIn({
    accessToken: token("access", 1),
    refreshToken: token("refresh", 1),
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
    fail(given) {
      failure = new TokenEndpointError(given);
    },
    [Symbol.asyncDispose]: () => tokens.close(),
  };
}
