/** The refresh token grant of OAuth 2.0, and the same for endpoints that have a JSON format of their own. */
export type { ClientAuth, ClientAuthFunction } from "./token-endpoint/client-auth.ts";
export {
  type BodyReader,
  type HeaderValues,
  type JsonRefreshOptions,
  jsonRefresh,
  type ReturnedTokens,
} from "./token-endpoint/json-refresh.ts";
export { type OAuth2RefreshOptions, oauth2Refresh } from "./token-endpoint/refresh-grant.ts";
export { isUnsent } from "./token-endpoint/unsent.ts";
