/** Refreshes at an endpoint that accepts and returns JSON with its own field names. */
import { createFetch, createTokenManager } from "@unexpired/core";
import { jsonRefresh } from "@unexpired/core/oauth2";
import { fileStore } from "@unexpired/store-node";

const { TOKEN_ENDPOINT = "https://auth.example/token", API = "https://api.example/me", REFRESH_TOKEN } = process.env;

interface Refreshed {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresIn: number;
}

const refresh = jsonRefresh({
  endpoint: TOKEN_ENDPOINT,
  body: ({ refreshToken }) => ({ clientId: "my-app", refreshToken }),
  read: ({ accessToken, refreshToken, expiresIn }: Refreshed) => ({
    access_token: accessToken,
    refresh_token: refreshToken,
    expires_in: expiresIn,
  }),
  isTerminal: (json: { readonly code?: string } | undefined) => json?.code === "SESSION_GONE",
});

const tokens = createTokenManager({ store: fileStore({ path: "session.json" }), refresh });
try {
  if (REFRESH_TOKEN) await tokens.adopt({ refreshToken: REFRESH_TOKEN });
  const fetchWithTokens = createFetch(tokens, { origins: [new URL(API).origin] });
  const response = await fetchWithTokens(API);
  console.log(response.status, await response.text());
} finally {
  await tokens.close();
}
