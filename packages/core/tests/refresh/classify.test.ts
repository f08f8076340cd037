import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { StoreConflictError, TokenEndpointError } from "../../src/errors.ts";
import { classifyError, classifyResponse, type Failure, type Outcome } from "../../src/refresh/classify.ts";
import { reasonOf } from "../../src/refresh/verdict.ts";
import { genericProvider } from "../../src/token-endpoint/providers.ts";
import type { ResponsePattern } from "../../src/types.ts";
import { printed } from "../support/leaks.ts";

type Details = ConstructorParameters<typeof TokenEndpointError>[0];
const secrets = [canary("access", 1), canary("refresh", 1)];
const thrown = (details: Partial<Details>, profile = genericProvider): Failure =>
  classifyError(new TokenEndpointError({ sent: true, ...details }), profile, secrets);
const returned = (response: unknown): Outcome =>
  classifyResponse(response, { sentAt: 0, profile: genericProvider, idToken: undefined, secrets });
const resultOf = (outcome: Outcome) => (outcome.kind === "terminal" ? reasonOf(outcome.error) : outcome.kind);
type Claims = Readonly<Record<string, string>> | undefined;
const idToken = (claims: Claims): string => `e30.${btoa(JSON.stringify(claims))}.x`;
const STATUSES = [200, 400, 401, 403, 404, 429, 500, 502, 503, 504];

