import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { type ClientMetadata, type Configuration, errors, type JWK, Provider } from "oidc-provider";
import { createMemoryAdapter } from "../../examples/demo/memory-adapter.ts";

/** Options of {@link startOidcProvider}. */
export interface OidcProviderOptions {
  readonly clients: readonly ClientMetadata[];
  /** Serves HTTPS, and asks clients for a certificate. */
  readonly tls?: ServerOptions | undefined;
  /** The interval of the device flow in seconds. Default: the server names none, which means 5 s. */
  readonly interval?: number | undefined;
  /** Changes the configuration. */
  readonly configure?: Partial<Configuration>;
}

/** A real authorization server, `oidc-provider`, in this process. It signs in anyone, and a replay revokes the session. */
export interface OidcProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly provider: Provider;
  /** The requests, as `POST /token`, with their parameters. */
  readonly requests: readonly { readonly line: string; readonly body: Readonly<Record<string, unknown>> }[];
}

/** The resource for which the server issues tokens, besides its own. */
export const RESOURCE = "https://api.example/";

/** Starts a server with the code flow, PKCE, the device flow, registration, resource indicators and mTLS. */
export async function startOidcProvider({
  clients,
  tls,
  interval,
  configure,
}: OidcProviderOptions): Promise<OidcProvider> {
  const server = tls ? createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false }) : createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const issuer = tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  const provider = quietly(() => new Provider(issuer, { ...configuration(clients), ...configure }));
  const requests: { line: string; body: Record<string, unknown> }[] = [];
  provider.use(async (ctx, next) => {
    await next();
    if (interval !== undefined && ctx.path === "/device/auth") ctx.body = { ...Object(ctx.body), interval };
    requests.push({ line: `${ctx.method} ${ctx.path}`, body: { ...ctx.oidc?.body } });
  });
  server.on("request", provider.callback());
  return {
    issuer,
    provider,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function configuration(clients: readonly ClientMetadata[]): Configuration {
  const aDay = 24 * 60 * 60;
  const lifetime = { AccessToken: 3600, AuthorizationCode: 60, DeviceCode: 600, IdToken: 3600, Interaction: 3600 };
  return {
    adapter: createMemoryAdapter(),
    clients: [...clients],
    clientAuthMethods: [
      "none",
      "client_secret_basic",
      "client_secret_post",
      "private_key_jwt",
      "self_signed_tls_client_auth",
    ],
    cookies: { keys: ["canary-cookie-key"] },
    features: {
      deviceFlow: {
        enabled: true,
        userCodeInputSource(ctx, form) {
          ctx.body = form;
        },
        userCodeConfirmSource(ctx, form) {
          ctx.body = `${form}<button type="submit" form="op.deviceConfirmForm" value="yes" name="abort">`;
        },
        successSource(ctx) {
          ctx.body = "You are signed in.";
        },
      },
      registration: { enabled: true },
      mTLS: {
        enabled: true,
        selfSignedTlsClientAuth: true,
        getCertificate: (ctx) => {
          const { raw } = (ctx.socket as import("node:tls").TLSSocket).getPeerCertificate();
          return raw && `-----BEGIN CERTIFICATE-----\n${raw.toString("base64")}\n-----END CERTIFICATE-----`;
        },
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo(_ctx, resource) {
          if (resource !== RESOURCE) throw new errors.InvalidTarget();
          return { scope: "read", audience: RESOURCE, accessTokenFormat: "opaque" };
        },
      },
    },
    findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    jwks: { keys: [signingKey()] },
    rotateRefreshToken: () => true,
    ttl: { ...lifetime, RefreshToken: aDay, Grant: aDay, Session: aDay },
  };
}

function signingKey(): JWK {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig", kid: "test" } as JWK;
}

/** Creates a provider, which prints warnings about features, forms and keys that are only for development. */
export function quietly<T>(create: () => T): T {
  const { info, warn } = console;
  console.info = console.warn = () => {};
  try {
    return create();
  } finally {
    Object.assign(console, { info, warn });
  }
}
