import type { ProviderProfile, TokenSetInput, TokenStore } from "@unexpired/core";
import type { RegisteredByHand } from "./registration.ts";
import type { ClientMetadata } from "./sdk-types.ts";
import type { McpSignInContext } from "./sign-in-context.ts";

/** Options of {@link mcpAuth}. */
export interface McpAuthOptions {
  /** The URL of the MCP server, as the transport gets it: `https`, or `http` on this machine. */
  readonly serverUrl: string | URL;
  /** Keeps the session and the registration of one MCP server, for all processes that use it. */
  readonly store: TokenStore;
  /**
   * The metadata with which the client registers itself, if the authorization server allows that
   * ({@link https://www.rfc-editor.org/rfc/rfc7591 RFC 7591}). Its first redirect URI is used for sign-ins; without a port, on
   * a free one (RFC 8252 §7.3).
   */
  readonly clientMetadata?: ClientMetadata | undefined;
  /** The URL of a client ID metadata document, which is the client ID at servers that support it. Replaces a registration. */
  readonly clientMetadataUrl?: string | undefined;
  /** A client that was registered by hand, for servers at which clients cannot register themselves. */
  readonly client?: RegisteredByHand | undefined;
  /**
   * Signs the user in, and returns the tokens. Called in one process at a time, while the request that needs it waits in `fetch`:
   * `(context) => signInWithBrowser({ ...context })(context)`.
   */
  readonly signIn?: ((context: McpSignInContext) => Promise<TokenSetInput>) | undefined;
  /**
   * Opens the page of the authorization server, for programs that let the SDK sign in and call `finishAuth` themselves. Called in
   * one process at a time. If it throws or rejects, the next request that needs a sign-in begins another one.
   */
  readonly onRedirect?: ((url: URL) => unknown) | undefined;
  /** The `fetch` implementation to use. Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined;
  /**
   * Whether the servers may be plain `http` beyond this machine, for a network that is trusted as a whole. Anyone on the way can
   * read and use the tokens. Default `false`.
   */
  readonly allowInsecure?: boolean | undefined;
  /** The ways in which the authorization server differs from the generic one. See `providers` of the core. */
  readonly provider?: Partial<ProviderProfile> | undefined;
}

const NAMES: readonly string[] = [
  "serverUrl",
  "store",
  "clientMetadata",
  "clientMetadataUrl",
  "client",
  "signIn",
  "onRedirect",
  "fetch",
  "allowInsecure",
  "provider",
] satisfies (keyof McpAuthOptions)[];

/**
 * Checks what nothing else checks.
 *
 * @throws TypeError
 */
export function checkMcpOptions(options: McpAuthOptions): URL {
  const unknown = Object.keys(options).find((name) => !NAMES.includes(name));
  if (unknown !== undefined)
    throw new TypeError(`mcpAuth: unknown option "${unknown}". Supported: ${NAMES.join(", ")}.`);
  for (const name of ["signIn", "onRedirect", "fetch"] as const) checkFunction(name, options[name]);
  if (options.signIn && options.onRedirect)
    throw new TypeError("signIn, onRedirect: expected one of them. With `signIn`, the SDK never signs in itself.");
  checkClient(options);
  if (!options.store) throw new TypeError("store: expected a TokenStore, such as fileStore({ path }).");
  return checkServerUrl(options);
}

function checkServerUrl({ serverUrl, allowInsecure }: McpAuthOptions): URL {
  const url = URL.parse(String(serverUrl));
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password)
    throw new TypeError("serverUrl: expected an absolute https URL without user information.");
  if (url.protocol === "https:" || LOCAL.test(url.href) || allowInsecure) return url;
  throw new TypeError(
    `serverUrl: expected https, because ${url.host} is not this machine. If only a private network reaches it, pass allowInsecure: true: anyone on the way can then read the tokens.`,
  );
}

function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== "function") throw new TypeError(`${name}: expected a function.`);
}

/** Each check, and the problem if it fails. */
const CLIENT_CHECKS: readonly (readonly [(options: McpAuthOptions) => boolean, problem: string])[] = [
  [
    ({ clientMetadataUrl }) => clientMetadataUrl === undefined || isDocumentUrl(clientMetadataUrl),
    "clientMetadataUrl: expected an https URL with a path.",
  ],
  [
    ({ client }) => client === undefined || (typeof client.clientId === "string" && client.clientId !== ""),
    "client.clientId: expected a non-empty string.",
  ],
  [
    ({ clientMetadata }) => !clientMetadata || URL.canParse(clientMetadata.redirect_uris?.[0] ?? ""),
    "clientMetadata.redirect_uris: expected at least one absolute URL.",
  ],
  [
    ({ signIn, client, clientMetadata, clientMetadataUrl }) =>
      !signIn || Boolean(client ?? clientMetadata ?? clientMetadataUrl),
    "clientMetadata: expected the metadata of the client, or one of clientMetadataUrl and client.",
  ],
  [
    ({ onRedirect, clientMetadata }) => !onRedirect || clientMetadata !== undefined,
    "clientMetadata: expected an object with redirect_uris, because the SDK asks for them.",
  ],
];

function checkClient(options: McpAuthOptions): void {
  const problem = CLIENT_CHECKS.find(([isValid]) => !isValid(options))?.[1];
  if (problem !== undefined) throw new TypeError(problem);
}

function isDocumentUrl(given: string): boolean {
  const url = URL.parse(given);
  return url?.protocol === "https:" && url.pathname !== "/";
}

const LOCAL = /^http:\/\/(localhost|127(\.\d+){3}|\[::1\])([:/]|$)/;

/** Completes the metadata of a client. A program whose redirect URIs lead to this machine, or to itself, is a native app. */
export function completeMetadata(given: ClientMetadata | undefined): ClientMetadata {
  const metadata = given ?? { redirect_uris: [] };
  const isNative = metadata.redirect_uris.every((uri) => LOCAL.test(uri) || !/^https?:/.test(uri));
  return {
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    application_type: isNative ? "native" : "web",
    ...metadata,
  };
}
