import { createHash } from "node:crypto";
import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type AuthorizationCodeFlowOptions, authorizationCodeFlow } from "../../src/flows.ts";
import { tokenOriginOf } from "../../src/tokens/token-origin.ts";
import { AS_METADATA, failureOf, formsTo, metadata, silent, startRoutes, timeoutFor } from "../support/flows.ts";
import { idTokenOf } from "../support/id-token.ts";
import { printed } from "../support/leaks.ts";
import { drop, type Handler, type Received, respondWith } from "../support/server.ts";

const REDIRECT = "http://127.0.0.1:4711/callback";
const CODE = canary("access", "code-1");
const tokens = {
  access_token: canary("access", 1),
  refresh_token: canary("refresh", 1),
  token_type: "Bearer",
  expires_in: 3600,
};
const granted = respondWith(200, tokens);

let cleanups: (() => Promise<void>)[];
beforeEach(() => {
  cleanups = [];
});
afterEach(async () => {
  for (const cleanup of cleanups) await cleanup();
});

interface Setup {
  readonly token?: Handler;
  readonly options?: Partial<AuthorizationCodeFlowOptions>;
  readonly server?: Readonly<Record<string, unknown>>;
}

/** Begins a sign-in, and returns its parameters and the URL of a successful response, which `changes` may change. */
async function start({ token = granted, options, server: changes }: Setup = {}) {
  const routes = { [AS_METADATA]: metadata(changes), "/token": token };
  const server = await startRoutes(routes);
  cleanups.push(server.close);
  const flow = authorizationCodeFlow({ issuer: server.origin, clientId: "app", redirectUri: REDIRECT, ...options });
  const request = await flow.start();
  const sent = Object.fromEntries(new URL(request.url).searchParams);
  const callback = (parameters: Readonly<Record<string, string | undefined>> = {}, redirect = REDIRECT): string => {
    const url = new URL(redirect);
    for (const [name, value] of Object.entries({ code: CODE, state: sent.state, ...parameters }))
      if (value !== undefined) url.searchParams.set(name, value);
    return url.href;
  };
  return { server, flow, request, sent, callback };
}

describe("the authorization request", () => {
  it("has PKCE, a state, the scope and the resource", async () => {
    const options = { scope: "read write", resource: ["https://a.example/", "https://b.example/"] };
    const { request, server, sent } = await start({ options });
    const url = new URL(request.url);
    expect(url.origin + url.pathname).toBe(`${server.origin}/authorization`);
    expect(url.searchParams.getAll("resource")).toEqual(options.resource);
    const { resource: _, ...rest } = sent;
    expect(rest).toEqual({
      response_type: "code",
      client_id: "app",
      redirect_uri: REDIRECT,
      scope: "read write",
      state: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: "S256",
    });
  });

  it("has a nonce with the scope openid, additional parameters, and those of the endpoint", async () => {
    const parameters = { prompt: "consent" };
    const server = { authorization_endpoint: "https://as.example/authorize?tenant=7" };
    const { sent } = await start({ options: { scope: "openid read", parameters }, server });
    expect(sent).toMatchObject({ nonce: expect.stringMatching(/^[\w-]{43}$/), prompt: "consent", tenant: "7" });
  });

  it("has other secrets for each sign-in, and its own redirect URI", async () => {
    const { flow, sent } = await start({ options: { scope: "openid" } });
    const second = await flow.start({ redirectUri: "com.example.app:/done" });
    const others = Object.fromEntries(new URL(second.url).searchParams);
    expect(others.redirect_uri).toBe("com.example.app:/done");
    for (const name of ["state", "nonce", "code_challenge"]) expect(others[name]).not.toBe(sent[name]);
  });

  it.each<[string, Partial<AuthorizationCodeFlowOptions>, string]>([
    ["a parameter of its own", { parameters: { state: "x" } }, "parameters: expected no state"],
    ["a parameter that is no string", { parameters: { a: 1 as never } }, "parameters.a: invalid"],
    ["no URL to return to", { redirectUri: "/callback" }, "redirectUri: expected an absolute URL"],
    ["a client authentication", { clientAuth: { method: "x" } as never }, "clientAuth: expected"],
  ])("refuses an option: %s", (_name, options, message) => {
    const given = { issuer: "https://as.example", clientId: "app", ...options };
    expect(() => authorizationCodeFlow(given)).toThrow(message);
  });

  it("needs a redirect URI", async () => {
    const flow = authorizationCodeFlow({ issuer: "https://as.example", clientId: "app" });
    await expect(flow.start()).rejects.toThrow("redirectUri: expected an absolute URL");
  });

  it("needs an authorization endpoint", async () => {
    const error = await failureOf(start({ server: { authorization_endpoint: undefined } }));
    expect(error).toMatchObject({ code: "CONFIGURATION" });
    expect(error.message).toContain("has no authorization endpoint");
  });
});

