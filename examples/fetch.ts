/** Calls an API through the built-in `fetch`. All processes that run this share one session file. */
import { createFetch, createTokenManager, isAuthError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { fileStore } from "@unexpired/store-node";

const { TOKEN_ENDPOINT = "https://auth.example/token", API = "https://api.example/me", REFRESH_TOKEN } = process.env;

const tokens = createTokenManager({
  store: fileStore({ path: "session.json" }),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "my-app" }),
});
const fetchWithTokens = createFetch(tokens, { origins: [new URL(API).origin] });
try {
  if (REFRESH_TOKEN) await tokens.adopt({ refreshToken: REFRESH_TOKEN });
  const response = await fetchWithTokens(API);
  console.log(response.status, await response.text());
} catch (error) {
  if (!isAuthError(error)) throw error;
  console.error("Please sign in again.");
  process.exitCode = 1;
} finally {
  await tokens.close();
}
