export { type McpAuth, mcpAuth } from "./mcp-auth.ts";
export type { McpAuthOptions } from "./options.ts";
export type { RegisteredByHand } from "./registration.ts";
export type { ClientMetadata, McpAuthProvider, McpFetch } from "./sdk-types.ts";
export type { McpSignInContext } from "./sign-in-context.ts";