describe("the response", () => {
  it.each([
    ["a string", (callback: string) => callback],
    ["a URL", (callback: string) => new URL(callback)],
    ["the path that a server receives", (callback: string) => callback.replace("http://127.0.0.1:4711", "")],
  ])("is exchanged for the tokens: %s", async (_name, form) => {
    const clock = new VirtualClock();
    const resource = "https://api.example/";
    const { request, callback, server, sent } = await start({ options: { clock, resource, scope: "read" } });
    const signedIn = await request.finish(form(callback()));
    expect(signedIn).toMatchObject({ accessToken: tokens.access_token, refreshToken: tokens.refresh_token });
    expect(signedIn.expiresAt).toBe(clock.now() + 3_600_000);
    expect(tokenOriginOf(signedIn)).toBe(server.origin);
    expect(printed(signedIn)).not.toContain("canary");
    const [grant] = formsTo(server.received, "/token");
    expect(grant).toEqual({
      grant_type: "authorization_code",
      code: CODE,
      redirect_uri: REDIRECT,
      client_id: "app",
      resource,
      code_verifier: expect.any(String),
    });
    const challenge = createHash("sha256").update(grant?.code_verifier ?? "");
    expect(challenge.digest("base64url")).toBe(sent.code_challenge);
  });

  it.each<[string, Record<string, string | undefined>, Record<string, unknown>]>([
    ["no state", { state: undefined }, {}],
    ["another state", { state: "x" }, {}],
    ["another state, in an error", { state: "x", error: "access_denied" }, {}],
    ["another issuer", { iss: "https://evil.example" }, {}],
    ["no issuer, although the server sends it", {}, { authorization_response_iss_parameter_supported: true }],
  ])("is refused with %s, and has no effect", async (_name, parameters, server) => {
    const setup = await start({ server });
    const { request, callback } = setup;
    const error = await failureOf(request.finish(callback(parameters)));
    expect(error).toMatchObject({ code: "SIGN_IN_FAILED", reason: "mismatched" });
    expect(formsTo(setup.server.received, "/token")).toEqual([]);
    expect(await request.finish(callback({ iss: setup.server.origin }))).toMatchObject({ tokenType: "Bearer" });
  });

  it.each(["http://127.0.0.1:4712/callback", "http://127.0.0.1:4711/other", "https://127.0.0.1:4711/callback"])(
    "is refused at another URI: %s",
    async (redirect) => {
      const { request, callback, server } = await start();
      const error = await failureOf(request.finish(callback({}, redirect)));
      expect(error).toMatchObject({ code: "SIGN_IN_FAILED", reason: "mismatched" });
      expect(error.message).toContain(`it arrived at ${redirect} instead of ${REDIRECT}`);
      expect(formsTo(server.received, "/token")).toEqual([]);
    },
  );

  it("is accepted once, at a redirect URI with a scheme of its own", async () => {
    const redirectUri = "com.example.app:/done";
    const { request, callback, server } = await start({ options: { redirectUri } });
    await request.finish(callback({}, redirectUri));
    const error = await failureOf(request.finish(callback({}, redirectUri)));
    expect(error).toMatchObject({ code: "SIGN_IN_FAILED", reason: "mismatched" });
    expect(error.message).toContain("already been used");
    expect(formsTo(server.received, "/token")).toHaveLength(1);
  });

  it.each<[string, Record<string, string | undefined>, object]>([
    ["access_denied", { error: "access_denied" }, { code: "SIGN_IN_FAILED", reason: "refused" }],
    ["login_required", { error: "login_required" }, { code: "SIGN_IN_FAILED", reason: "rejected" }],
    ["server_error", { error: "server_error" }, { code: "SIGN_IN_FAILED", reason: "unreachable" }],
    ["invalid_scope", { error: "invalid_scope" }, { code: "CONFIGURATION" }],
    ["unauthorized_client", { error: "unauthorized_client" }, { code: "CONFIGURATION" }],
    ["no code", { error: undefined }, { code: "SIGN_IN_FAILED", reason: "rejected" }],
  ])("reports an error of the authorization endpoint: %s", async (_name, parameters, expected) => {
    const { request, callback, server } = await start();
    const error_description = `because of ${new URL(request.url).searchParams.get("state")}`;
    const error = await failureOf(request.finish(callback({ code: undefined, error_description, ...parameters })));
    expect(error).toMatchObject({ ...expected, cause: { code: "TOKEN_ENDPOINT", ...parameters } });
    const { message } = error.cause as Error;
    expect(message).toContain(`The authorization endpoint ${server.origin}/authorization responded with`);
    expect(message).not.toContain(new URL(request.url).searchParams.get("state"));
    expect(server.received).toHaveLength(1);
    await expect(request.finish(callback())).rejects.toMatchObject({ reason: "mismatched" });
  });

  it.each<[string, Handler, object]>([
    ["an expired code", says("invalid_grant"), { code: "SIGN_IN_FAILED", reason: "rejected" }],
    ["a wrong client", says("invalid_client", 401), { code: "CONFIGURATION" }],
    ["another redirect URI", says("invalid_request"), { code: "CONFIGURATION" }],
    ["a failure", respondWith(500), { code: "SIGN_IN_FAILED", reason: "unreachable" }],
    ["a reset connection", drop, { code: "SIGN_IN_FAILED", reason: "unreachable" }],
    ["a time-out", silent, { code: "SIGN_IN_FAILED", reason: "unreachable" }],
    ["a page", respondWith(200, "<html>"), { code: "SIGN_IN_FAILED", reason: "rejected" }],
  ])("reports an error of the token endpoint: %s", async (_name, token, expected) => {
    const { request, callback } = await start({ token, options: timeoutFor(token) });
    expect(await failureOf(request.finish(callback()))).toMatchObject(expected);
  });

  it("shows what the server said without the code and the verifier", async () => {
    let verifier = "";
    const { request, callback } = await start({
      token(response, received) {
        verifier = formOf(received).code_verifier ?? "";
        says("invalid_grant", 400, `${CODE} ${verifier}`)(response, received);
      },
    });
    const error = await failureOf(request.finish(callback()));
    expect(error.message).toContain("invalid_grant, [secret] [secret]. ");
    expect(verifier).not.toBe("");
    expect(printed(error)).not.toContain(verifier);
  });

  it("shows no key in the query of an endpoint", async () => {
    const issuer = {
      issuer: "https://as.example",
      tokenEndpoint: "https://as.example/token?api_key=canary-key",
      authorizationEndpoint: "https://as.example/authorize",
      metadata: {},
    };
    const fetch = (input: unknown) => Promise.reject(new Error(`no route to ${input}`));
    const { request, callback } = await start({ options: { issuer, fetch } });
    const error = await failureOf(request.finish(callback()));
    expect(error).toMatchObject({ code: "SIGN_IN_FAILED", reason: "unreachable" });
    expect(error.message).toContain("https://as.example/token ");
  });

  it("rejects with the signal's reason", async () => {
    const controller = new AbortController();
    const { request, callback, flow } = await start({ token: () => controller.abort("over") });
    const { signal } = controller;
    await expect(request.finish(callback(), { signal })).rejects.toBe("over");
    await expect(flow.start({ signal })).rejects.toBe("over");
  });

  it("is no URL at all", async () => {
    const { request } = await start();
    await expect(request.finish("http://")).rejects.toBeInstanceOf(TypeError);
  });
});

