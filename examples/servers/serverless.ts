import { createFetch, createTokenManager, isAuthError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { postgresStore } from "@unexpired/store-postgres";
import { query } from "./database.ts";

const { API = "https://api.example", ISSUER = "https://auth.example", CLIENT_SECRET = "" } = process.env;

const refresh = oauth2Refresh({
  tokenEndpoint: `${ISSUER}/token`,
  clientId: "my-app",
  clientAuth: { method: "client_secret_post", clientSecret: CLIENT_SECRET },
  timeout: 5_000, // less than the platform leaves the function: it must not end in mid-exchange
});

/** Serves one request. The process may be frozen or ended as soon as it has returned. */
export async function handler({ userId }: { userId: string }): Promise<{ status: number; body: unknown }> {
  const store = postgresStore({ query, key: userId });
  await using tokens = createTokenManager({ store, refresh, background: false });
  try {
    const response = await createFetch(tokens, { origins: [new URL(API).origin] })(`${API}/profile`);
    return { status: response.status, body: await response.json() };
  } catch (error) {
    if (!isAuthError(error)) throw error;
    return { status: 401, body: { error: "Please connect your account.", connect: "/connect" } };
  }
}
