import { createFetch, createTokenManager, isAuthError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { keychainOrFile } from "@unexpired/store-keychain";
import { API, TOKEN_ENDPOINT } from "./settings.ts";

export const session = createTokenManager({
  store: keychainOrFile({ service: "acme", account: "default", plainTextFile: { appName: "acme" } }),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "demo-client" }),
  refreshWindow: 30_000,
  background: false, // the program may end soon
});
session.subscribe(({ type }) => {
  if (type === "exchange-started") console.debug("debug: refreshing the access token");
});
export const fetchWithTokens = createFetch(session, { origins: [new URL(API).origin] });

/** Runs a command. If the server has ended the session, it is removed from the keychain. */
export async function withSession(command: () => Promise<unknown>): Promise<void> {
  try {
    await command();
  } catch (error) {
    if (!isAuthError(error)) throw error;
    if (error instanceof Error && error.cause) await session.signOut();
    throw new Error(`Sign in again: acme login. (${String(error)})`, { cause: error });
  } finally {
    await session.close();
  }
}
