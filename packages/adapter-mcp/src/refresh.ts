import { ConfigurationError, type RefreshFunction, type TokenSet } from "@unexpired/core";
import { type OAuth2RefreshOptions, oauth2Refresh } from "@unexpired/core/oauth2";
import type { Discovery } from "./discovery.ts";
import type { Registration } from "./registration.ts";

export interface RefreshDeps {
  readonly discovery: Discovery;
  readonly registration: Registration;
  readonly fetch: typeof fetch;
  readonly allowInsecure: boolean | undefined;
}

/**
 * Returns the refresh function of the session: always at the authorization server that issued its tokens, as the client that
 * is stored by then, for the resource that it was registered for.
 */
export function createRefresh({ discovery, registration, fetch, allowInsecure }: RefreshDeps): RefreshFunction {
  const optionsNow = async (): Promise<OAuth2RefreshOptions> => {
    const stored = await registration.load();
    const server =
      stored?.issuer === undefined ? (await discovery.known()).server : await discovery.serverOf(stored.issuer);
    const client = registration.clientOf(stored, server.metadata);
    if (!client)
      throw new ConfigurationError(
        "No client is stored beside the session, so that it cannot be refreshed. Sign in again with mcpAuth.",
      );
    const { clientId, clientAuth } = client;
    const { issuer, tokenEndpoint, revocationEndpoint } = server;
    const { resource } = stored ?? {};
    return { issuer, tokenEndpoint, revocationEndpoint, clientId, clientAuth, resource, fetch, allowInsecure };
  };
  const refresh: RefreshFunction = async (current, context) => {
    try {
      return await oauth2Refresh(optionsNow)(current, context);
    } catch (error) {
      await registration.dropIfRejected(error).catch(() => {}); // the verdict about the session counts
      throw error;
    }
  };
  const revoke = async (tokens: TokenSet): Promise<unknown> => oauth2Refresh(optionsNow).revoke?.(tokens);
  return Object.assign(refresh, { revoke });
}
