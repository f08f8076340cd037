/** Refreshes with openid-client, whose error responses become those of Unexpired. */
import { createFetch, createTokenManager, type RefreshFunction, TokenEndpointError } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import * as oidc from "openid-client";

const { TOKEN_ENDPOINT = "https://auth.example/token", API = "https://api.example/me", REFRESH_TOKEN } = process.env;

const issuer = new URL(TOKEN_ENDPOINT).origin;
const config = new oidc.Configuration({ issuer, token_endpoint: TOKEN_ENDPOINT }, "my-app", undefined, oidc.None());
if (issuer.startsWith("http:")) oidc.allowInsecureRequests(config); // for a server on this machine

/** Every other error counts as a lost response: the server may have rotated. */
function toEndpointError(error: unknown): unknown {
  if (!(error instanceof oidc.ResponseBodyError)) return error;
  const { status, error: code, error_description: description } = error;
  return new TokenEndpointError({ status, error: code, description, sent: true });
}

const refresh: RefreshFunction = ({ refreshToken = "" }) =>
  oidc.refreshTokenGrant(config, refreshToken).catch((error: unknown) => Promise.reject(toEndpointError(error)));

const tokens = createTokenManager({ store: fileStore({ path: "session.json" }), refresh });
try {
  if (REFRESH_TOKEN) await tokens.adopt({ refreshToken: REFRESH_TOKEN });
  const fetchWithTokens = createFetch(tokens, { origins: [new URL(API).origin] });
  const response = await fetchWithTokens(API);
  console.log(response.status, await response.text());
} finally {
  await tokens.close();
}