const says = (error: string, status = 400, error_description?: string): Handler =>
  respondWith(status, { error, error_description });

const formOf = ({ body }: Received): Record<string, string> => Object.fromEntries(new URLSearchParams(body));

describe("the ID token", () => {
  /** Signs in at a server whose ID token has these claims, besides the right ones. */
  const signIn = async (
    claims: Record<string, unknown> | undefined,
    { scope = "openid", header = {}, date = "" } = {},
  ) => {
    let nonce: string | undefined;
    const { request, callback, sent } = await start({
      options: { scope },
      server: { id_token_signing_alg_values_supported: ["RS256"] },
      token(response, received) {
        const right = { iss: `http://${received.headers.host}`, ...(nonce && { nonce }) };
        const id_token = claims && idTokenOf({ ...right, ...claims }, { alg: "ES256", ...header });
        respondWith(200, { ...tokens, id_token }, date ? { date } : {})(response, received);
      },
    });
    nonce = sent.nonce;
    return request.finish(callback());
  };
  const now = Math.floor(Date.now() / 1000);
  const tomorrow = { iat: now + 86_400, exp: now + 86_460 };
  const yesterday = { iat: now - 86_400, exp: now - 86_340 };
  const on = (seconds: number) => new Date(seconds * 1000).toUTCString();

  it.each<[string, Record<string, unknown> | undefined, Parameters<typeof signIn>[1]]>([
    ["is accepted, although the server does not list its algorithm", {}, {}],
    ["is accepted without a nonce if there was none", {}, { scope: "read" }],
    ["may be missing without the scope openid", undefined, { scope: "read" }],
    ["is valid by the clock of the server: tomorrow", tomorrow, { date: on(now + 86_400) }],
    ["is valid by the clock of the server: yesterday", yesterday, { date: on(now - 86_400) }],
  ])("%s", async (_name, claims, options) => {
    expect(await signIn(claims, options)).toMatchObject({ accessToken: tokens.access_token });
  });

  it.each<[string, Record<string, unknown> | undefined, string, Parameters<typeof signIn>[1]]>([
    ["another issuer", { iss: "https://evil.example" }, "mismatched", {}],
    ["another client", { aud: "other" }, "mismatched", {}],
    ["another nonce", { nonce: "other" }, "mismatched", {}],
    ["a nonce without a request for it", { nonce: "other" }, "mismatched", { scope: "read" }],
    ["no nonce", { nonce: undefined }, "rejected", {}],
    ["an expiry in the past", { exp: now - 60 }, "rejected", {}],
    ["no signature", {}, "rejected", { header: { alg: "none" } }],
    ["no ID token", undefined, "rejected", {}],
  ])("is refused: %s", async (...[, claims, reason, options]) => {
    const error = await failureOf(signIn(claims, options));
    expect(error).toMatchObject({ code: "SIGN_IN_FAILED", reason, cause: { name: expect.any(String) } });
    expect(error.message).toContain("The tokens were discarded");
  });
});
