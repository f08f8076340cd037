import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { StoreConflictError, TokenEndpointError } from "../../src/errors.ts";
import { classifyError, classifyResponse, type Outcome } from "../../src/refresh/classify.ts";
import { genericProvider } from "../../src/token-endpoint/providers.ts";
import { printed } from "../support/leaks.ts";

type Details = ConstructorParameters<typeof TokenEndpointError>[0];
const secrets = [canary("access", 1), canary("refresh", 1)];
const thrown = (details: Partial<Details>, profile = genericProvider): Outcome =>
  classifyError(new TokenEndpointError({ sent: true, ...details }), profile, secrets);
const returned = (response: unknown): Outcome =>
  classifyResponse(response, { sentAt: 0, profile: genericProvider, secrets });
const resultOf = (outcome: Outcome) => (outcome.kind === "terminal" ? outcome.reason : outcome.kind);
const STATUSES = [200, 400, 401, 403, 404, 429, 500, 502, 503, 504];

describe("classifyError, for an error of the token endpoint", () => {
  it.each(STATUSES)("ends the session on invalid_grant with %i", (status) => {
    expect(thrown({ error: "invalid_grant", status })).toMatchObject({ kind: "terminal", reason: "session_expired" });
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
    ["400 without a body", { status: 400 }, "transient"],
    ["401 without a body", { status: 401 }, "transient"],
    ["403 without a body", { status: 403 }, "transient"],
    ["404 without a body", { status: 404 }, "transient"],
    ["a redirect", { status: 302 }, "transient"],
    ["a browser's opaque redirect", { status: 0 }, "transient"],
    ["500", { status: 500 }, "transient"],
    ["501", { status: 501 }, "transient"],
    ["502", { status: 502 }, "lost"],
    ["503", { status: 503 }, "transient"],
    ["504", { status: 504 }, "lost"],
    ["505", { status: 505 }, "transient"],
    ["502 with an OAuth body", { status: 502, error: "server_error" }, "transient"],
    ["504 with an OAuth body", { status: 504, error: "temporarily_unavailable" }, "transient"],
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

  it("ends the session on the codes of the profile, with any status", () => {
    const profile = { ...genericProvider, terminalCodes: ["not_found_error"] };
    expect(resultOf(thrown({ error: "not_found_error", status: 404 }, profile))).toBe("session_expired");
    expect(resultOf(thrown({ error: "invalid_grant", status: 400 }, profile))).toBe("session_expired");
    expect(resultOf(thrown({ error: "not_found_error", status: 404 }))).toBe("transient");
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
    ["an error of another type", { error: 7 }, "transient"],
    ["an empty token", { access_token: "" }, "transient"],
    ["nothing", undefined, "transient"],
    ["null", null, "transient"],
    ["text", "<html>", "transient"],
    ["an array", [], "transient"],
  ])("classifies %s", (_name, response, expected) => {
    expect(resultOf(returned(response))).toBe(expected);
  });

  it("reports a missing access token as the cause", () => {
    expect(returned({})).toMatchObject({
      error: { status: 200, sent: true, cause: { message: "The response contains no access_token." } },
    });
    expect(returned({ error: "x" })).not.toHaveProperty("error.cause");
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
    expect(thrown({ status: 503, retryAfter: retryAfter as number })).toMatchObject({
      error: { retryAfter: expected },
    });
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
    const { error } = thrown({ error: "x".repeat(300), description: "a\u001b[31m\r\nb" }) as Outcome & {
      error: TokenEndpointError;
    };
    expect(error.error).toHaveLength(200);
    expect(error.description).toBe("a [31m b");
  });
});
