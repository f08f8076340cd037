import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { createTokenManager, memoryStore, TokenEndpointError } from "../../src/index.ts";
import { type JsonRefreshOptions, jsonRefresh } from "../../src/oauth2.ts";
import { hideSecrets } from "../../src/tokens/token-set.ts";
import type { TokenSet } from "../../src/types.ts";
import { printed } from "../support/leaks.ts";
import { drop, type Handler, type Received, respondWith, startServer } from "../support/server.ts";

const tokens: TokenSet = hideSecrets({
  accessToken: canary("access", 1),
  refreshToken: canary("refresh", 1),
  tokenType: "Bearer",
  extra: {},
});
const EXPIRES_AT = "2033-05-18T03:33:20.123Z";
const issued = { accessToken: canary("access", 2), refreshToken: canary("refresh", 2), expiresAt: EXPIRES_AT };
const good = respondWith(200, { data: issued });

type Pear = { readonly data?: typeof issued };
const options = {
  body: ({ refreshToken }: TokenSet) => ({ refreshToken }),
  read: (json: Pear) => json.data,
};
const exchange = (endpoint: string, more: Partial<JsonRefreshOptions> = {}) =>
  jsonRefresh({ endpoint, ...options, ...more })(tokens, { signal: new AbortController().signal, attemptId: "1" });

const failure = async (promise: Promise<unknown>): Promise<TokenEndpointError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TokenEndpointError);
  return error as TokenEndpointError;
};

/** Makes an exchange with a server that plays this script, and returns its failure. */
const playing = async (handler: Handler, more: Partial<JsonRefreshOptions> = {}) => {
  await using server = await startServer(handler);
  const error = await failure(exchange(`${server.origin}/refresh`, more));
  expect(printed(error)).not.toContain("canary");
  return { error, received: server.received, origin: server.origin };
};

/** Opens a manager whose token has expired, and resolves to what a call makes of this response. */
const judged = async (handler: Handler, more: Partial<JsonRefreshOptions> = {}) => {
  await using server = await startServer(handler);
  await using manager = createTokenManager({ refresh: jsonRefresh({ endpoint: server.origin, ...options, ...more }) });
  await manager.signIn({ ...tokens, expiresAt: 1 });
  const error: unknown = await manager.getAccessToken().catch((reason: unknown) => reason);
  expect(printed(error)).not.toContain("canary");
  return error;
};

describe("the request", () => {
  const send = async (more: Partial<JsonRefreshOptions> = {}) => {
    await using server = await startServer(good);
    await exchange(`${server.origin}/refresh?v=2`, more);
    expect(server.received).toHaveLength(1);
    return server.received[0] as Received;
  };

  it("is a POST of the body as JSON", async () => {
    const { method, path, headers, body } = await send();
    expect({ method, path }).toEqual({ method: "POST", path: "/refresh?v=2" });
    expect(headers).toMatchObject({ "content-type": "application/json", accept: "application/json" });
    expect(JSON.parse(body)).toEqual({ refreshToken: canary("refresh", 1) });
  });

  it("has the given headers, which may depend on the tokens", async () => {
    expect((await send({ headers: { "X-Api-Key": "k", Accept: "application/vnd.pear+json" } })).headers).toMatchObject({
      "x-api-key": "k",
      accept: "application/vnd.pear+json",
    });
    const { headers } = await send({ headers: ({ refreshToken }) => ({ authorization: `Bearer ${refreshToken}` }) });
    expect(headers.authorization).toBe(`Bearer ${canary("refresh", 1)}`);
  });

  it("waits for a body that is a promise", async () => {
    expect((await send({ body: async () => ({ a: 1 }) })).body).toBe('{"a":1}');
  });

  it("is sent through the given fetch function, and follows no redirect", async () => {
    const calls: string[] = [];
    await send({
      fetch: (input, init) => {
        calls.push(`${init?.method} ${init?.redirect}`);
        return fetch(input, init);
      },
    });
    expect(calls).toEqual(["POST manual"]);
    await using elsewhere = await startServer(good);
    const { error, received } = await playing(respondWith(307, "", { location: `${elsewhere.origin}/?key=canary` }));
    expect(error).toMatchObject({ status: 307, description: `redirects to ${elsewhere.origin}/` });
    expect([received.length, elsewhere.received.length]).toEqual([1, 0]);
  });
});

