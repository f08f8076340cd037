/** Signing in: discovery, and the grants of OAuth 2.0 that begin a session. */

export {
  type AuthorizationCodeFlow,
  type AuthorizationCodeFlowOptions,
  type AuthorizationRequest,
  authorizationCodeFlow,
  type StartOptions,
} from "./flows/authorization-code-flow.ts";
export type { AuthorizationServer } from "./flows/authorization-server.ts";
export type { ClientOptions } from "./flows/client.ts";
export { type DeviceFlowOptions, type DevicePrompt, deviceFlow } from "./flows/device-flow.ts";
export { type DiscoverOptions, discover } from "./flows/discovery.ts";
export { type RegisterClientOptions, registerClient } from "./flows/register-client.ts";
export type { ClientMetadata, RegisteredClient } from "./flows/registration.ts";
export type { SendOptions } from "./flows/server-request.ts";
export type { ClientAuth, ClientAuthFunction } from "./token-endpoint/client-auth.ts";
