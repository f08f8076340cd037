import { join } from "node:path";
import { attachTokens } from "@unexpired/adapter-axios";
import { createTokenManager } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { signInWithBrowser } from "@unexpired/sign-in";
import { fileStore, jsonFormat } from "@unexpired/store-node";
import axios from "axios";
import { API, CLIENT, TOKEN_ENDPOINT, USER_DATA } from "./settings.ts";

const format = jsonFormat({
  fields: {
    accessToken: "accessToken",
    refreshToken: "refreshToken",
    expiresAt: { path: "expiresAt", unit: "iso" },
  },
});

export const flow = signInWithBrowser({ ...CLIENT, parameters: { prompt: "consent" } });
export const session = createTokenManager({
  store: fileStore({ path: join(USER_DATA, "session.json"), format }),
  refresh: oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: CLIENT.clientId }),
  staleIfError: true,
});
session.subscribe((event) => {
  // The server has ended the session: remove it from the file, too.
  if (event.type === "state-changed" && event.cause) void session.signOut();
});
export const api = axios.create({ baseURL: API });
attachTokens(api, session);