describe("a successful response", () => {
  it("becomes the tokens of the session, with the milliseconds of their expiry", async () => {
    await using server = await startServer(good);
    await using manager = createTokenManager({ refresh: jsonRefresh({ endpoint: server.origin, ...options }) });
    await manager.signIn({ ...tokens, expiresAt: 1 });
    const { accessToken, refreshToken, expiresAt } = await manager.getTokenSet();
    expect({ accessToken, refreshToken, expiresAt }).toEqual({ ...issued, expiresAt: Date.parse(EXPIRES_AT) });
  });

  it("may be read as a response of RFC 6749, and with a promise", async () => {
    await using server = await startServer(respondWith(201, { token: canary("access", 2), ttl: 60 }));
    const read = async ({ token, ttl }: { token: string; ttl: number }, status: number) => {
      return { access_token: token, expires_in: ttl, scope: String(status) };
    };
    expect(await exchange(server.origin, { read })).toEqual({
      access_token: canary("access", 2),
      expires_in: 60,
      scope: "201",
    });
  });

  it("tells the lifetime of a JWT by the server's own clock (P13)", async () => {
    const now = Date.UTC(2031, 0, 1);
    const access_token = `e30.${btoa(JSON.stringify({ exp: now / 1000 + 600 }))}.${canary("access", 2)}`;
    await using server = await startServer(respondWith(200, {}, { date: new Date(now).toUTCString() }));
    expect(await exchange(server.origin, { read: () => ({ access_token }) })).toMatchObject({ expires_in: 600 });
  });

  it("keeps a refresh token that comes without an access token", async () => {
    await using server = await startServer(respondWith(200, { data: { refreshToken: canary("refresh", 2) } }));
    expect(await exchange(server.origin)).toEqual({ refreshToken: canary("refresh", 2) });
  });
});