describe("classifyError, for an error of the token endpoint", () => {
  it.each(STATUSES)("ends the session on invalid_grant with %i", (status) => {
    expect(resultOf(thrown({ error: "invalid_grant", status }))).toBe("session_expired");
  });

  it.each([
    "bad_refresh_token",
    "invalid_refresh_token",
    "refresh_token_not_found",
    "refresh_token_expired",
    "refresh_token_invalidated",
  ])("ends the session on %s", (error) => {
    expect(resultOf(thrown({ error, status: 400 }))).toBe("session_expired");
  });

  it.each([
    "invalid_client",
    "incorrect_client_credentials",
    "invalid_client_id",
    "BAD_CLIENT_ID",
    "invalid_client_secret",
    "bad_client_secret",
    "deleted_client",
    "invalid_resource",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_request",
    "invalid_target",
  ])("leaves the session alone on %s, with any status", (error) => {
    for (const status of STATUSES) expect(thrown({ error, status }).kind).toBe("misconfigured");
  });

  it.each<[string, Partial<Details>, string]>([
    ["429", { status: 429 }, "transient"],
    ["400 without a body", { status: 400, body: "empty" }, "refused"],
    ["401 without a body", { status: 401, body: "empty" }, "refused"],
    ["400 with JSON without a code", { status: 400, body: "json", description: "Bad Request" }, "refused"],
    ["400 without a word about its body", { status: 400 }, "refused"],
    ["400 with the text of its status", { status: 400, error: "Bad Request" }, "refused"],
    ["401 with the text of its status", { status: 401, error: "Unauthorized" }, "refused"],
    ["400 with a page", { status: 400, body: "other" }, "transient"],
    ["401 with a page", { status: 401, body: "other" }, "transient"],
    ["403 without a body", { status: 403, body: "empty" }, "transient"],
    ["404 without a body", { status: 404, body: "empty" }, "transient"],
    ["a redirect", { status: 302 }, "misconfigured"],
    ["a browser's opaque redirect", { status: 0 }, "misconfigured"],
    ["200 without a code", { status: 200 }, "lost"],
    ["204", { status: 204, body: "empty" }, "lost"],
    ["500", { status: 500 }, "lost"],
    ["501", { status: 501 }, "lost"],
    ["502", { status: 502 }, "lost"],
    ["503", { status: 503 }, "lost"],
    ["503 with Retry-After", { status: 503, retryAfter: 0 }, "transient"],
    ["503 with an OAuth code", { status: 503, error: "slow_down" }, "transient"],
    ["503 with server_error", { status: 503, error: "server_error", retryAfter: 1 }, "lost"],
    ["503 with a gateway's own body", { status: 503, error: "Service Unavailable" }, "lost"],
    ["504", { status: 504 }, "lost"],
    ["505", { status: 505 }, "lost"],
    ["500 with another code", { status: 500, error: "internal_error" }, "lost"],
    ["server_error, with 400", { status: 400, error: "server_error" }, "lost"],
    ["504 with temporarily_unavailable", { status: 504, error: "temporarily_unavailable" }, "transient"],
    ["502 with a gateway's own body", { status: 502, error: "Bad Gateway" }, "lost"],
    ["504 with a gateway's own body", { status: 504, error: "Gateway Timeout" }, "lost"],
    ["an unknown code", { status: 400, error: "slow_down" }, "transient"],
    ["an unknown code without a status", { error: "slow_down" }, "transient"],
    ["no status, sent", {}, "lost"],
    ["no status, not sent", { sent: false }, "transient"],
    ["502, not sent", { status: 502, sent: false }, "transient"],
  ])("classifies %s", (_name, details, kind) => {
    expect(thrown(details).kind).toBe(kind);
  });

  it.each(["interaction_required", "login_required", "consent_required", "account_selection_required", "mfa_required"])(
    "requires an interaction on %s, with any status",
    (error) => {
      for (const status of STATUSES) expect(thrown({ error, status }).kind).toBe("interaction");
    },
  );

  it.each<[string, Partial<Details>]>([
    ["The refresh token is invalid", { status: 400, error: "invalid_request" }],
    ["refresh_token is invalid", { status: 403, error: "unauthorized_client" }],
    ["Invalid refresh token", { status: 400 }],
    ["Invalid refresh token", { status: 400, error: "Bad Request" }],
    ["Invalid refresh token", { status: 401, error: "Unauthorized" }],
    ['Invalid "refresh_token" in request.', { status: 400, error: "invalid_request" }],
    ["Invalid or expired refresh_token", { status: 401 }],
    ["Unknown refreshToken", { status: 404 }],
    ["The refresh token has been revoked by its owner", { status: 403, error: "access_denied" }],
    ["The refresh token was already used.", { status: 400 }],
    ["Refresh token reuse detected", { status: 400 }],
    ["This refresh token does not exist", { status: 400 }],
    ["The refresh token is no longer valid", { status: 422 }],
    ["REFRESH TOKEN NOT FOUND", { status: 404 }],
    ["Bad Request (refresh_token invalid)", { status: 400 }],
    ["Invalid refresh token (expired)", { status: 401, error: "invalid_token" }],
    ["INVALID_REFRESH_TOKEN", { status: 400 }],
    ["The refresh token provided is expired, revoked or malformed", { status: 400 }],
    ["Your refresh token doesn’t exist", { status: 401 }],
    ["Unknown, expired or revoked refresh token", { status: 400 }],
    ["", { status: 401, error: "Invalid refresh token" }],
    ["", { status: 400, error: "REFRESH_TOKEN_REVOKED" }],
    ["", { status: 403, error: "expired_refresh_token" }],
    ["", { status: 200, error: "RefreshToken-expired" }],
  ])("ends the session on a refusal that says: %s (%o)", (description, details) => {
    expect(thrown({ ...details, description }).kind).toBe("terminal");
  });

  it.each<[string, Partial<Details>, string]>([
    ["The refresh token is invalid", { status: 500, error: "internal" }, "lost"],
    ["The refresh token is invalid", { status: 429 }, "transient"],
    ["The refresh token is invalid", { status: 400, error: "slow_down" }, "transient"],
    ["Missing parameter: refresh_token is invalid", { status: 400, error: "invalid_request" }, "misconfigured"],
    ["Grant type refresh_token is not valid here", { status: 400, error: "unauthorized_client" }, "misconfigured"],
    ["The refresh token is unknown to this client", { status: 400, error: "invalid_request" }, "misconfigured"],
    ["Refresh token not linked to client", { status: 400 }, "misconfigured"],
    ["missing client secret", { status: 400 }, "misconfigured"],
    ["Invalid client", { status: 401, error: "Unauthorized" }, "misconfigured"],
    ["Invalid scope for the refresh token", { status: 400 }, "misconfigured"],
    ["Missing parameter: refresh_token", { status: 400 }, "misconfigured"],
    ["The grant type refresh_token is disabled", { status: 403 }, "misconfigured"],
    ["client request timeout", { status: 408 }, "transient"],
    ["The refresh token is invalid", { status: 408 }, "transient"],
    ["Route POST:/auth/refresh-token not found", { status: 404, error: "Not Found" }, "transient"],
    ["Invalid resource for refresh token", { status: 400, error: "invalid_request" }, "misconfigured"],
    ["The refresh token request contains an unknown resource", { status: 400 }, "refused"],
    ["The refresh_token grant is not active for this application", { status: 400 }, "misconfigured"],
    ["Grant 'refresh_token' is not valid for this application", { status: 400 }, "misconfigured"],
    ["The refresh token has not expired yet", { status: 400 }, "refused"],
    ["A refresh token is required, because the access token has expired", { status: 400 }, "refused"],
    ["The access token has expired, refresh token required", { status: 400 }, "refused"],
    [`Refresh token invalid ${" ".repeat(300)} or issued to another client`, { status: 400 }, "misconfigured"],
    ["The DPoP proof of the refresh token is invalid", { status: 400, error: "invalid_request" }, "misconfigured"],
    ["Value passed for the token was invalid.", { status: 400, error: "invalid_request" }, "misconfigured"],
    ["The refresh token could not be checked", { status: 400 }, "refused"],
    ["Invalid API key", { status: 401 }, "refused"],
  ])("does not end the session on: %s (%o)", (description, details, kind) => {
    expect(thrown({ ...details, description }).kind).toBe(kind);
  });

  it("waits while another request of the same refresh token is being processed", () => {
    const description = "token request is already being processed";
    expect(thrown({ error: "invalid_grant", status: 400, description }).kind).toBe("transient");
  });

  it("knows Cognito's code, which also means a wrong client secret", () => {
    const error = "NotAuthorizedException";
    expect(thrown({ error, status: 400, description: "Refresh Token has been revoked" }).kind).toBe("terminal");
    expect(thrown({ error, status: 400, description: "Unable to verify secret hash for client" }).kind).toBe(
      "misconfigured",
    );
  });

  it.each(["invalid_grant", "INVALID_GRANT", "Bad_Refresh_Token"])("reads %s in upper and lower case", (error) => {
    expect(thrown({ error, status: 400 }).kind).toBe("terminal");
  });

  describe("with a profile", () => {
    const verdicts = ["terminal", "interaction", "misconfigured", "transient", "lost"] as const;
    it.each(verdicts)("takes the error codes that it lists as %s", (verdict) => {
      const profile = { ...genericProvider, [verdict]: ["invalid_grant", "custom_code"] };
      for (const error of ["invalid_grant", "custom_code"])
        expect(thrown({ error, status: 404 }, profile).kind).toBe(verdict);
      expect(thrown({ error: "slow_down", status: 400 }, profile).kind).toBe("transient");
    });

    it.each<[string, ResponsePattern, boolean]>([
      ["all members", { error: "x", status: 400, description: "not HERE" }, true],
      ["another code", { error: "y", status: 400 }, false],
      ["another status", { error: "x", status: 401 }, false],
      ["another description", { error: "x", description: "there" }, false],
      ["the status alone", { status: 400 }, true],
      ["no code", { error: null }, false],
    ])("matches %s", (_name, pattern, expected) => {
      const profile = { ...genericProvider, lost: [pattern] };
      const response = { error: "x", status: 400, description: "It is Not Here." };
      expect(thrown(response, profile).kind).toBe(expected ? "lost" : "transient");
    });

    it("matches a response without a code", () => {
      const profile = { ...genericProvider, terminal: [{ error: null, status: 401 }] };
      expect(thrown({ status: 401 }, profile).kind).toBe("terminal");
      expect(thrown({ status: 400 }, profile).kind).toBe("refused");
    });

    it("treats a response that matches several lists with the most care", () => {
      const all = Object.fromEntries(verdicts.map((verdict) => [verdict, ["x"]]));
      for (const verdict of ["transient", "lost", "misconfigured", "interaction", "terminal"]) {
        expect(thrown({ error: "x" }, { ...genericProvider, ...all }).kind).toBe(verdict);
        all[verdict] = [];
      }
    });
  });

  it.each([
    ["Token has been expired or revoked.", "session_expired"],
    ["Token was revoked", "revoked"],
    ["The refresh token has already been used.", "refresh_token_reused"],
    ["Refresh token reuse detected", "refresh_token_reused"],
    ["already used", "refresh_token_reused"],
    ["already_been_used", "refresh_token_reused"],
    ["ALREADY USED", "refresh_token_reused"],
    ["already abused", "session_expired"],
    ["REVOKED", "revoked"],
    ["Revoked, or EXPIRED", "session_expired"],
    ["used up", "session_expired"],
  ])("reads invalid_grant, %j as %s", (description, reason) => {
    expect(resultOf(thrown({ error: "invalid_grant", description }))).toBe(reason);
  });

  it.each(["refresh_token_already_used", "refresh_token_reused"])("reads %s as reuse", (error) => {
    expect(resultOf(thrown({ error }))).toBe("refresh_token_reused");
  });
});

