/** How the client authenticates at the token endpoint. */
import type { ClientAuth, OAuth2RefreshOptions } from "@unexpired/core/oauth2";
import { canary } from "@unexpired-internal/test-support/canary";
import * as oauth from "oauth4webapi";
import { describeMessage, outcome } from "../describe.ts";
import type { Row } from "../row.ts";
import type { TokenRequest } from "../token-server.ts";

interface AuthRow {
  readonly situation: string;
  readonly refresh: () => Partial<OAuth2RefreshOptions> | Promise<Partial<OAuth2RefreshOptions>>;
  /** Describes the credentials of the request. */
  readonly show: (request: TokenRequest) => string | Promise<string>;
  readonly happened: string | RegExp;
}

const authRow = ({ situation, refresh, show, happened }: AuthRow): Row => ({
  situation,
  expected: { happened, saw: /^a token; 1 exchange$/ },
  async run(scene) {
    const session = await scene.session({ refresh: await refresh() });
    const saw = await outcome(session.tokens.getAccessToken(), describeMessage);
    const [request] = session.server.requests;
    return { happened: request ? await show(request) : "nothing sent", saw: `${saw}; ${session.server.exchanges}` };
  },
});

const basicOf = ({ headers }: TokenRequest): string =>
  `sent ${Buffer.from(headers.authorization?.replace("Basic ", "") ?? "", "base64").toString()}`;

const basic = (clientId: string, clientSecret: string, encode?: boolean): Partial<OAuth2RefreshOptions> => ({
  clientId,
  clientAuth: { method: "client_secret_basic", clientSecret, ...(encode !== undefined && { encode }) },
});

const formOf = ({ form }: TokenRequest): string =>
  ["client_id", "client_secret", "client_assertion_type"].map((name) => `${name}=${form[name]}`).join(", ");

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
const keys = crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);

/** Verifies a signed client assertion, and shows its claims. */
async function assertionOf({ form }: TokenRequest): Promise<string> {
  const [header = "", payload = "", signature = ""] = (form.client_assertion ?? "").split(".");
  const data = new TextEncoder().encode(`${header}.${payload}`);
  const { publicKey } = await keys;
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const isValid = await crypto.subtle.verify(algorithm, publicKey, Buffer.from(signature, "base64url"), data);
  const { iss, sub, aud } = JSON.parse(Buffer.from(payload, "base64url").toString());
  return `${isValid ? "signed" : "not signed"} by ${iss} about ${sub} for ${[aud].flat().join()}`;
}

/** A row about an option that is refused or accepted before anything is sent. */
const optionRow = (situation: string, saw: RegExp, options: Partial<OAuth2RefreshOptions>): Row => ({
  situation,
  expected: { happened: "0 exchanges", saw },
  async run(scene) {
    const create = async () => {
      scene.packed.oauth2.oauth2Refresh({ tokenEndpoint: "https://as.example/token", clientId: "my-app", ...options });
      return "accepted";
    };
    return { happened: "0 exchanges", saw: await create().catch(describeMessage) };
  },
});

const privateKeyJwt = async (): Promise<Partial<OAuth2RefreshOptions>> => ({
  issuer: "https://as.example",
  clientAuth: oauth.PrivateKeyJwt((await keys).privateKey) as ClientAuth,
});

const INVALID_CLIENT = { status: 401, body: { error: "invalid_client", error_description: "Bad credentials" } };

const SECRET = canary("access", "client-secret");

