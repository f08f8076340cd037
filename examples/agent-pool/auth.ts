import { homedir } from "node:os";
import { join } from "node:path";
import { createFetch, createTokenManager, createTokenPool, envToken } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { signInWithDevice } from "@unexpired/sign-in";
import { fileDocument, fileStore, jsonFormat, mirroredStore } from "@unexpired/store-node";
import { API, CLIENT, PROFILES, TOKEN_ENDPOINT } from "./settings.ts";

const home = (...names: string[]) => join(homedir(), ...names);
const entry = jsonFormat({
  at: ["credential_pool", "anthropic", { where: { id: "34ee18" } }],
  fields: { accessToken: "access_token", refreshToken: "refresh_token", expiresAt: "expires_at_ms" },
});
const credentials = jsonFormat({
  at: "claudeAiOauth",
  fields: { accessToken: "accessToken", refreshToken: "refreshToken", expiresAt: "expiresAt" },
});

export const flow = signInWithDevice(CLIENT);
export const session = createTokenManager({
  store: mirroredStore(fileStore({ path: home(".agents", "session.json") }), [
    ...PROFILES.map((name) => fileDocument({ path: home(".agents", name, "auth.json"), format: entry })),
    fileDocument({ path: home(".claude", ".credentials.json"), format: credentials }),
  ]),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: CLIENT.clientId }),
});
export const pool = createTokenPool(
  { session, spare: envToken("SPARE_TOKEN") },
  { strategy: "fill-first", cooldowns: fileStore({ path: home(".agents", "cooldowns.json") }) },
);
export const fetchWithTokens = createFetch(pool, { origins: [new URL(API).origin] });