describe("an error response", () => {
  const READ_THREW = "the option read failed with Error";
  const READ_NOTHING = "the option read returned no tokens";
  const throwing = (json: unknown): never => {
    throw new Error(`unexpected: ${JSON.stringify(json)}`);
  };
  it.each<[string, [Handler, Partial<JsonRefreshOptions>?], object]>([
    ["403 with invalid_grant (Pear)", [respondWith(403, { error: "invalid_grant" })], { error: "invalid_grant" }],
    ["a code elsewhere", [respondWith(400, { error: { code: "x" }, message: "m" })], { error: "x" }],
    ["429", [respondWith(429, {}, { "retry-after": "7" })], { status: 429, retryAfter: 7_000, body: "json" }],
    ["HTML", [respondWith(502, "<html>")], { status: 502, body: "other" }],
    ["200 and HTML", [respondWith(200, "<html>")], { status: 200, body: "other", description: undefined }],
    ["an empty body", [respondWith(200)], { status: 200, body: "empty" }],
    ["200 with an error", [respondWith(200, { error: "x" })], { status: 200, error: "x", description: undefined }],
    ["200 without tokens", [respondWith(200, { ok: true })], { status: 200, description: READ_NOTHING }],
    ["200 with unusable tokens", [respondWith(200, { data: { accessToken: 7 } })], { description: READ_NOTHING }],
    [
      "200 with a placeholder",
      [good, { read: () => ({ accessToken: "[secret]" }) }],
      { description: expect.stringMatching(/returned no tokens: accessToken is the placeholder "\[secret\]"/) },
    ],
    ["200 that cannot be read", [good, { read: throwing }], { description: READ_THREW, cause: { name: "Error" } }],
    ["tokens with an error status", [respondWith(500, { data: issued })], { status: 500, description: undefined }],
  ])("is reported after one POST, without a retry: %s", async (_name, [handler, more], expected) => {
    const { error, received, origin } = await playing(handler, more);
    expect(error).toMatchObject({ ...expected, sent: true, endpoint: `${origin}/refresh` });
    expect(received).toHaveLength(1);
  });

  const gone = (json: { reason?: string } | undefined) => json?.reason === "gone";
  const SIGN_IN = { code: "SIGN_IN_REQUIRED", reason: "session_expired" };
  const FAILED = { code: "REFRESH_FAILED" };
  it.each<[string, [Handler, JsonRefreshOptions["isTerminal"]?], object]>([
    ["403 with invalid_grant", [respondWith(403, { error: "invalid_grant" })], SIGN_IN],
    ["what only isTerminal recognizes", [respondWith(403, { reason: "gone" }), gone], SIGN_IN],
    ["the same with 200", [respondWith(200, { reason: "gone" }), gone], SIGN_IN],
    ["what nothing recognizes", [respondWith(403, { reason: "gone" })], FAILED],
    ["a terminal code that isTerminal does not know", [respondWith(400, { error: "invalid_grant" }), gone], SIGN_IN],
    ["an empty body that isTerminal judges", [respondWith(410), (_json, status) => status === 410], SIGN_IN],
    ["a proxy's page, which it does not judge", [respondWith(403, "<html>"), () => true], FAILED],
    ["an exception of isTerminal", [respondWith(403, { reason: "gone" }), () => JSON.parse("{")], FAILED],
    ["another value than true", [respondWith(403, { reason: "gone" }), () => "no" as never], FAILED],
    ["a wrong client", [respondWith(401, { error: "invalid_client" }), gone], { code: "CONFIGURATION" }],
    ["a server error", [respondWith(500, { reason: "?" }), gone], FAILED],
    ["a cut connection", [drop, () => true], FAILED],
  ])("ends the session only if it is terminal: %s", async (_name, [handler, isTerminal], expected) => {
    expect(await judged(handler, { isTerminal })).toMatchObject(expected);
  });

  it("keeps what the server said beside a terminal verdict", async () => {
    const said = { code: "TOKEN_GONE", message: "It was revoked." };
    const error = await judged(respondWith(401, said), { isTerminal: (json: typeof said) => json.code !== "" });
    expect(error).toMatchObject({
      reason: "revoked",
      cause: {
        error: "invalid_grant",
        status: 401,
        description: "according to the option isTerminal: TOKEN_GONE: It was revoked.",
      },
    });
  });

  it("of the server with invalid_grant stays as it is, whatever isTerminal says", async () => {
    const error = await judged(respondWith(400, { error: "invalid_grant" }), { isTerminal: () => true });
    expect(error).toMatchObject({ cause: { error: "invalid_grant", description: undefined } });
  });

  const unreadable = (json: { tokens?: { accessToken: string } }) => ({
    accessToken: json.tokens?.accessToken as string,
  });
  const broken = (json: unknown) => (json as { tokens: Pear["data"] & object }).tokens.accessToken as never;
  it.each<[string, JsonRefreshOptions["read"], RegExp]>([
    ["returns nothing", () => undefined, /HTTP 200, the option read returned no tokens\. Correct the function read\./],
    ["returns tokens that are none", unreadable, /the option read returned no tokens\. Correct the function read\./],
    [
      "throws",
      broken,
      /the option read failed with TypeError: Cannot read properties of undefined .*\. Correct the function/,
    ],
  ])(
    "counts as lost if read %s, and the message says what is wrong, here and in other processes",
    async (_name, read, message) => {
      await using server = await startServer(good);
      const store = memoryStore();
      const refresh = jsonRefresh({ endpoint: server.origin, ...options, read });
      await using manager = createTokenManager({ store, refresh });
      const codes: string[] = [];
      manager.subscribe((event) => event.type === "refresh-failed" && codes.push(event.code));
      await manager.signIn({ ...tokens, expiresAt: 1 });
      const error: unknown = await manager.getAccessToken().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: "CONFIGURATION", message: expect.stringMatching(message) });
      expect(printed(error)).not.toContain("canary");
      expect(codes).toEqual(["lost"]);
      expect(JSON.parse((await store.load())?.value ?? "")).toMatchObject({ attempt: { status: "lost" } });
      await using other = createTokenManager({ store, refresh });
      await expect(other.getAccessToken()).rejects.toMatchObject({
        code: "CONFIGURATION",
        message: expect.stringMatching(/the option read .*\. Correct the function read\. .*Nothing was sent this time/),
      });
      expect(server.received).toHaveLength(1);
    },
  );
});

