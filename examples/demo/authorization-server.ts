import { generateKeyPairSync } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Configuration, type JWK, Provider } from "oidc-provider";
import { listenOnLoopback } from "./loopback.ts";
import { createMemoryAdapter } from "./memory-adapter.ts";

const CLIENT_ID = "demo-client";
const SCOPE = "openid offline_access";

/** A real authorization server, `oidc-provider`, on the loopback interface. */
export interface AuthorizationServer {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  /** The ID of a public client, which has no secret. */
  readonly clientId: string;
  /** The number of requests to the token endpoint, successful or not. */
  readonly tokenRequests: number;
  /** The number of grants that the server revoked because one of their refresh tokens was presented twice. */
  readonly revokedGrants: number;
  /** Starts a session as a sign-in in a browser would, and returns its first refresh token. */
  mintRefreshToken(accountId?: string): Promise<string>;
  /** Whether an API has to accept this access token: known, not expired, its grant not revoked. */
  verify(accessToken: string): Promise<boolean>;
  close(): Promise<void>;
}

/** Starts a server whose refresh tokens work once: a replay revokes the entire grant (RFC 9700 §4.14.2). */
export async function startAuthorizationServer(options: {
  readonly accessTokenSeconds: number;
  /** The latency of the token endpoint in milliseconds. Default: 0. */
  readonly latency?: number;
}): Promise<AuthorizationServer> {
  const { origin: issuer, server, close } = await listenOnLoopback();
  const provider = new Provider(issuer, configuration(options.accessTokenSeconds));
  const tokenRequests = countTokenRequests(provider, options.latency ?? 0);
  const revoked = new Set<string>();
  provider.on("grant.revoked", (_ctx, grantId) => revoked.add(grantId));
  server.on("request", provider.callback());
  return {
    issuer,
    tokenEndpoint: `${issuer}/token`,
    clientId: CLIENT_ID,
    get tokenRequests() {
      return tokenRequests();
    },
    get revokedGrants() {
      return revoked.size;
    },
    mintRefreshToken: (accountId = "ada") => mintRefreshToken(provider, accountId),
    verify: (accessToken) => verify(provider, accessToken),
    close,
  };
}

/** Configures the provider, including every option whose default it warns about. */
function configuration(accessTokenSeconds: number): Configuration {
  const aDay = 24 * 60 * 60;
  return {
    adapter: createMemoryAdapter(),
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"],
        redirect_uris: ["http://127.0.0.1/callback"],
        application_type: "native",
        id_token_signed_response_alg: "ES256",
      },
    ],
    // The provider counts whole seconds, so a token of 3 s expires up to one second early. This second compensates.
    clockTolerance: 1,
    cookies: { keys: ["unused: there are no browser sign-ins"] },
    features: { devInteractions: { enabled: false } },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    jwks: { keys: [signingKey()] },
    rotateRefreshToken: () => true,
    ttl: { AccessToken: accessTokenSeconds, IdToken: aDay, RefreshToken: aDay, Grant: aDay },
  };
}

function signingKey(): JWK {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "demo" } as JWK;
}

function countTokenRequests(provider: Provider, latency: number): () => number {
  let count = 0;
  provider.use(async (ctx, next) => {
    if (ctx.method === "POST" && ctx.path === "/token") {
      count += 1;
      if (latency > 0) await sleep(latency);
    }
    await next();
  });
  return () => count;
}

async function mintRefreshToken(provider: Provider, accountId: string): Promise<string> {
  const client = await provider.Client.find(CLIENT_ID);
  if (!client) throw new Error(`The authorization server does not know its client ${CLIENT_ID}.`);
  const grant = new provider.Grant({ clientId: CLIENT_ID, accountId });
  grant.addOIDCScope(SCOPE);
  const grantId = await grant.save();
  const gty = "authorization_code";
  return new provider.RefreshToken({ accountId, client, expiresWithSession: false, grantId, gty, scope: SCOPE }).save();
}

async function verify(provider: Provider, accessToken: string): Promise<boolean> {
  const token = await provider.AccessToken.find(accessToken);
  return token?.grantId !== undefined && (await provider.Grant.find(token.grantId)) !== undefined;
}