describe("classifyResponse", () => {
  it.each<[string, unknown, string]>([
    ["tokens", { access_token: "a" }, "rotated"],
    ["tokens, and an error that is null", { access_token: "a", error: null }, "rotated"],
    ["tokens, and scope as an array", { access_token: "a", scope: ["x"], expires_in: {} }, "rotated"],
    ["an error", { error: "invalid_grant" }, "session_expired"],
    ["an error beside an access_token of null", { error: "invalid_grant", access_token: null }, "session_expired"],
    ["GitHub's", { error: "bad_refresh_token", error_description: "x" }, "session_expired"],
    ["OpenAI's", { error: { code: "refresh_token_reused", type: "invalid_request_error" } }, "refresh_token_reused"],
    ["WorkOS's", { code: "invalid_grant", message: "x" }, "session_expired"],
    ["Supabase's", { code: 400, error_code: "refresh_token_not_found", msg: "x" }, "session_expired"],
    ["a wrong client", { error: "invalid_client" }, "misconfigured"],
    ["an unknown error", { error: "x" }, "transient"],
    ["an error of another type", { error: 7 }, "lost"],
    ["an empty token", { access_token: "" }, "lost"],
    ["tokens inside another object", { data: { access_token: "a" } }, "lost"],
    ["an API's own success code", { code: "0", data: { access_token: "a" } }, "lost"],
    ["a success code beside a refresh token", { code: "200", refresh_token: "r" }, "incomplete"],
    ["nothing", undefined, "lost"],
    ["null", null, "lost"],
    ["text", "<html>", "lost"],
    ["an array", [], "lost"],
    ["a refresh token alone", { refresh_token: "r", id_token: "i" }, "incomplete"],
  ])("classifies %s", (_name, response, expected) => {
    expect(resultOf(returned(response))).toBe(expected);
  });

  it("reports a refresh function that returned no tokens", () => {
    const message = "The token endpoint did not return a complete response: the refresh function returned no tokens";
    expect(returned({})).toMatchObject({ error: { status: undefined, sent: true, message } });
  });

  it("accepts a token set, and ignores its invalid members", () => {
    const tokens = { accessToken: "a", refreshToken: "r", expiresAt: 2e12, scope: "s", extra: { user: "u" } };
    expect(returned(tokens)).toMatchObject({ kind: "rotated", tokens: { ...tokens, tokenType: "Bearer" } });
    const invalid = { accessToken: "a", refreshToken: 7, expiresAt: 2e9, tokenType: "", extra: null };
    expect(returned(invalid)).toMatchObject({
      tokens: { accessToken: "a", refreshToken: undefined, expiresAt: undefined, tokenType: "Bearer", extra: {} },
    });
  });

  it.each<[string, unknown, number | undefined]>([
    ["with milliseconds", "2033-05-18T03:33:20.123Z", 2e12 + 123],
    ["with more digits than milliseconds have", "2033-05-18T03:33:20.1234567Z", 2e12 + 123],
    ["of another time zone", "2033-05-18T05:33:20.123+02:00", 2e12 + 123],
    ["without seconds", "2033-05-18T03:33Z", 2e12 - 20_000],
    ["without a time zone", "2033-05-18T03:33:20.123", undefined],
    ["without a time", "2033-05-18", undefined],
    ["that does not exist", "2033-13-18T03:33:20Z", undefined],
    ["in seconds", 2e9, undefined],
  ])("reads the expiry of a token set: a date %s", (_name, expiresAt, expected) => {
    expect(returned({ accessToken: "a", expiresAt })).toMatchObject({ tokens: { expiresAt: expected } });
  });

  it("returns the refresh token of a token set that has no access token", () => {
    const update = { refreshToken: "r", idToken: "i" };
    expect(returned(update)).toMatchObject({ kind: "incomplete", update });
  });

  it("does not keep the refresh token of another account", () => {
    const response = { refresh_token: "r", id_token: idToken({ sub: "mallory" }) };
    const outcome = classifyResponse(response, {
      sentAt: 0,
      profile: genericProvider,
      idToken: idToken({ sub: "ada" }),
      secrets,
    });
    expect(outcome).toMatchObject({ kind: "other-account", tokens: { refreshToken: "r", accessToken: "" } });
  });

  it("returns a refresh token and an ID token that came without an access token", () => {
    const update = { refreshToken: "r", idToken: "i" };
    expect(returned({ refresh_token: "r", id_token: "i" })).toMatchObject({ kind: "incomplete", update });
    expect(returned({ refresh_token: "r", error: "x" }).kind).toBe("transient");
  });

  it.each<[string, Claims, Claims, string]>([
    ["the same subject", { iss: "a", sub: "b" }, { iss: "a", sub: "b", aud: "c" }, "rotated"],
    ["another issuer", { iss: "a", sub: "b" }, { iss: "x", sub: "b" }, "other-account"],
    ["another subject", { iss: "a", sub: "b" }, { iss: "a", sub: "x" }, "other-account"],
    ["no ID token in the response", { iss: "a", sub: "b" }, undefined, "rotated"],
    ["no ID token before", undefined, { iss: "a", sub: "b" }, "rotated"],
    ["no subject", { iss: "a", sub: "b" }, { iss: "a" }, "rotated"],
    ["Google's issuer with a scheme", { iss: "a.example" }, { iss: "https://a.example" }, "rotated"],
    ["a subject of another type", { sub: "1" }, { sub: 1 } as never, "rotated"],
  ])("compares the ID tokens: %s", (_name, ...[before, after, kind]) => {
    const response = { access_token: "t", id_token: after && idToken(after) };
    const context = { sentAt: 0, profile: genericProvider, idToken: before && idToken(before), secrets };
    expect(classifyResponse(response, context).kind).toBe(kind);
  });

  it("does not compare access tokens: their subject may vary by resource", () => {
    const response = { access_token: idToken({ iss: "a", sub: "x" }) };
    const context = { sentAt: 0, profile: genericProvider, idToken: idToken({ iss: "a", sub: "b" }), secrets };
    expect(classifyResponse(response, context).kind).toBe("rotated");
  });
});

