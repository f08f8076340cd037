/** The refresh token grant of OAuth 2.0. */
export type { ClientAuth, ClientAuthFunction } from "./token-endpoint/client-auth.ts";
export { type OAuth2RefreshOptions, oauth2Refresh } from "./token-endpoint/refresh-grant.ts";
export { isUnsent } from "./token-endpoint/unsent.ts";
