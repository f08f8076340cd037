/** The types of the SDKs, as far as both lines agree on them. Written down here, because each of the two packages is optional. */

/** A `fetch` as the transports take it. */
export type McpFetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** The metadata of a client, as it registers itself ({@link https://www.rfc-editor.org/rfc/rfc7591#section-2 RFC 7591 §2}). */
export interface ClientMetadata {
  /** Where the server may send the user back to. The first one is used. */
  redirect_uris: string[];
  client_name?: string | undefined;
  client_uri?: string | undefined;
  logo_uri?: string | undefined;
  scope?: string | undefined;
  /** Default: `["authorization_code", "refresh_token"]`. */
  grant_types?: string[] | undefined;
  /** Default: `["code"]`. */
  response_types?: string[] | undefined;
  /** Default: `"none"` if the server lists it. */
  token_endpoint_auth_method?: string | undefined;
  /** Default: `"native"` if all redirect URIs lead to this machine. */
  application_type?: "native" | "web" | undefined;
  contacts?: string[] | undefined;
  tos_uri?: string | undefined;
  policy_uri?: string | undefined;
  software_id?: string | undefined;
  software_version?: string | undefined;
}

/** A registered client, with the issuer that it belongs to. */
export interface ClientInformation {
  client_id: string;
  client_secret?: string | undefined;
  issuer?: string | undefined;
}

/** Tokens as the SDKs see them. */
export interface McpTokens {
  access_token: string;
  token_type: string;
  scope?: string | undefined;
  issuer?: string | undefined;
}

/** Tokens as the SDKs save them. */
export interface SavedTokens extends McpTokens {
  id_token?: string | undefined;
  expires_in?: number | undefined;
  refresh_token?: string | undefined;
}

/** The servers, as an SDK found them when it began a sign-in. */
export interface DiscoveryState {
  authorizationServerUrl: string;
  resourceMetadataUrl?: string;
}

/** The issuer for which 2.x asks. */
export interface IssuerContext {
  issuer: string;
}

/** The part of `OAuthClientProvider` that is implemented here. */
export interface McpAuthProvider {
  readonly redirectUrl: string;
  readonly clientMetadata: ClientMetadata;
  readonly clientMetadataUrl?: string;
  state(): string;
  clientInformation(context?: IssuerContext): Promise<ClientInformation | undefined>;
  saveClientInformation(information: ClientInformation, context?: IssuerContext): Promise<void>;
  tokens(context?: IssuerContext): Promise<McpTokens | undefined>;
  saveTokens(tokens: SavedTokens, context?: IssuerContext): Promise<void>;
  redirectToAuthorization(authorizationUrl: URL): Promise<void>;
  saveCodeVerifier(codeVerifier: string): void;
  codeVerifier(): string;
  invalidateCredentials(scope: "all" | "client" | "tokens" | "verifier" | "discovery"): Promise<void>;
  saveDiscoveryState(state: DiscoveryState): void;
  discoveryState(): DiscoveryState | undefined;
}
