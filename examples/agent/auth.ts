import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { createFetch, createTokenManager, envToken, firstAvailable } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { signInWithDevice } from "@unexpired/sign-in";
import { keychainStore } from "@unexpired/store-keychain";
import { fileStore, jsonFormat } from "@unexpired/store-node";
import { API, CLIENT, TOKEN_ENDPOINT } from "./settings.ts";

const format = jsonFormat({
  at: "claudeAiOauth",
  fields: { accessToken: "accessToken", refreshToken: "refreshToken", expiresAt: "expiresAt" },
});

function refreshWindow(): number | undefined {
  const seconds = Number(process.env.AGENT_REFRESH_WINDOW || 300);
  if (seconds >= 0) return seconds * 1000;
  console.warn("AGENT_REFRESH_WINDOW is not a number of seconds: the default is used.");
  return undefined;
}

export const flow = signInWithDevice(CLIENT);
export const session = createTokenManager({
  store:
    process.platform === "darwin"
      ? keychainStore({ service: "Claude Code-credentials", account: userInfo().username, format })
      : fileStore({ path: join(homedir(), ".claude", ".credentials.json"), format }),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: CLIENT.clientId }),
  refreshWindow: refreshWindow(),
});
export const tokens = firstAvailable(envToken("AGENT_ENTERPRISE_TOKEN"), envToken("AGENT_TOKEN"), session);
export const fetchWithTokens = createFetch(tokens, { origins: [new URL(API).origin] });