describe("a request that was not sent", () => {
  const CYCLE: { self?: object } = {};
  CYCLE.self = CYCLE;
  it.each<[string, Partial<JsonRefreshOptions>, RegExp]>([
    ["its body cannot be created", { body: () => Promise.reject(new Error("no device")) }, /: no device$/],
    ["its body is nothing", { body: () => undefined }, /: body: expected to return a JSON value, not undefined$/],
    ["its body is a function", { body: () => () => 1 }, /: body: expected to return a JSON value, not function$/],
    ["its body is cyclic", { body: () => CYCLE }, /circular/],
    ["its body is the token set itself", { body: (current) => current }, /placeholder .*current\.refreshToken \}$/],
    [
      "its headers are invalid",
      { headers: () => ({ "x-key": `${canary("access", 9)}\nx` }) },
      /received no request: ./,
    ],
  ])("is reported as such if %s", async (_name, more, message) => {
    await using server = await startServer(good);
    const error = await failure(exchange(server.origin, more));
    expect(error).toMatchObject({ sent: false, status: undefined, message: expect.stringMatching(message) });
    expect(printed(error)).not.toContain("canary");
    expect(server.received).toHaveLength(0);
  });

  it.each([
    ["a number", { "x-key": 7 }, /: headers: expected strings, but x-key is a number$/],
    ["nothing", new Map([["x-key", undefined]]), /: headers: expected strings, but x-key is undefined$/],
  ])("is reported as such if a header is %s", async (_name, headers, message) => {
    await using server = await startServer(good);
    const error = await failure(exchange(server.origin, { headers: () => headers as never }));
    expect(error).toMatchObject({ sent: false, message: expect.stringMatching(message) });
    expect(server.received).toHaveLength(0);
  });

  it("is reported as such if the port is closed", async () => {
    const server = await startServer();
    await server.close();
    expect(await failure(exchange(server.origin))).toMatchObject({ sent: false });
  });

  it("is not made up for after the deadline: a slow body", async () => {
    await using server = await startServer(good);
    const controller = new AbortController();
    const body = async () => controller.abort(new DOMException("late", "TimeoutError"));
    const ignoring: typeof fetch = (input, init) => fetch(input, { ...init, signal: null });
    const refresh = jsonRefresh({
      endpoint: server.origin,
      ...options,
      body: () => body().then(() => 1),
      fetch: ignoring,
    });
    expect(await failure(refresh(tokens, { attemptId: "a", signal: controller.signal }))).toMatchObject({
      sent: false,
    });
    expect(server.received).toHaveLength(0);
  });

  it("is another one than a request without a response: that may have been sent", async () => {
    expect((await playing(drop)).error).toMatchObject({ sent: true, status: undefined });
    await using server = await startServer(() => {});
    const refresh = jsonRefresh({ endpoint: server.origin, ...options });
    const pending = failure(refresh(tokens, { attemptId: "a", signal: AbortSignal.timeout(50) }));
    expect(await pending).toMatchObject({ sent: true, cause: { name: "TimeoutError" } });
  });
});

