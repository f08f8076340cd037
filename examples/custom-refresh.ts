/** Refreshes at a token endpoint that accepts and returns JSON with its own field names. */
import { createFetch, createTokenManager, type RefreshFunction, TokenEndpointError } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";

const { TOKEN_ENDPOINT = "https://auth.example/token", API = "https://api.example/me", REFRESH_TOKEN } = process.env;

const refresh: RefreshFunction = async ({ refreshToken }, { signal }) => {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ clientId: "my-app", refreshToken });
  const response = await fetch(TOKEN_ENDPOINT, { method: "POST", headers, body, signal });
  const received = await response.json();
  if (!response.ok) throw new TokenEndpointError({ status: response.status, error: received.error, sent: true });
  return { access_token: received.accessToken, refresh_token: received.refreshToken, expires_in: received.expiresIn };
};

const tokens = createTokenManager({ store: fileStore({ path: "session.json" }), refresh });
try {
  if (REFRESH_TOKEN) await tokens.adopt({ refreshToken: REFRESH_TOKEN });
  const fetchWithTokens = createFetch(tokens, { origins: [new URL(API).origin] });
  const response = await fetchWithTokens(API);
  console.log(response.status, await response.text());
} finally {
  await tokens.close();
}
