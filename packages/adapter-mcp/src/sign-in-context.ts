import type { AuthorizationServer } from "@unexpired/core/flows";
import type { ClientAuth } from "@unexpired/core/oauth2";

/**
 * The parameters of a sign-in. Except for the signal, its enumerable members are options of `authorizationCodeFlow` and of
 * `signInWithBrowser`: `signIn: (context) => signInWithBrowser({ ...context })(context)`. The flows for devices take all of them
 * except `redirectUri` and `parameters`.
 */
export interface McpSignInContext {
  /** The authorization server of the MCP server. */
  readonly issuer: AuthorizationServer;
  readonly clientId: string;
  readonly clientAuth: ClientAuth;
  /** The scope that the MCP server asks for, and after a 403 also what the session has already. */
  readonly scope?: string;
  /** The MCP server, as its metadata names it (RFC 8707). */
  readonly resource?: string;
  /** The first redirect URI of the registration. */
  readonly redirectUri?: string;
  /** `{ prompt: "consent" }` with the scope `offline_access`, which OpenID Connect requires. */
  readonly parameters?: Readonly<Record<string, string>>;
  readonly fetch: typeof fetch;
  readonly allowInsecure?: boolean;
  /** Aborts if the sign-in is no longer wanted. Not enumerable, so that `{ ...context }` are options of a flow. */
  readonly signal: AbortSignal;
}