describe("classifyError, for any other exception", () => {
  it.each([new Error("x"), "x", undefined, null, 7, new DOMException("x", "AbortError"), new StoreConflictError("x")])(
    "counts %o as a lost response",
    (error) => {
      expect(classifyError(error, genericProvider, secrets)).toMatchObject({
        kind: "lost",
        error: { code: "TOKEN_ENDPOINT", sent: true },
      });
    },
  );

  it.each([Number.NaN, Number.POSITIVE_INFINITY, null, "400", 400n, {}])("ignores a status of %o", (status) => {
    const error = Object.assign(new TokenEndpointError({ error: "slow_down", sent: true }), { status });
    expect(classifyError(error, genericProvider, secrets).error.status).toBeUndefined();
  });

  it("counts a value that cannot be read as a lost response", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(classifyError(proxy, genericProvider, secrets).kind).toBe("lost");
  });

  it("keeps another error of this package as the cause", () => {
    expect(classifyError(new StoreConflictError("here"), genericProvider, secrets)).toMatchObject({
      error: { cause: { message: new StoreConflictError("here").message } },
    });
  });

  it("accepts a TokenEndpointError of another copy of the package", async () => {
    const path = "../../src/errors.ts?copy-for-classify";
    const other: typeof import("../../src/errors.ts") = await import(/* @vite-ignore */ path);
    const error = new other.TokenEndpointError({ error: "invalid_grant", sent: true });
    expect(classifyError(error, genericProvider, secrets).kind).toBe("terminal");
  });

  it.each([undefined, null, 0, "no"])("does not read a `sent` of %o as 'not sent'", (sent) => {
    expect(thrown({ sent: sent as never }).kind).toBe("lost");
  });
});

