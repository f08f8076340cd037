import { createFetch, createTokenManager, UnexpiredError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { signInWithBrowser } from "@unexpired/sign-in";
import { keychainOrFile } from "@unexpired/store-keychain";
import { API, CLIENT, TOKEN_ENDPOINT } from "./settings.ts";

export const flow = signInWithBrowser({ ...CLIENT, parameters: { prompt: "consent" } });
export const session = createTokenManager({
  // CI scripts start many runs at once, and the keyring serves them one by one.
  store: keychainOrFile({ service: "acme", account: "default", plainTextFile: { appName: "acme" }, timeout: 10_000 }),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: CLIENT.clientId }),
  refreshWindow: 30_000,
  background: false, // the program may end soon
});
session.subscribe(({ type }) => {
  if (type === "exchange-started") console.debug("debug: refreshing the access token");
});
export const fetchWithTokens = createFetch(session, { origins: [new URL(API).origin] });

/** Runs a command. If the user has to sign in again, removes the session and throws an error that asks for it. */
export async function withSession(command: () => Promise<unknown>): Promise<void> {
  try {
    await command();
  } catch (error) {
    const isOver = UnexpiredError.is(error) && error.code === "SIGN_IN_REQUIRED";
    const isOld = UnexpiredError.is(error) && error.code === "STORE_UNREADABLE" && error.version !== undefined;
    if (isOver) await session.signOut();
    throw isOver || isOld ? new Error(`Sign in again: acme login. ${error.message}`, { cause: error }) : error;
  } finally {
    await session.close();
  }
}
