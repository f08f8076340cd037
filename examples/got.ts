/** Calls an API through got. All processes that run this share one session file. */
import { withTokens } from "@unexpired/adapter-got";
import { createTokenManager, isAuthError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { fileStore } from "@unexpired/store-node";
import got from "got";

const { TOKEN_ENDPOINT = "https://auth.example/token", API = "https://api.example/me", REFRESH_TOKEN } = process.env;

const tokens = createTokenManager({
  store: fileStore({ path: "session.json" }),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "my-app" }),
});
const api = got.extend(withTokens(tokens, { origins: [new URL(API).origin] }));
try {
  if (REFRESH_TOKEN) await tokens.adopt({ refreshToken: REFRESH_TOKEN });
  const { statusCode, body } = await api(API);
  console.log(statusCode, body);
} catch (error) {
  if (!isAuthError(error)) throw error;
  console.error("Please sign in again.");
  process.exitCode = 1;
} finally {
  await tokens.close();
}
