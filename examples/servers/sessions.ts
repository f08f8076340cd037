import { AsyncLocalStorage } from "node:async_hooks";
import { contextual, createSessions, type TokenSource } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { postgresKeys, postgresStore } from "@unexpired/store-postgres";
import { closeDatabase, query } from "./database.ts";

const { ISSUER = "https://auth.example", CLIENT_SECRET = "" } = process.env;

/** The sessions of all users, by the IDs of the users. */
export const sessions = createSessions({
  store: (userId) => postgresStore({ query, key: userId }),
  list: () => postgresKeys({ query }),
  refresh: oauth2Refresh({
    tokenEndpoint: `${ISSUER}/token`,
    clientId: "my-app",
    clientAuth: { method: "client_secret_post", clientSecret: CLIENT_SECRET },
  }),
});

const userOfRequest = new AsyncLocalStorage<TokenSource>();

/** Runs the code that serves a user. Whatever it calls and awaits sends requests for that user. */
export const runAs = <T>(userId: string, run: () => T): T => userOfRequest.run(sessions.get(userId), run);

/** The tokens of the user that the running code serves, for the clients of all requests. */
export const tokens = contextual(() => userOfRequest.getStore());

/** Waits for the exchanges that are running, and until their tokens are saved. */
export async function close(): Promise<void> {
  try {
    await sessions.close();
  } finally {
    await closeDatabase();
  }
}
