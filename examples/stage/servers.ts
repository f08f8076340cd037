import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  startAuthorizationServer,
} from "@unexpired-internal/demo/authorization-server";
import { listenOnLoopback } from "@unexpired-internal/demo/loopback";
import { Gateway } from "./gateway.ts";

/** Tokens as a sign-in in a browser returns them. */
export interface SignedIn {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** A protected API. */
export interface Api {
  readonly origin: string;
  /** Returns how many requests it has accepted with this token. */
  accepted(accessToken: string | undefined): number;
  /** Accepts this token from now on, in addition to those of the authorization server. */
  accept(accessToken: string): void;
  /** Rejects this token from now on. */
  reject(accessToken: string): void;
}

/** The servers that a program talks to. */
export interface Servers extends AsyncDisposable {
  readonly server: AuthorizationServer;
  readonly gateway: Gateway;
  readonly api: Api;
  /** Changes the lifetime of the access tokens that are issued from now on. */
  setLifetime(seconds: number): void;
  /** Signs in with a browser, or in another program: without the gateway. */
  signIn(): Promise<SignedIn>;
  /** Refreshes as another program does, without the gateway. */
  refreshElsewhere(refreshToken: string): Promise<SignedIn>;
}

type Respond = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Starts an authorization server with rotation and reuse detection, a gateway in front of it, and an API. */
export async function startServers(
  respond: Respond,
  {
    accessTokenSeconds,
    ...options
  }: Omit<AuthorizationServerOptions, "accessTokenSeconds"> & { accessTokenSeconds: number },
): Promise<Servers> {
  let lifetime = accessTokenSeconds;
  const server = await startAuthorizationServer({ ...options, accessTokenSeconds: () => lifetime, signIn: true });
  const gateway = await Gateway.start(server.tokenEndpoint);
  const api = await startApi(server, gateway, respond);
  const refreshElsewhere = async (refreshToken: string): Promise<SignedIn> => {
    const grant = { grant_type: "refresh_token", client_id: server.clientId, refresh_token: refreshToken };
    const response = await fetch(server.tokenEndpoint, { method: "POST", body: new URLSearchParams(grant) });
    if (!response.ok) throw new Error(`the other program's refresh failed: ${await response.text()}`);
    const { access_token, refresh_token, expires_in } = await response.json();
    for (const token of [access_token, refresh_token]) gateway.tokens.add(token);
    return { accessToken: access_token, refreshToken: refresh_token, expiresAt: Date.now() + expires_in * 1000 };
  };
  return {
    server,
    gateway,
    api,
    setLifetime: (seconds) => {
      lifetime = seconds;
    },
    signIn: async () => refreshElsewhere(await server.mintRefreshToken()),
    refreshElsewhere,
    async [Symbol.asyncDispose]() {
      await Promise.all([api.close(), gateway.close(), server.close()]);
    },
  };
}

/** Starts an API that calls `respond` if the bearer token is valid, and otherwise responds with 401 (RFC 6750 §3). */
async function startApi(server: AuthorizationServer, gateway: Gateway, respond: Respond) {
  const accepted = new Map<string, number>();
  const decided = new Map<string, boolean>();
  const { origin, close } = await listenOnLoopback(async (request, response) => {
    const [, accessToken = ""] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
    if (decided.get(accessToken) ?? (await server.verify(accessToken))) {
      gateway.tokens.add(accessToken); // one of a sign-in has not passed the gateway
      accepted.set(accessToken, (accepted.get(accessToken) ?? 0) + 1);
      respond(request, response);
    } else response.writeHead(401, { "www-authenticate": 'Bearer error="invalid_token"' }).end();
  });
  return {
    origin,
    accepted: (accessToken: string | undefined) => accepted.get(accessToken ?? "") ?? 0,
    accept: (accessToken: string) => void decided.set(accessToken, true),
    reject: (accessToken: string) => void decided.set(accessToken, false),
    close,
  };
}