describe("a classified error", () => {
  it.each([
    [0, 0],
    [7_000, 7_000],
    [3_600_000, 3_600_000],
    [3_600_000 + 1, 3_600_000],
    [Number.POSITIVE_INFINITY, 3_600_000],
    [-1, undefined],
    [Number.NaN, undefined],
    ["7", undefined],
  ])("has a retryAfter of at most an hour: %o becomes %o", (retryAfter, expected) => {
    expect(thrown({ status: 503, retryAfter: retryAfter as number }).error.retryAfter).toBe(expected);
  });

  it("holds no secret (P8)", () => {
    const [, secret = ""] = secrets;
    const cause = Object.assign(new Error(`POST refresh_token=${secret}`, { cause: new Error(secret) }), {
      body: secret,
    });
    const outcomes = [
      thrown({
        error: `x_${secret}`,
        description: `${"…".repeat(195)}${secret}`,
        endpoint: `https://a?t=${secret}`,
        cause,
      }),
      classifyError(cause, genericProvider, secrets),
      classifyError(Object.assign(new Error("x"), { config: { data: secret } }), genericProvider, secrets),
      returned({ error: "x", error_description: secret }),
    ];
    for (const outcome of outcomes) expect(printed(outcome)).not.toContain("canary");
  });

  it("holds short texts of one line", () => {
    const { error } = thrown({ error: "x".repeat(300), description: "a\u001b[31m\r\nb" });
    expect(error.error).toHaveLength(200);
    expect(error.description).toBe("a [31m b");
  });
});