describe("an error (P8)", () => {
  it.each<[string, Partial<JsonRefreshOptions>]>([
    ["the refresh token", {}],
    ["a client secret in the body", { body: () => ({ client: { clientSecret: "t0psecret value" } }) }],
    ["a key in a header", { headers: { "x-api-key": "t0psecret value" } }],
    ["the credentials of a header, even short ones", { headers: { authorization: "Basic t0ps" } }],
  ])("does not contain %s if the server echoes it", async (_name, more) => {
    const handler: Handler = (response, { body, headers }) => {
      const message = `${body} ${headers["x-api-key"]} ${headers.authorization?.slice(6)}`;
      respondWith(400, { error: "x", message })(response, {} as Received);
    };
    const { error } = await playing(handler, more);
    expect(printed(error)).not.toContain("t0ps");
    expect(error.description).toContain("[secret]");
  });

  it("shows what the server says about a refresh token whose grant type is in the body", async () => {
    const body = ({ refreshToken }: TokenSet) => ({ grantType: "refresh_token", refreshToken });
    const message = "The refresh token is expired.";
    expect(await judged(respondWith(401, { message }), { body })).toMatchObject({ reason: "session_expired" });
  });

  it("does not contain the credentials of headers that are a Headers object", async () => {
    const headers = () => new Headers({ authorization: "Basic t0ps" }) as never;
    const handler: Handler = (response, request) =>
      respondWith(400, { error: "x", message: `${request.headers.authorization}` })(response, request);
    const { error } = await playing(handler, { headers });
    expect(error.description).toBe("[secret]");
  });

  it("does not contain the query of the endpoint if fetch quotes it, as node-fetch does, or the server a key", async () => {
    const quoting = (url: unknown) => Promise.reject(new Error(`request to ${url} failed, for key s3cr/et`));
    const error = await failure(exchange("https://a.example/refresh?key=s3cr%2Fet&v=1", { fetch: quoting }));
    expect(error.message).toContain("request to https://a.example/refresh?[secret] failed, for key [secret]");
    const other = await failure(exchange("https://a.example/refresh?k=s3cr", { fetch: quoting }));
    expect(other.message).toContain("request to https://a.example/refresh?[secret] failed");
    expect(printed(error)).not.toContain("s3cr");
  });

  it("does not contain keys in the endpoint's query", async () => {
    await using server = await startServer(respondWith(500));
    expect(printed(await failure(exchange(`${server.origin}/refresh?code=s3cr`)))).not.toContain("s3cr");
  });
});

describe("jsonRefresh", () => {
  const valid = { endpoint: "https://a.example/refresh", ...options };
  const make = (given: object | undefined) => () => jsonRefresh(given as JsonRefreshOptions);

  it("passes its timeout and its revocation on", () => {
    const revoke = async () => {};
    const refresh = make({ ...valid, timeout: 5, revoke })();
    expect([refresh.timeout, refresh.revoke]).toEqual([5, revoke]);
    expect([make(valid)().timeout, make(valid)().revoke]).toEqual([undefined, undefined]);
  });

  it("accepts plain http beyond this machine only with allowInsecure", () => {
    const given = { ...valid, endpoint: "http://auth.internal/refresh" };
    expect(make(given)).toThrow(/^endpoint: expected https, because auth\.internal is not this machine\. .*allowInsec/);
    expect(make({ ...given, allowInsecure: true })).not.toThrow();
    expect(make({ ...given, endpoint: "http://127.0.0.1:3000" })).not.toThrow();
  });

  it.each<[string, object | undefined, RegExp]>([
    ["no options", undefined, /^jsonRefresh: expected an object of options, not undefined\.$/],
    ["no endpoint", { ...valid, endpoint: undefined }, /^endpoint: expected an absolute https URL/],
    ["an endpoint with a password", { ...valid, endpoint: "https://u:canary@a.example" }, /^endpoint: expected/],
    ["no body", { ...valid, body: undefined }, /^body: expected a function that returns the request's body, not undef/],
    ["a body that is no function", { ...valid, body: { a: "canary" } }, /^body: expected a function/],
    ["no read", { ...valid, read: undefined }, /^read: expected a function that returns the tokens of a response/],
    ["isTerminal of another type", { ...valid, isTerminal: true }, /^isTerminal: expected a function that returns/],
    ["headers of another type", { ...valid, headers: { a: 7 } }, /^headers/],
    ["a revoke of another type", { ...valid, revoke: "canary" }, /^revoke: expected a function, not a string\.$/],
    ["an unknown option", { ...valid, clientId: "canary" }, /^jsonRefresh: unknown option "clientId"\. Supported: end/],
    ["timeout 0", { ...valid, timeout: 0 }, /^timeout: expected milliseconds above 0, at most 20 minutes, not 0\.$/],
  ])("throws a TypeError for %s", (_name, given, message) => {
    expect(make(given)).toThrow(TypeError);
    expect(make(given)).toThrow(message);
    expect(make(given)).not.toThrow(/canary/);
  });
});
