import type { TokenManager } from "@unexpired/core";

/** The substitute for a token manager in a recipe: a stored token and a function that refreshes it. */
export interface StoredToken {
  read(): Promise<string>;
  /** Makes one exchange and stores the new token, which `read` returns from then on. */
  renew(): Promise<string>;
}

/**
 * Provides both with a token manager, so that only the adapters differ: it refreshes before expiry and shares exchanges.
 */
export const storedToken = (tokens: TokenManager): StoredToken => ({
  read: () => tokens.getAccessToken(),
  renew: async () => (await tokens.refresh()).accessToken,
});
