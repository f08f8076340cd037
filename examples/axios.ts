/** Calls an API through axios. All processes that run this share one session file. */
import { attachTokens } from "@unexpired/adapter-axios";
import { createTokenManager, isAuthError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { fileStore } from "@unexpired/store-node";
import axios from "axios";

const { TOKEN_ENDPOINT = "https://auth.example/token", API = "https://api.example/me", REFRESH_TOKEN } = process.env;

const tokens = createTokenManager({
  store: fileStore({ path: "session.json" }),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "my-app" }),
});
const api = axios.create({ baseURL: new URL(API).origin });
attachTokens(api, tokens);
try {
  if (REFRESH_TOKEN) await tokens.adopt({ refreshToken: REFRESH_TOKEN });
  const { status, data } = await api.get(API);
  console.log(status, data);
} catch (error) {
  if (!isAuthError(error)) throw error;
  console.error("Please sign in again.");
  process.exitCode = 1;
} finally {
  await tokens.close();
}