export const clientAuthRows: readonly Row[] = [
  authRow({
    situation: "client_secret_basic: my-app, Ab-c_d.e~f",
    refresh: () => basic("my-app", "Ab-c_d.e~f"),
    show: basicOf,
    happened: /^sent my-app:Ab-c_d\.e~f$/,
  }),
  authRow({
    situation: "client_secret_basic: a secret with + / = and a space",
    refresh: () => basic("my-app", "a+b/c= d"),
    show: basicOf,
    happened: /^sent my-app:a%2Bb%2Fc%3D\+d$/,
  }),
  authRow({
    situation: "client_secret_basic, encode: false: a secret with + / =",
    refresh: () => basic("my-app", "a+b/c=", false),
    show: basicOf,
    happened: /^sent my-app:a\+b\/c=$/,
  }),
  authRow({
    situation: "client_secret_basic: an empty secret",
    refresh: () => basic("my-app", ""),
    show: basicOf,
    happened: /^sent my-app:$/,
  }),
  authRow({
    situation: "client_secret_post: an empty secret",
    refresh: () => ({ clientAuth: { method: "client_secret_post", clientSecret: "" } }),
    show: formOf,
    happened: "client_id=my-app, client_secret=, ",
  }),
  authRow({
    situation: "private_key_jwt: PrivateKeyJwt(key) of oauth4webapi",
    refresh: privateKeyJwt,
    show: assertionOf,
    happened: "signed by my-app about my-app for https://as.example",
  }),
  authRow({
    situation: "tls_client_auth: TlsClientAuth() of oauth4webapi",
    refresh: () => ({ clientAuth: oauth.TlsClientAuth() as ClientAuth }),
    show: formOf,
    happened: "client_id=my-app, client_secret=undefined",
  }),
  authRow({
    situation: "no client authentication",
    refresh: () => ({}),
    show: formOf,
    happened: "client_id=my-app, client_secret=undefined",
  }),
  {
    situation: "401 invalid_client: its message, and the same from a server that consumed the refresh token first",
    expected: {
      happened: /^2 exchanges, 2 with the same token, session revoked$/,
      saw: /^CONFIGURATION .*client_secret_post.*; SIGN_IN_REQUIRED response_lost /,
    },
    async run(scene) {
      const session = await scene.session();
      session.server.next({ ...INVALID_CLIENT, rotates: true });
      const first = await outcome(session.tokens.getAccessToken(), describeMessage);
      await session.clock.advance(2_000);
      const second = await outcome(session.tokens.getAccessToken());
      return {
        happened: session.server.exchanges,
        saw: `${/untouched|intact/.test(first) ? "claims too much: " : ""}${first}; ${second}`,
      };
    },
  },
  {
    situation: "401 invalid_client while the access token is usable: 60 calls in its last minutes",
    expected: { happened: /^1 exchange$/, saw: /^CONFIGURATION .*; a token$/ },
    async run(scene) {
      const session = await scene.session({ isUsable: true });
      session.server.next(INVALID_CLIENT, INVALID_CLIENT);
      const saw = new Set([await outcome(session.tokens.refresh())]);
      await session.clock.advance(57 * 60_000);
      for (let call = 0; call < 60; call++) {
        saw.add(await outcome(session.tokens.getAccessToken()));
        await session.clock.advance(2_000);
      }
      return { happened: session.server.exchanges, saw: [...saw].join("; ") };
    },
  },
  {
    situation: "a server that quotes the client secret",
    expected: { happened: "1 exchange", saw: /^CONFIGURATION \(HTTP 401 invalid_client "wrong secret \[secret\]"\)$/ },
    async run(scene) {
      const session = await scene.session({
        refresh: { clientAuth: { method: "client_secret_post", clientSecret: SECRET } },
      });
      session.server.next({
        status: 401,
        body: { error: "invalid_client", error_description: `wrong secret ${SECRET}` },
      });
      return { saw: await outcome(session.tokens.getAccessToken()), happened: session.server.exchanges };
    },
  },
  optionRow(
    "tokenEndpoint: http://keycloak:8080/token",
    /^TypeError: tokenEndpoint: expected https, because keycloak:8080 is not this machine.*allowInsecure: true/,
    {
      tokenEndpoint: "http://keycloak:8080/token",
    },
  ),
  optionRow("tokenEndpoint: http://keycloak:8080/token, allowInsecure: true", /^accepted$/, {
    tokenEndpoint: "http://keycloak:8080/token",
    allowInsecure: true,
  }),
  optionRow(
    "revocationEndpoint: http://keycloak:8080/revoke",
    /^TypeError: revocationEndpoint: expected https.*allowInsecure: true/,
    {
      revocationEndpoint: "http://keycloak:8080/revoke",
    },
  ),
  optionRow("tokenEndpoint: a URL object", /^accepted$/, { tokenEndpoint: new URL("https://as.example/token") }),
];
