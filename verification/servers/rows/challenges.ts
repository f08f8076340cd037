/** The meaning of a 401 of an API, and the token types that are sent. */
import type { Row } from "../row.ts";
import { clientRow } from "../through-clients.ts";
import { tokensOf } from "../token-server.ts";

const RETRIED = { happened: /^token 1, token 2; 1 exchange \(all four\)$/, saw: /^200 \(all four\)$/ };
const challenge = (header: string | undefined) => ({
  status: 401,
  ...(header !== undefined && { headers: { "www-authenticate": header } }),
});

/** A row about a 401 that only the first access token gets. */
const retried = (header: string | undefined): Row =>
  clientRow({
    situation: `401 ${header ?? "without a challenge"}`,
    expected: RETRIED,
    run: ({ scene, send }) => {
      scene.api.respond = ({ authorization }) => (authorization?.endsWith("1") ? challenge(header) : { status: 200 });
      return send();
    },
  });

/** A row about a 401 that no token changes, in 60 calls over an hour. */
const surfaced = (header: string): Row =>
  clientRow({
    situation: `401 ${header}, 60 times in an hour`,
    expected: { happened: /^token 1, 60 times; 0 exchanges \(all four\)$/, saw: /^401 \(all four\)$/ },
    run: async ({ scene, session, send }) => {
      scene.api.respond = () => challenge(header);
      const saw = new Set<string>();
      for (let call = 0; call < 60; call++) {
        saw.add(await send());
        await session.clock.advance(45_000);
      }
      return [...saw].join(", ");
    },
  });

const typed = (tokenType: string): Row =>
  clientRow({
    situation: `token_type ${tokenType}`,
    expected: { happened: /^token 2; 1 exchange \(all four\)$/, saw: /^200 \(all four\)$/ },
    session: { isUsable: false },
    run: ({ session, send }) => {
      session.server.next({ rotates: true, body: (issued) => ({ ...tokensOf(issued), token_type: tokenType }) });
      return send();
    },
  });

const proof = (tokenType: string): Row =>
  clientRow({
    situation: `token_type ${tokenType}, which needs a proof`,
    expected: { happened: /^nothing sent; 0 exchanges \(all four\)$/, saw: /^CONFIGURATION \(all four\)$/ },
    session: { tokens: { tokenType } },
    run: ({ send }) => send(),
  });

const refusedThenRejected: Row = clientRow({
  situation: "the server refused an early refresh, and now the API rejects the access token: two calls",
  expected: {
    happened: /^token 1, token 1; 1 exchange \(all four\)$/,
    saw: /^200, then SIGN_IN_REQUIRED revoked .*, then SIGN_IN_REQUIRED revoked [^,]* \(all four\)$/,
  },
  run: async ({ scene, session: { server, tokens }, send }) => {
    scene.api.respond = () => ({ status: 200 });
    server.next({ status: 400, body: { error: "invalid_grant", error_description: "revoked" } });
    await tokens.refresh().catch(() => {});
    const saw = [await send()];
    scene.api.respond = () => challenge(undefined);
    return [...saw, await send(), await send()].join(", then ");
  },
});

const ABOUT_RIGHTS = [
  'Bearer error="insufficient_scope"',
  'Bearer error="insufficient_user_authentication", acr_values="mfa"',
  'Bearer realm="", error=insufficient_claims, claims="e30="',
  'Basic realm="a, Bearer b", Bearer error="insufficient_user_authentication"',
];

const ABOUT_THE_TOKEN = [
  undefined,
  "Bearer",
  'Bearer error="invalid_token"',
  'Bearer error="invalid_token", error_description="not insufficient_scope"',
  'Basic realm="error=insufficient_scope", Bearer error="invalid_token"',
];

export const challengeRows: readonly Row[] = [
  ...ABOUT_RIGHTS.map(surfaced),
  ...ABOUT_THE_TOKEN.map(retried),
  ...["bot", "user", "jwt-bearer", "BearerToken", "bearer", "N_A"].map(typed),
  ...["DPoP", "PoP", "MAC"].map(proof),
  refusedThenRejected,
];
