import { setTimeout as sleep } from "node:timers/promises";
import { listenOnLoopback } from "@unexpired-internal/demo/loopback";
import { createMemoryAdapter } from "@unexpired-internal/demo/memory-adapter";
import { quietly } from "@unexpired-internal/test-support/oidc-provider";
import { type Configuration, Provider } from "oidc-provider";

/** An authorization server with a login form and a form for consent. Its refresh tokens work once. */
export interface AuthorizationServer extends AsyncDisposable {
  readonly issuer: string;
  /** The events so far. */
  readonly counts: {
    /** Requests with a refresh token, successful or not. */
    readonly exchanges: number;
    /** Sessions that were revoked because a refresh token was presented twice. */
    readonly revoked: number;
    /** Authorization requests, each of which opens a browser. */
    readonly prompts: number;
    /** Codes that were exchanged for tokens. */
    readonly signIns: number;
    readonly registrations: number;
  };
  /** The `resource` of each request to the token endpoint, in their order. */
  readonly resources: readonly (string | undefined)[];
  /** Returns the scope of an access token, or `undefined` if an API has to reject it: unknown, expired or revoked. */
  scopeOf(accessToken: string, resource: string): Promise<string | undefined>;
  /** Ends all sessions, as an administrator would. */
  endSessions(): Promise<void>;
  /** Forgets a client, as servers do that register clients for a short time only. */
  forgetClient(clientId: string): Promise<void>;
}

export interface AuthorizationServerOptions {
  /** The lifetime of an access token. */
  readonly accessTokenSeconds?: number;
  /** The latency of the token endpoint in milliseconds. Default: 0. */
  readonly latency?: number;
  /** The API for which tokens are issued (RFC 8707). */
  readonly resource: () => string;
  /** The scope that the API knows. Default: `"mcp"`. */
  readonly scope?: string;
}

const DAY = 24 * 60 * 60;

/** Starts a server whose clients register themselves. A replayed refresh token revokes its whole session (RFC 9700 §4.14.2). */
export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const { origin: issuer, server, close } = await listenOnLoopback();
  const adapter = createMemoryAdapter();
  const provider = quietly(() => new Provider(issuer, configuration(adapter, options)));
  const counts = { exchanges: 0, revoked: 0, prompts: 0, signIns: 0, registrations: 0 };
  const resources: (string | undefined)[] = [];
  const grants = new Set<string>();
  provider.on("grant.revoked", () => {
    counts.revoked += 1;
  });
  provider.on("registration_create.success", () => {
    counts.registrations += 1;
  });
  provider.on("grant.success", ({ oidc }) => {
    if (oidc.params?.grant_type === "authorization_code") counts.signIns += 1;
    if (oidc.entities.Grant?.jti) grants.add(oidc.entities.Grant.jti);
  });
  provider.use(async (ctx, next) => {
    if (ctx.path === "/auth") counts.prompts += 1;
    if (ctx.path !== "/token") return next();
    if (options.latency) await sleep(options.latency);
    await next();
    const body = new Map(Object.entries(ctx.oidc?.body ?? {}));
    counts.exchanges += Number(body.get("grant_type") === "refresh_token");
    resources.push(body.get("resource") as string | undefined);
  });
  server.on("request", provider.callback());
  return {
    issuer,
    counts,
    resources,
    async scopeOf(accessToken, resource) {
      const token = await provider.AccessToken.find(accessToken);
      const isKnown = token?.grantId !== undefined && (await provider.Grant.find(token.grantId)) !== undefined;
      return isKnown && token.aud === resource ? (token.scope ?? "") : undefined;
    },
    async endSessions() {
      for (const grant of grants) await (await provider.Grant.find(grant))?.destroy();
    },
    async forgetClient(clientId) {
      await adapter("Client").destroy(clientId);
    },
    [Symbol.asyncDispose]: close,
  };
}

/** Configures the provider, including every option whose default it warns about. */
function configuration(
  adapter: ReturnType<typeof createMemoryAdapter>,
  { accessTokenSeconds = DAY, resource, scope = "mcp" }: AuthorizationServerOptions,
): Configuration {
  return {
    adapter,
    clientDefaults: { id_token_signed_response_alg: "RS256", token_endpoint_auth_method: "none" },
    clockTolerance: 1, // the provider counts whole seconds
    cookies: { keys: ["a key of tests"] },
    features: {
      devInteractions: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resource(),
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, audience) => ({ scope, audience, accessTokenFormat: "opaque" }),
      },
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    // MCP clients do not know `offline_access`
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: () => true,
    scopes: ["openid", "offline_access", ...scope.split(" ")],
    ttl: {
      AccessToken: accessTokenSeconds,
      Grant: DAY,
      IdToken: DAY,
      Interaction: DAY,
      RefreshToken: DAY,
      Session: DAY,
    },
  };
}
