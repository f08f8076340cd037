import { generateKeyPairSync, type KeyObject, verify as verifySignature } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Configuration, type JWK, Provider } from "oidc-provider";
import { listenOnLoopback } from "./loopback.ts";
import { createMemoryAdapter } from "./memory-adapter.ts";
import { deviceFlow, serveSignInPages, signInLifetimes } from "./sign-in-pages.ts";

const CLIENT_ID = "demo-client";
const SCOPE = "openid offline_access";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
/** The API for which the server issues JWTs, if that is enabled. */
const AUDIENCE = "https://api.example";

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
  /** Ends all sessions, as an administrator would: from now on, their refresh tokens are an `invalid_grant`. */
  endSessions(): Promise<void>;
  /** Whether an API has to accept this access token: known, not expired, its grant not revoked. */
  verify(accessToken: string): Promise<boolean>;
  close(): Promise<void>;
}

export interface AuthorizationServerOptions {
  /** The lifetime of an access token, or a function that is called for each. */
  readonly accessTokenSeconds: number | (() => number);
  /** Whether access tokens are JWTs (RFC 9068). Default: they are opaque. */
  readonly jwt?: boolean;
  /** The latency of the token endpoint in milliseconds. Default: 0. */
  readonly latency?: number;
  /** Whether users can sign in: in a browser on any loopback port, or with a device code. Any name is a user. Default: no. */
  readonly signIn?: boolean;
}

/** Starts a server whose refresh tokens work once: a replay revokes the entire grant (RFC 9700 §4.14.2). */
export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const { origin: issuer, server, close } = await listenOnLoopback();
  const { key, publicKey } = signingKey();
  const provider = new Provider(issuer, configuration(key, options));
  const grants: string[] = [];
  const tokenRequests = countTokenRequests(provider, options.latency ?? 0);
  if (options.signIn) serveSignInPages(provider, (grantId) => grants.push(grantId));
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
    async mintRefreshToken(accountId = "ada") {
      const grantId = await mintGrant(provider, accountId);
      grants.push(grantId);
      return mintRefreshToken(provider, { accountId, grantId });
    },
    async endSessions() {
      for (const grantId of grants.splice(0)) await (await provider.Grant.find(grantId))?.destroy();
    },
    verify: (accessToken) => (options.jwt ? isValidJwt(publicKey, accessToken) : verify(provider, accessToken)),
    close,
  };
}

/** Configures the provider, including every option whose default it warns about. */
function configuration(
  key: JWK,
  { accessTokenSeconds, jwt = false, signIn = false }: AuthorizationServerOptions,
): Configuration {
  const aDay = 24 * 60 * 60;
  const lifetime = () => (typeof accessTokenSeconds === "function" ? accessTokenSeconds() : accessTokenSeconds);
  return {
    adapter: createMemoryAdapter(),
    clients: [
      {
        client_id: CLIENT_ID,
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token", ...(signIn ? [DEVICE_GRANT] : [])],
        redirect_uris: ["127.0.0.1", "[::1]", "localhost"].map((host) => `http://${host}/callback`), // on any port
        application_type: "native",
        id_token_signed_response_alg: "ES256",
      },
    ],
    // The provider counts whole seconds, so a token of 3 s expires up to one second early. This second compensates.
    clockTolerance: 1,
    cookies: { keys: ["signs the cookies of browsers, none of which are real"] },
    features: {
      deviceFlow: signIn ? deviceFlow : { enabled: false },
      devInteractions: { enabled: false },
      resourceIndicators: jwt ? jwtForApi : { enabled: false },
      revocation: { enabled: true },
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    jwks: { keys: [key] },
    rotateRefreshToken: () => true,
    ttl: { ...signInLifetimes, AccessToken: lifetime, IdToken: aDay, RefreshToken: aDay, Grant: aDay },
  };
}

const jwtForApi = {
  enabled: true,
  useGrantedResource: () => true,
  getResourceServerInfo: () =>
    ({ scope: "", audience: AUDIENCE, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } }) as const,
};

function signingKey(): { readonly key: JWK; readonly publicKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = { ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "demo" } as JWK;
  return { key, publicKey };
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

async function mintGrant(provider: Provider, accountId: string): Promise<string> {
  const grant = new provider.Grant({ clientId: CLIENT_ID, accountId });
  grant.addOIDCScope(SCOPE);
  return grant.save();
}

async function mintRefreshToken(
  provider: Provider,
  { accountId, grantId }: { readonly accountId: string; readonly grantId: string },
): Promise<string> {
  const client = await provider.Client.find(CLIENT_ID);
  if (!client) throw new Error(`The authorization server does not know its client ${CLIENT_ID}.`);
  const [gty, resource] = ["authorization_code", AUDIENCE];
  const session = { accountId, client, expiresWithSession: false, grantId, gty, resource, scope: SCOPE };
  return new provider.RefreshToken(session).save();
}

async function verify(provider: Provider, accessToken: string): Promise<boolean> {
  const token = await provider.AccessToken.find(accessToken);
  return token?.grantId !== undefined && (await provider.Grant.find(token.grantId)) !== undefined;
}

/** Verifies a JWT as an API does: without the server, by its signature and expiry. */
async function isValidJwt(key: KeyObject, accessToken: string): Promise<boolean> {
  const [header = "", payload = "", signature = ""] = accessToken.split(".");
  const signed = Buffer.from(`${header}.${payload}`);
  const options = { key, dsaEncoding: "ieee-p1363" } as const;
  if (!verifySignature("sha256", signed, options, Buffer.from(signature, "base64url"))) return false;
  const { exp } = JSON.parse(Buffer.from(payload, "base64url").toString());
  return Date.now() / 1000 < exp + 1; // as the provider, which counts whole seconds
}
