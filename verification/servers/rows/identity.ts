/** Token responses about another account, and the refresh cases of OpenID Connect Core, section 12.2. */
import { canary } from "@unexpired-internal/test-support/canary";
import { outcome } from "../describe.ts";
import type { Row } from "../row.ts";
import type { Scene, SessionOptions } from "../scene.ts";
import { tokensOf } from "../token-server.ts";
import { until } from "../until.ts";
import { verdictRow } from "../verdict-row.ts";
import { isRenewed } from "./expected.ts";

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
/** Creates an unsigned JWT. */
export const jwt = (claims: object): string =>
  `${encode({ alg: "none" })}.${encode(claims)}.${canary("id", "signature")}`;

const ISSUER = "https://as.example";
const ADA = { iss: ISSUER, sub: "ada" };

/** A session whose ID token names Ada. */
const ada: SessionOptions = { tokens: { idToken: jwt(ADA) } };

const idTokenRow = (situation: string, claims: object | undefined, expected: Row["expected"]): Row =>
  verdictRow({
    situation,
    reply: {
      rotates: true,
      body: (issued) => ({ ...tokensOf(issued), ...(claims && { id_token: jwt(claims) }) }),
    },
    session: ada,
    steps: ["get", 2, "get"],
    expected,
  });

const isOther = {
  happened: /^dead: account_changed$/,
  saw: /^SIGN_IN_REQUIRED account_changed \(HTTP 200 "tokens of another account"\); SIGN_IN_REQUIRED account_changed \(HTTP 200 "tokens of another account"\); 1 exchange; a request: the same \(all four\)$/,
};

/** Shows which tokens the server is told to revoke. */
const revocation: Row = {
  situation: "a token response whose ID token names another `sub`, at a server with a revocation endpoint",
  expected: {
    happened: "dead: account_changed",
    saw: 'SIGN_IN_REQUIRED account_changed (HTTP 200 "tokens of another account"); revoked: refresh-2',
  },
  run: async (scene: Scene) => {
    const server = await scene.session();
    const revocationEndpoint = `${server.server.origin}/revoke`;
    const session = await scene.session({ ...ada, refresh: { revocationEndpoint } });
    const body = (issued: Parameters<typeof tokensOf>[0]) => ({
      ...tokensOf(issued),
      id_token: jwt({ ...ADA, sub: "eve" }),
    });
    session.server.next({ rotates: true, body });
    const saw = await outcome(session.tokens.getAccessToken());
    await until(() => server.server.others.length > 0);
    const revoked = server.server.others.map(({ form }) => form.token?.replace("canary-", ""));
    const { dead } = await session.record();
    return { happened: `dead: ${dead?.reason}`, saw: `${saw}; revoked: ${revoked.join()}` };
  },
};

const now = () => Math.floor(Date.now() / 1000);

export const identityRows: readonly Row[] = [
  idTokenRow("a token response whose ID token names another `sub`", { ...ADA, sub: "eve" }, isOther),
  idTokenRow("a token response whose ID token names another `iss`", { ...ADA, iss: "https://other.example" }, isOther),
  revocation,
  idTokenRow(
    "a refresh returns an ID token with the same `iss` and `sub` (OpenID Connect Core, 12.2)",
    { ...ADA, iat: now() },
    isRenewed,
  ),
  idTokenRow("a refresh returns no ID token (OpenID Connect Core, 12.2)", undefined, isRenewed),
  idTokenRow(
    "a refresh returns an ID token with another `sub` (OpenID Connect Core, 12.2)",
    { ...ADA, sub: "other" },
    isOther,
  ),
  verdictRow({
    situation: "a session without an ID token receives one",
    reply: { rotates: true, body: (issued) => ({ ...tokensOf(issued), id_token: jwt(ADA) }) },
    expected: isRenewed,
  }),
  verdictRow({
    situation: "an access token whose `sub` varies, and no ID token",
    reply: {
      rotates: true,
      body: (issued) => ({ ...tokensOf(issued), access_token: jwt({ ...ADA, sub: "a-resource" }) }),
    },
    session: { tokens: { accessToken: jwt(ADA) } },
    steps: ["get", 2, "get"],
    expected: { happened: /^rotated$/, saw: /^a token; a token; 1 exchange; a request: 200/ },
  }),
  verdictRow({
    situation: "200 with a new refresh_token and an id_token, no access_token",
    reply: {
      rotates: true,
      body: ({ refreshToken }) => ({ refresh_token: refreshToken, id_token: jwt(ADA) }),
    },
    session: ada,
    steps: ["get", 2, "get"],
    expected: {
      happened: /^transient, next try in 1 s$/,
      saw: /^CONFIGURATION \(HTTP 200\); a token; 2 exchanges; a request: the same \(all four\)$/,
    },
  }),
];
