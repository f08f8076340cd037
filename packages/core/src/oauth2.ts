/** The refresh token grant of OAuth 2.0. */
export { type ClientAuth, type OAuth2RefreshOptions, oauth2Refresh } from "./token-endpoint/refresh-grant.ts";
