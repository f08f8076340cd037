import { type TokenSet, tokenSetFromResponse } from "@unexpired/core";
import * as client from "openid-client";

const { ISSUER = "https://auth.example", CLIENT_SECRET = "", ORIGIN = "https://my-app.example" } = process.env;

const config = new client.Configuration(
  { issuer: ISSUER, authorization_endpoint: `${ISSUER}/authorize`, token_endpoint: `${ISSUER}/token` },
  "my-app",
  CLIENT_SECRET,
);
if (ISSUER.startsWith("http://127.0.0.1")) client.allowInsecureRequests(config);

/** The cookie that is needed again for the callback, so that any process of the server can finish a sign-in. */
export const COOKIE = "connect";
export const cookieWith = (value: string) =>
  `${COOKIE}=${value}; Max-Age=600; Path=/callback; HttpOnly; Secure; SameSite=Lax`;

/** Begins a sign-in: returns the URL for the user's browser, and a cookie to set. */
export async function begin(): Promise<{ url: string; cookie: string }> {
  const state = client.randomState();
  const verifier = client.randomPKCECodeVerifier();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: `${ORIGIN}/callback`,
    scope: "profile offline_access",
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  return { url: url.href, cookie: cookieWith(`${state}.${verifier}`) };
}

/** Finishes it, with the query of the callback, such as `?code=…`, and the value of the cookie: returns the first tokens. */
export async function finish(query: string, cookie = ""): Promise<TokenSet> {
  const [expectedState = "", pkceCodeVerifier = ""] = cookie.split(".");
  const sentAt = Date.now();
  const callback = new URL(`${ORIGIN}/callback${query}`);
  const response = await client.authorizationCodeGrant(config, callback, { expectedState, pkceCodeVerifier });
  return tokenSetFromResponse(response, { sentAt });
}
