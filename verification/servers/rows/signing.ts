/** Signing in and out, and what is stored. */

import type { SessionEvent, TokenSetInput } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { describeMessage, describeRecord, outcome } from "../describe.ts";
import type { Row } from "../row.ts";
import type { Reply } from "../token-server.ts";
import { inTime } from "../until.ts";

/** A row about a sign-out whose revocation does not succeed. */
const signOutRow = (situation: string, reply: () => Reply | Promise<Reply>, said: RegExp): Row => ({
  situation: `signOut(), and the revocation endpoint ${situation}`,
  expected: { happened: "dead: signed_out", saw: said },
  async run(scene) {
    const { server } = await scene.session();
    server.respondToOthers = reply;
    const revocationEndpoint = `${server.origin}/revoke`;
    const session = await scene.session({
      isUsable: true,
      refresh: { revocationEndpoint, timeout: 300 },
      manager: { clock: {} },
    });
    const events: SessionEvent[] = [];
    session.tokens.subscribe((event) => events.push(event));
    const saw = await inTime(outcome(session.tokens.signOut()));
    const failed = events.find(({ type }) => type === "revocation-failed");
    const message = failed?.type === "revocation-failed" ? failed.message : "no event";
    const after = await outcome(session.tokens.getAccessToken());
    return { happened: describeRecord(await session.record()), saw: `${saw}; ${message}; ${after}` };
  },
});

const FAILED = '^{"revoked":false}; .*http://127\\.0\\.0\\.1/revoke';

/** A row about tokens that are passed to signIn and adopt. */
const refused = (situation: string, tokens: object, saw: RegExp): Row => ({
  situation: `signIn and adopt with ${situation}`,
  expected: { happened: "nothing stored", saw },
  async run(scene) {
    const manager = scene.packed.core.createTokenManager();
    const signedIn = await outcome(manager.signIn(tokens as TokenSetInput), describeMessage);
    const adopted = await outcome(manager.adopt(tokens as TokenSetInput), describeMessage);
    const stored = (await manager.peek()) === undefined ? "nothing stored" : "stored";
    return { happened: stored, saw: adopted === signedIn ? `${signedIn} (both)` : `${signedIn}; ${adopted}` };
  },
});

const inSeconds = () => Math.floor(Date.now() / 1000) + 3600;

export const signingRows: readonly Row[] = [
  {
    situation: "signIn({ refreshToken }), then getAccessToken()",
    expected: { happened: "signed in; rotated", saw: "true; a token; 1 exchange" },
    async run(scene) {
      const { core } = scene.packed;
      const session = await scene.session();
      const store = core.memoryStore();
      const manager = session.open({ store });
      const stored = async () => describeRecord(JSON.parse((await store.load())?.value ?? "{}"));
      const signedIn = await manager.signIn({ refreshToken: canary("refresh", 1) });
      const before = await stored();
      const saw = await outcome(manager.getAccessToken());
      return { happened: `${before}; ${await stored()}`, saw: `${signedIn}; ${saw}; ${session.server.exchanges}` };
    },
  },
  {
    situation: "signIn({ refreshToken }) with staleIfError, while the token endpoint is down",
    expected: { happened: "1 exchange", saw: "REFRESH_FAILED endpoint (HTTP 503)" },
    async run(scene) {
      const session = await scene.session();
      const manager = session.open({ store: scene.packed.core.memoryStore(), staleIfError: true });
      await manager.signIn({ refreshToken: canary("refresh", 1) });
      session.server.next({ status: 503 });
      return { saw: await outcome(manager.getAccessToken()), happened: session.server.exchanges };
    },
  },
  refused(
    "a token endpoint's response",
    { access_token: canary("access", 1), refresh_token: canary("refresh", 1), expires_in: 3600 },
    /^TypeError: .*tokenSetFromResponse\(response, \{ sentAt \}\).* \(both\)$/,
  ),
  refused(
    "expiresAt in seconds",
    { accessToken: canary("access", 1), expiresAt: inSeconds() },
    /^TypeError: .*expiresAt is in seconds.*multiply it by 1,000.* \(both\)$/,
  ),
  refused("nothing", {}, /^TypeError: .* \(both\)$/),
  signOutRow(
    "responds with 500",
    () => ({ status: 500 }),
    new RegExp(`${FAILED}.*HTTP 500.*; SIGN_IN_REQUIRED signed_out$`),
  ),
  signOutRow(
    "responds with 400 and a code",
    () => ({ status: 400, body: { error: "unsupported_token_type" } }),
    new RegExp(`${FAILED}.*unsupported_token_type.*; SIGN_IN_REQUIRED signed_out$`),
  ),
  signOutRow(
    "never responds",
    () => new Promise<Reply>(() => {}),
    new RegExp(`${FAILED}.*; SIGN_IN_REQUIRED signed_out$`),
  ),
  signOutRow("works", () => ({}), /^{"revoked":true}; no event; SIGN_IN_REQUIRED signed_out$/),
  {
    situation: "signOut() with a revoke function that never settles",
    expected: { happened: "dead: signed_out", saw: /^{"revoked":false}$/ },
    async run(scene) {
      const session = await scene.session({ isUsable: true, refresh: { timeout: 300 }, manager: { clock: {} } });
      const saw = await inTime(outcome(session.tokens.signOut({ revoke: () => new Promise(() => {}) })));
      return { happened: describeRecord(await session.record()), saw };
    },
  },
  {
    situation: "peek(), offline, after the access token has expired",
    expected: {
      happened: "0 exchanges",
      saw: /^account ada, expired, scope read write, type Bearer, renewable, reason none$/,
    },
    async run(scene) {
      const account = () => "ada";
      const session = await scene.session({ tokens: { scope: "read write" }, manager: { account } });
      const { server, clock } = session;
      await server[Symbol.asyncDispose]();
      const info = await session.open().peek();
      const expiry = (info?.expiresAt ?? Number.POSITIVE_INFINITY) <= clock.now() ? "expired" : "not expired";
      const saw = `account ${info?.account}, ${expiry}, scope ${info?.scope}, type ${info?.tokenType}, ${info?.renewable ? "" : "not "}renewable, reason ${info?.reason ?? "none"}`;
      return { happened: server.exchanges, saw };
    },
  },
  {
    situation: "peek() after a refusal",
    expected: { happened: "1 exchange", saw: "renewable false, reason revoked" },
    async run(scene) {
      const session = await scene.session();
      session.server.next({ status: 400, body: { error: "invalid_grant", error_description: "revoked" } });
      await outcome(session.tokens.getAccessToken());
      const info = await session.open().peek();
      return { saw: `renewable ${info?.renewable}, reason ${info?.reason}`, happened: session.server.exchanges };
    },
  },
];
