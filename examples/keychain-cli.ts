/** A command-line tool that keeps its session in the keychain: `keychain-cli login`, `me`, `logout`. */
import { createFetch, createTokenManager, isAuthError } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { keychainStore } from "@unexpired/store-keychain";

const { TOKEN_ENDPOINT = "https://auth.example/token", API = "https://api.example/me", REFRESH_TOKEN } = process.env;

const tokens = createTokenManager({
  store: keychainStore({ service: "my-tool", account: "default" }),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "my-tool" }),
});

const commands: Readonly<Record<string, () => Promise<unknown>>> = {
  login: () => tokens.signIn({ refreshToken: REFRESH_TOKEN ?? "" }),
  logout: () => tokens.signOut(),
  async me() {
    const response = await createFetch(tokens, { origins: [new URL(API).origin] })(API);
    console.log(response.status, await response.text());
  },
};
try {
  await commands[process.argv[2] ?? "me"]?.();
} catch (error) {
  if (!isAuthError(error)) throw error;
  console.error("Run `keychain-cli login` first.");
  process.exitCode = 1;
} finally {
  await tokens.close();
}
