import type { TokenManager } from "@unexpired/core";

/** What a recipe has in place of a token manager: a token that is stored somewhere, and a way to renew it. */
export interface StoredToken {
  read(): Promise<string>;
  /** One exchange. Its token is what `read` gives from now on. */
  renew(): Promise<string>;
}

/** Both from our manager, so that only the adapter differs: it renews before the expiry, and once for all who ask. */
export const storedToken = (tokens: TokenManager): StoredToken => ({
  read: () => tokens.getAccessToken(),
  renew: async () => (await tokens.refresh()).accessToken,
});
