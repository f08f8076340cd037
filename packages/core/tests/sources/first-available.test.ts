import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import {
  createFetch,
  envToken,
  firstAvailable,
  isAuthError,
  type SessionEvent,
  staticToken,
  type TokenSource,
} from "../../src/index.ts";
import { jwt } from "../support/jwt.ts";
import { printed } from "../support/leaks.ts";
import { respondWith, startServer } from "../support/server.ts";
import { startSession } from "../support/session.ts";

const ENTERPRISE = "ENTERPRISE_TOKEN";
const OWN = "APP_TOKEN";
const MEMORY = "The memory store";
const token = canary("access", "own");
const enterprise = canary("access", "enterprise");

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("did not reject"),
    (error: unknown) => error,
  );

/** Two variables before a session, as in a program that is also run in CI. */
function startProgram(env: Record<string, string> = {}) {
  const session = startSession();
  const manager = session.open();
  const tokens = firstAvailable(envToken(ENTERPRISE, { env }), envToken(OWN, { env }), manager);
  return { ...session, env, manager, tokens };
}

/** A source that is written by hand: an older one, without the optional members. */
const byHand = (accessToken: string): TokenSource => ({
  getTokenSet: async () => ({ accessToken, tokenType: "Bearer", extra: {} }),
  replaceRejected: async (rejected) => `${rejected}-replaced`,
});

