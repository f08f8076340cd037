/** Calls an API through ofetch. All processes that run this share one session file. */
import { withTokens } from "@unexpired/adapter-ofetch";
import { createTokenManager, isAuthError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { fileStore } from "@unexpired/store-node";
import { ofetch } from "ofetch";

const { TOKEN_ENDPOINT = "https://auth.example/token", API = "https://api.example/me", REFRESH_TOKEN } = process.env;

const tokens = createTokenManager({
  store: fileStore({ path: "session.json" }),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "my-app" }),
});
const api = ofetch.create(withTokens(tokens, { baseURL: new URL(API).origin }));
try {
  if (REFRESH_TOKEN) await tokens.adopt({ refreshToken: REFRESH_TOKEN });
  console.log(await api(API));
} catch (error) {
  if (!isAuthError(error)) throw error;
  console.error("Please sign in again.");
  process.exitCode = 1;
} finally {
  await tokens.close();
}
