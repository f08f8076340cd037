/** What adapters for HTTP clients are made of. */
export {
  type Answer,
  type Authorization,
  type Authorizer,
  type AuthorizerOptions,
  createAuthorizer,
  type Origins,
  type Outgoing,
  type ResponseHeaders,
} from "./http/authorizer.ts";
export type { RequestSettings, SettingsOfRequest } from "./http/per-request.ts";
export { printAs, type RequestView, requestView } from "./util/inspect.ts";