describe("firstAvailable", () => {
  it("uses the first source that has a token, and says which", async () => {
    const { env, issuer, manager, tokens } = startProgram();
    await manager.signIn({ ...issuer.tokens(), expiresAt: undefined });
    const current = async () => [await tokens.getAccessToken(), tokens.source()];
    await manager.refresh();
    expect(await current()).toEqual([canary("access", 2), MEMORY]);
    env[OWN] = token;
    expect(await current()).toEqual([token, OWN]);
    env[ENTERPRISE] = enterprise;
    expect(await current()).toEqual([enterprise, ENTERPRISE]);
    env[ENTERPRISE] = " ";
    expect((await tokens.getTokenSet()).accessToken).toBe(token);
    delete env[OWN];
    expect(await current()).toEqual([canary("access", 2), MEMORY]);
  });

  it("says which source is in use before the first call", async () => {
    const { env, tokens } = startProgram();
    expect(tokens.source()).toBe(MEMORY); // it may hold a session
    env[OWN] = token;
    expect(tokens.source()).toBe(OWN);
  });

  it("sees that a manager is signed in and signed out", async () => {
    const { clock, issuer, open } = startSession();
    const manager = open();
    const tokens = firstAvailable(manager, staticToken(token));
    const current = async () => [await tokens.getAccessToken(), tokens.source()];
    expect(await current()).toEqual([token, "static token"]);
    await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() + 3_600_000 });
    expect(await current()).toEqual([canary("access", 1), MEMORY]);
    await manager.signOut();
    expect(await current()).toEqual([token, "static token"]);
  });

  it("rejects with an error that names all sources if none has a token", async () => {
    const { manager, tokens } = startProgram();
    const error = await failure(tokens.getTokenSet());
    expect(error).toMatchObject({
      name: "SignInRequiredError",
      reason: "no_session",
      message: `Sign in required: none of the sources has a token (environment variable ${ENTERPRISE}, environment variable ${OWN}, ${MEMORY}). Provide a token in one of them, or have the user sign in.`,
    });
    expect(isAuthError(error)).toBe(true);
    expect(tokens.source()).toBeUndefined();
    await manager.signIn({ accessToken: token });
    await manager.signOut();
    expect(await failure(tokens.getTokenSet())).toMatchObject({ reason: "signed_out" });
  });

  it("reports a rejected token of the source in use, and does not go on to the next", async () => {
    const { env, manager, tokens } = startProgram({ [OWN]: token });
    await manager.signIn({ accessToken: canary("access", 1) });
    const error = await failure(tokens.replaceRejected(token));
    expect(error).toMatchObject({ code: "SIGN_IN_REQUIRED", message: expect.stringContaining(OWN) });
    expect([tokens.source(), await tokens.getAccessToken()]).toEqual([OWN, token]);
    env[OWN] = enterprise; // what the error asks for
    expect(await tokens.replaceRejected(token)).toBe(enterprise);
  });

  it("reports a token that has expired, and does not go on to the next", async () => {
    const { env, manager, tokens } = startProgram({ [OWN]: jwt({ exp: 1 }) });
    await manager.signIn({ accessToken: canary("access", 1) });
    expect(await failure(tokens.getAccessToken())).toMatchObject({
      reason: "session_expired",
      message: expect.stringMatching(/APP_TOKEN/),
    });
    expect(tokens.source()).toBe(OWN);
    env[OWN] = "";
    expect(await tokens.getAccessToken()).toBe(canary("access", 1));
  });

  it("reports a session that has ended, and does not go on to the next", async () => {
    const { open, signIn, issuer } = startSession();
    await signIn(0);
    issuer.isRevoked = true;
    const tokens = firstAvailable(open(), staticToken(token));
    expect(await failure(tokens.getAccessToken())).toMatchObject({
      code: "SIGN_IN_REQUIRED",
      reason: "session_expired",
    });
    expect(tokens.source()).toBe(MEMORY);
  });

  it("refreshes a rejected token of a manager, once for all calls", async () => {
    const { clock, issuer, manager, tokens } = startProgram();
    await manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() + 3_600_000 });
    const rejected = await tokens.getAccessToken();
    const calls = [1, 2, 3].map(() => tokens.replaceRejected(rejected));
    expect(await Promise.all(calls)).toEqual([1, 2, 3].map(() => canary("access", 2)));
    expect(await tokens.replaceRejected(rejected)).toBe(canary("access", 2));
    expect(issuer.presented).toHaveLength(1);
  });

  it("can be nested", async () => {
    const { env, issuer, manager } = startProgram();
    const variables = firstAvailable(envToken(ENTERPRISE, { env }), envToken(OWN, { env }));
    const tokens = firstAvailable(variables, manager);
    expect(await failure(tokens.getTokenSet())).toMatchObject({
      message: expect.stringContaining(`(environment variable ${ENTERPRISE}, environment variable ${OWN}, ${MEMORY})`),
    });
    await manager.signIn({ accessToken: issuer.tokens().accessToken });
    expect([await tokens.getAccessToken(), tokens.source()]).toEqual([canary("access", 1), MEMORY]);
    env[OWN] = token;
    expect([await tokens.getAccessToken(), tokens.source()]).toEqual([token, OWN]);
  });

  it("takes sources that are written by hand, which have no name", async () => {
    const env: Record<string, string> = {};
    const signedOut = { code: "SIGN_IN_REQUIRED", reason: "no_session", [Symbol.for("unexpired.error")]: true };
    const empty: TokenSource = { ...byHand(token), getTokenSet: () => Promise.reject(signedOut) };
    const tokens = firstAvailable(envToken(OWN, { env }), empty, byHand(token));
    expect(await tokens.getAccessToken()).toBe(token);
    expect(tokens.source()).toBe("source 3");
    expect(await tokens.replaceRejected(token)).toBe(`${token}-replaced`);
    expect(await failure(firstAvailable(empty).getTokenSet())).toMatchObject({ reason: "no_session" });
  });

  it("does not have a source replace the token of another one, even if that has none any more (P14)", async () => {
    const env: Record<string, string> = { [OWN]: token };
    const tokens = firstAvailable(envToken(OWN, { env }), byHand(enterprise));
    const rejected = await tokens.getAccessToken();
    env[OWN] = "";
    expect(await failure(tokens.replaceRejected(rejected))).toMatchObject({
      reason: "no_session",
      message: expect.stringContaining(OWN),
    });
    expect(await tokens.getAccessToken()).toBe(enterprise);
    env[OWN] = token;
    expect(await tokens.replaceRejected(enterprise)).toBe(`${enterprise}-replaced`);
    expect(await tokens.replaceRejected(`${enterprise}-replaced`)).toBe(`${enterprise}-replaced-replaced`);
  });

  it("does not send a request with the token of another source after a 401 (P14)", async () => {
    const env: Record<string, string> = { [OWN]: token };
    await using server = await startServer((response, request) => {
      delete env[OWN];
      return respondWith(401)(response, request);
    });
    const tokens = firstAvailable(envToken(OWN, { env }), staticToken(enterprise));
    const send = createFetch(tokens, { origins: [server.origin], whenSignedOut: "send" });
    expect((await send(server.origin, { method: "POST", body: "x" })).status).toBe(401);
    expect(server.received.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${token}`]);
  });

  it("remembers whose the latest hundred tokens are", async () => {
    const env: Record<string, string> = {};
    const tokens = firstAvailable(envToken(OWN, { env }), byHand(enterprise));
    for (let number = 0; number <= 100; number++) {
      env[OWN] = canary("access", number);
      await tokens.getTokenSet();
    }
    delete env[OWN];
    expect(await failure(tokens.replaceRejected(canary("access", 1)))).toMatchObject({ reason: "no_session" });
    expect(await tokens.replaceRejected(canary("access", 0))).toBe(`${canary("access", 0)}-replaced`);
  });

  it("sees that a source without a name has a token again", async () => {
    let isEmpty = true;
    const { getTokenSet } = envToken(OWN, { env: {} });
    const source: TokenSource = {
      ...byHand(token),
      getTokenSet: (options) => (isEmpty ? getTokenSet(options) : byHand(token).getTokenSet(options)),
    };
    const tokens = firstAvailable(source, staticToken(enterprise));
    expect([await tokens.getAccessToken(), tokens.source()]).toEqual([enterprise, "static token"]);
    isEmpty = false;
    expect([await tokens.getAccessToken(), tokens.source()]).toEqual([token, "source 1"]);
  });

  it("passes the options of a call on, and stops if the signal aborts between two sources", async () => {
    const received: unknown[] = [];
    const controller = new AbortController();
    const recording: TokenSource = {
      getTokenSet: async (options) => {
        received.push(options);
        return byHand(token).getTokenSet();
      },
      replaceRejected: async (_, options) => {
        received.push(options);
        return enterprise;
      },
    };
    const { signal } = controller;
    const response = { status: 401 };
    await firstAvailable(recording).getTokenSet({ signal });
    await firstAvailable(recording).replaceRejected(token, { signal, response });
    expect(received).toEqual([{ signal }, { signal }, { signal, response }]); // it is not known whose the rejected token is
    controller.abort("stop");
    expect(await failure(firstAvailable(recording).getTokenSet({ signal }))).toBe("stop");
    expect(received).toHaveLength(3);
  });

  it("rejects a token for the statuses that the source in use names", async () => {
    const env: Record<string, string> = {};
    const pool = { ...byHand(token), isRejection: (status: number) => status === 429 };
    const tokens = firstAvailable(envToken(OWN, { env }), pool);
    const rejections = () => [401, 429].filter((status) => tokens.isRejection(status));
    expect(rejections()).toEqual([401]);
    await tokens.getTokenSet();
    expect(rejections()).toEqual([429]);
    env[OWN] = token;
    await tokens.getTokenSet();
    expect(rejections()).toEqual([401]);
  });

  it("judges a response by the source of the request's token, not by the one in use now", async () => {
    const env: Record<string, string> = { [OWN]: token };
    const pool = { ...byHand(enterprise), isRejection: (status: number) => status === 429 };
    await using server = await startServer(async (response, request) => {
      delete env[OWN];
      await tokens.getTokenSet(); // another request
      return respondWith(429)(response, request);
    });
    const tokens = firstAvailable(envToken(OWN, { env }), pool);
    const send = createFetch(tokens, { origins: [server.origin] });
    expect((await send(server.origin)).status).toBe(429);
    expect(server.received).toHaveLength(1);
    env[OWN] = token;
    await tokens.getTokenSet();
    expect([401, 429].filter((status) => tokens.isRejection(status, enterprise))).toEqual([429]);
    expect([401, 429].filter((status) => firstAvailable(tokens).isRejection(status, enterprise))).toEqual([401]);
    const outer = firstAvailable(firstAvailable(pool));
    await outer.getTokenSet();
    expect([401, 429].filter((status) => outer.isRejection(status, enterprise))).toEqual([429]);
  });

  it("takes a source that fails for the one in use", async () => {
    const down = { ...byHand(token), getTokenSet: () => Promise.reject(new Error("down")), isRejection: () => false };
    const { getTokenSet } = envToken(OWN, { env: {} });
    const failing: TokenSource = { ...down, getTokenSet };
    const tokens = firstAvailable(failing, staticToken(enterprise));
    await tokens.getTokenSet();
    expect([tokens.source(), tokens.isRejection(401)]).toEqual(["static token", true]);
    Object.assign(failing, down);
    expect(await failure(tokens.getTokenSet())).toMatchObject({ message: "down" });
    expect([tokens.source(), tokens.isRejection(401)]).toEqual(["source 1", false]);
  });

  it("passes on the events of all sources until it is unsubscribed", async () => {
    const { manager, tokens } = startProgram();
    const events: SessionEvent[] = [];
    const unsubscribe = firstAvailable(byHand(token), tokens).subscribe((event) => events.push(event));
    await manager.signIn({ accessToken: token });
    unsubscribe();
    await manager.signOut();
    expect(events.map(({ type }) => type)).toEqual(["state-changed"]);
    expect(() => tokens.subscribe(1 as never)).toThrow(TypeError);
  });

  it("gives a request the error that names the variable, or its 401 with whenSignedOut", async () => {
    await using server = await startServer(respondWith(401));
    const tokens = firstAvailable(envToken(OWN, { env: { [OWN]: token } }));
    const origins = [server.origin];
    expect(await failure(createFetch(tokens, { origins })(server.origin))).toMatchObject({
      message: expect.stringMatching(/HTTP 401 .*APP_/),
    });
    const response = await createFetch(tokens, { origins, whenSignedOut: "send" })(server.origin);
    expect(response.status).toBe(401);
  });

  it("shows no token (P8)", async () => {
    const { tokens } = startProgram({ [OWN]: token });
    await tokens.getTokenSet();
    const results = [tokens, tokens.getTokenSet(), tokens.getAccessToken(), tokens.replaceRejected(enterprise)];
    expect(printed(results)).not.toContain(token);
    expect(printed(await failure(tokens.replaceRejected(token)))).not.toContain(token);
  });

  it("throws a TypeError for anything but sources", () => {
    expect(() => firstAvailable()).toThrow("firstAvailable: expected at least one token source.");
    expect(() => firstAvailable(byHand(token), token as never)).toThrow(
      "sources[1]: expected a token manager or another TokenSource, not a string.",
    );
    expect(() => firstAvailable([byHand(token)] as never)).toThrow(/sources\[0\]: .*, not an array\.$/);
  });
});
