import { createTokenManager, TokenEndpointError, type TokenManager } from "@unexpired/core";
import { canary } from "./canary.ts";

const LIFETIME = 3600;

/** A signed-in manager whose n-th exchange brings access token n + 1. */
export interface Session extends AsyncDisposable {
  readonly tokens: TokenManager;
  /** How many exchanges were started. */
  readonly exchanges: number;
  /** Exchanges wait until the returned function is called. */
  pause(): () => void;
  /** From now on the token endpoint answers `invalid_grant`. */
  revoked: boolean;
}

export async function startSession(owner = ""): Promise<Session> {
  let exchanges = 0;
  let paused = Promise.resolve();
  const tokens = createTokenManager({
    async refresh() {
      exchanges += 1;
      const next = exchanges + 1;
      await paused;
      if (session.revoked) throw new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true });
      return {
        access_token: canary("access", `${owner}${next}`),
        refresh_token: canary("refresh", `${owner}${next}`),
        token_type: "Bearer",
        expires_in: LIFETIME,
      };
    },
  });
  const session: Session = {
    tokens,
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
    revoked: false,
    [Symbol.asyncDispose]: () => tokens.close(),
  };
  await tokens.signIn({
    accessToken: canary("access", `${owner}1`),
    refreshToken: canary("refresh", `${owner}1`),
    expiresAt: Date.now() + LIFETIME * 1000,
  });
  return session;
}
