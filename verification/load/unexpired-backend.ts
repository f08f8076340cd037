import { AsyncLocalStorage } from "node:async_hooks";
import {
  contextual,
  createFetch,
  createSessions,
  type Sessions,
  type SessionsOptions,
  type TokenSource,
} from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import type { Backend, ServerConfig } from "./backend.ts";
import { connect } from "./engine.ts";

const EXCHANGE_TIMEOUT = 5_000; // so that the claim of a process that was killed ends after 20 s

/** Creates the sessions of a server. */
export function openSessions(config: ServerConfig, options: Pick<SessionsOptions, "clock" | "idleTimeout"> = {}) {
  const stores = connect(config.engine);
  const sessions = createSessions({
    ...options,
    store: stores.store,
    refresh: oauth2Refresh({
      tokenEndpoint: `${config.origin}/token`,
      clientId: config.client,
      timeout: EXCHANGE_TIMEOUT,
    }),
    ...(config.grace > 0 && { provider: { graceSeconds: config.grace } }),
  });
  const close = async () => {
    await sessions.close();
    await stores[Symbol.asyncDispose]();
  };
  return { sessions, [Symbol.asyncDispose]: close };
}

/** A server with Unexpired: one client for all users. */
export function unexpiredBackend(config: ServerConfig): Backend {
  const { sessions, [Symbol.asyncDispose]: close } = openSessions(config);
  const fetchAsUser = fetchFor(sessions, config.origin);
  return {
    signIn: (user, tokens) => sessions.signIn(user, tokens),
    callApi: (user) => fetchAsUser(user, `${config.origin}/api/${user}`),
    [Symbol.asyncDispose]: close,
  };
}

function fetchFor(sessions: Sessions, origin: string) {
  const current = new AsyncLocalStorage<TokenSource>();
  const fetchAsCurrent = createFetch(
    contextual(() => current.getStore()),
    { origins: [origin] },
  );
  return (user: string, url: string) => current.run(sessions.get(user), () => fetchAsCurrent(url));
}
