import { createTokenManager, type TokenManager } from "@unexpired/core";
import { Discovery } from "./discovery.ts";
import { createMcpFetch } from "./mcp-fetch.ts";
import { checkMcpOptions, completeMetadata, type McpAuthOptions } from "./options.ts";
import { Provider } from "./provider.ts";
import { createRefresh } from "./refresh.ts";
import { Registration } from "./registration.ts";
import type { McpAuthProvider, McpFetch } from "./sdk-types.ts";
import { SignIn } from "./sign-in.ts";

/** The parts that {@link mcpAuth} returns. */
export interface McpAuth extends AsyncDisposable {
  /** For the option `fetch` of the transport: attaches the token to requests to the MCP server, renews it, and signs in. */
  readonly fetch: McpFetch;
  /** For the option `authProvider` of the transport. */
  readonly authProvider: McpAuthProvider;
  /** The session: `signOut()`, `peek()`, events. */
  readonly tokens: TokenManager;
  /** Waits for an exchange in flight, ends a sign-in that is under way, and stops watching the store. */
  close(): Promise<void>;
}

/**
 * Creates the options `fetch` and `authProvider` for the HTTP transports of `@modelcontextprotocol/sdk` 1.x and
 * `@modelcontextprotocol/client` 2.x. All processes with the same store share one session: one of them refreshes it, and one
 * asks the user to sign in, when the MCP server wants it
 * ({@link https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization MCP authorization}).
 *
 * `fetch` rejects like that of `createFetch`. In addition: with a `SignInRequiredError` if there is no session, and neither
 * `signIn` nor `onRedirect`; with a `SignInFailedError` if a sign-in fails; with a `ConfigurationError` if a server's metadata
 * are invalid, or the MCP server rejects new tokens.
 *
 * @throws TypeError if an option is invalid
 */
export function mcpAuth(options: McpAuthOptions): McpAuth {
  const serverUrl = checkMcpOptions(options);
  const { store, signIn: flow, onRedirect, client, clientMetadataUrl, allowInsecure, provider } = options;
  const send: typeof fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const clientMetadata = completeMetadata(options.clientMetadata);
  const discovery = new Discovery({ serverUrl, fetch: send, allowInsecure });
  const registration = new Registration({
    store,
    client,
    clientMetadata,
    clientMetadataUrl,
    fetch: send,
    allowInsecure,
  });
  const tokens = createTokenManager({
    store,
    refresh: createRefresh({ discovery, registration, fetch: send, allowInsecure }),
    provider: client ? provider : forRegistered(provider),
  });
  const signIn =
    flow || onRedirect
      ? new SignIn({
          ...{ tokens, discovery, registration, allowInsecure, signIn: flow, fetch: send },
          scope: clientMetadata.scope,
          mayRefresh: clientMetadata.grant_types?.includes("refresh_token") === true,
        })
      : undefined;
  let sentAt: number | undefined;
  const onEndpointRequest = (now: number) => {
    sentAt = now;
  };
  const close = () => tokens.close();
  return {
    fetch: createMcpFetch({
      ...{ serverUrl, tokens, discovery, registration, signIn, fetch: send, allowInsecure, onEndpointRequest },
      location: store.describe(),
    }),
    authProvider: new Provider({
      ...{ tokens, registration, signIn, clientMetadata, clientMetadataUrl, onRedirect },
      sentAt: () => sentAt,
    }),
    tokens,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A server that no longer knows a client that has registered itself has ended its session: the client registers again. */
const forRegistered = (provider: McpAuthOptions["provider"]): McpAuthOptions["provider"] => ({
  ...provider,
  terminal: [...(provider?.terminal ?? []), "invalid_client"],
});
