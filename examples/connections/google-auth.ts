import type { TokenSource } from "@unexpired/core";
import { OAuth2Client } from "google-auth-library";

/** Creates the `auth` of Google's clients. They ask for a token at first, near its expiry, and after a 401 or 403. */
export function authClientOf(tokens: TokenSource): OAuth2Client {
  const client = new OAuth2Client({ forceRefreshOnFailure: true });
  client.refreshHandler = async () => {
    const last = client.credentials.access_token;
    if (last) await tokens.replaceRejected(last).catch(() => {}); // if there is no newer one, the response itself comes back
    const { accessToken, expiresAt } = await tokens.getTokenSet();
    return { access_token: accessToken, expiry_date: expiresAt ?? 0 }; // 0: unknown
  };
  return client;
}
