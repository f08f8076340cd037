import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import {
  ConfigurationError,
  isAuthError,
  RefreshFailedError,
  SignInFailedError,
  type SignInFailedReason,
  SignInRequiredError,
  StoreConflictError,
  StoreError,
  TokenEndpointError,
  UnexpiredError,
} from "../src/index.ts";
import type { DeadReason } from "../src/types.ts";

const AT = Date.UTC(2026, 0, 1);
const cause = new Error("Underneath.");
const store = { location: "/a/b.json", problem: "holds no JSON", hint: "Move it away." };
const endpoint = "https://a.example/token";

const each: [string, UnexpiredError, string, string][] = [
  [
    "SignInRequiredError",
    new SignInRequiredError("revoked", "/a/b.json"),
    "SIGN_IN_REQUIRED",
    "Sign in required: the session was revoked (/a/b.json). Have the user sign in: call signIn(tokens) or signInWith(flow).",
  ],
  [
    "RefreshFailedError",
    new RefreshFailedError(AT, { cause: new TokenEndpointError({ sent: true, status: 503, endpoint }) }),
    "REFRESH_FAILED",
    "The access token could not be refreshed: The token endpoint https://a.example/token responded with HTTP 503. " +
      "Try again after 2026-01-01T00:00:00.000Z.",
  ],
  [
    "RefreshFailedError",
    new RefreshFailedError(AT, { cause }),
    "REFRESH_FAILED",
    "The access token could not be refreshed: Underneath. Try again after 2026-01-01T00:00:00.000Z.",
  ],
  [
    "RefreshFailedError",
    new RefreshFailedError(Number.NaN),
    "REFRESH_FAILED",
    "The access token could not be refreshed.",
  ],
  [
    "RefreshFailedError",
    new RefreshFailedError(AT, { reason: "just_obtained" }),
    "REFRESH_FAILED",
    "The rejected access token was obtained only a moment ago, so another one would not help. Check its scope and audience. " +
      "Try again after 2026-01-01T00:00:00.000Z.",
  ],
  ["ConfigurationError", new ConfigurationError("Bad client."), "CONFIGURATION", "Bad client."],
  [
    "StoreError",
    new StoreError("STORE_UNREADABLE", store),
    "STORE_UNREADABLE",
    "/a/b.json holds no JSON. Move it away.",
  ],
  [
    "StoreError",
    new StoreError("STORE_UNAVAILABLE", store),
    "STORE_UNAVAILABLE",
    "/a/b.json holds no JSON. Move it away.",
  ],
  [
    "StoreConflictError",
    new StoreConflictError("/a/b.json"),
    "STORE_CONFLICT",
    "/a/b.json was modified concurrently. Reload and retry.",
  ],
  [
    "TokenEndpointError",
    new TokenEndpointError({ sent: true, status: 400, error: "invalid_grant", description: "Gone.", endpoint }),
    "TOKEN_ENDPOINT",
    "The token endpoint https://a.example/token responded with HTTP 400, invalid_grant, Gone.",
  ],
  [
    "TokenEndpointError",
    new TokenEndpointError({ sent: true }),
    "TOKEN_ENDPOINT",
    "The token endpoint did not return a complete response",
  ],
  [
    "TokenEndpointError",
    new TokenEndpointError({ sent: false }),
    "TOKEN_ENDPOINT",
    "The token endpoint received no request",
  ],
  [
    "TokenEndpointError",
    new TokenEndpointError({ sent: true, status: 404, endpoint, endpointKind: "revocation endpoint" }),
    "TOKEN_ENDPOINT",
    "The revocation endpoint https://a.example/token responded with HTTP 404",
  ],
  [
    "SignInFailedError",
    new SignInFailedError("expired"),
    "SIGN_IN_FAILED",
    "The sign-in failed: the user did not complete it before the server's code expired. Start another one.",
  ],
  [
    "SignInFailedError",
    new SignInFailedError("port_in_use", { problem: "port 80 is taken", hint: "Choose another one." }),
    "SIGN_IN_FAILED",
    "The sign-in failed: port 80 is taken. Choose another one.",
  ],
];

it("names the innermost reason of a failure, and survives causes that cannot be read", () => {
  const text = (cause: unknown) => new TokenEndpointError({ sent: false, cause }).message;
  const nothing = "The token endpoint received no request";
  expect(text(new TypeError("fetch failed", { cause: new Error("no host.") }))).toBe(`${nothing}: no host`);
  expect(text(new AggregateError([new Error("refused"), new Error("other")]))).toBe(`${nothing}: refused`);
  expect(text(new Error("outer", { cause: {} }))).toBe(`${nothing}: outer`);
  for (const cause of ["text", null, new Proxy({}, { get: () => expect.unreachable() })])
    expect(text(cause)).toBe(nothing);
});

describe("each error", () => {
  it.each(each)("has a name, a code and a message: %s", (name, error, ...[code, message]) => {
    expect(error).toMatchObject({ name, code, message });
    expect(error).toBeInstanceOf(UnexpiredError);
    expect(error).toBeInstanceOf(Error);
    expect(UnexpiredError.is(error)).toBe(true);
    expect(String(error)).toBe(`${name}: ${message}`);
    expect(error.stack).toContain(message);
    expect(inspect(error)).toContain(name);
    expect(JSON.parse(JSON.stringify(error))).toMatchObject({ name, code });
  });

  it.each<DeadReason>([
    "no_session",
    "session_expired",
    "refresh_token_reused",
    "response_lost",
    "revoked",
    "signed_out",
    "account_changed",
  ])("explains why a sign-in is required: %s", (reason) => {
    const error = new SignInRequiredError(reason);
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(/^Sign in required: .{10,}\. [A-Z].* call signIn\(.*\.$/);
    expect(error.message).not.toContain("undefined");
  });

  it.each<SignInFailedReason>([
    "refused",
    "expired",
    "timeout",
    "mismatched",
    "port_in_use",
    "rejected",
    "unreachable",
  ])("explains why a sign-in failed: %s", (reason) => {
    const error = new SignInFailedError(reason, { cause });
    expect(error).toMatchObject({ reason, cause });
    expect(error.message).toMatch(/^The sign-in failed: .{10,}\. [A-Z].*\.$/);
    expect(isAuthError(error)).toBe(false);
  });

  it.each([8.64e15, 8.64e15 + 1, 1e27, Number.POSITIVE_INFINITY, Number.NaN])("accepts any retryAt: %d", (retryAt) => {
    expect(new RefreshFailedError(retryAt).retryAt).toBe(retryAt);
    expect(new RefreshFailedError(retryAt).message.includes("Try again")).toBe(retryAt === 8.64e15);
  });

  it("keeps its cause, if any", () => {
    expect(new RefreshFailedError(AT, { cause }).cause).toBe(cause);
    expect(new StoreError("STORE_UNREADABLE", { ...store, cause }).cause).toBe(cause);
    expect(new TokenEndpointError({ sent: true, cause }).cause).toBe(cause);
    expect(new ConfigurationError("x", { cause }).cause).toBe(cause);
    for (const error of [
      new RefreshFailedError(AT),
      new StoreError("STORE_UNREADABLE", store),
      new TokenEndpointError({ sent: true }),
    ]) {
      expect("cause" in error).toBe(false);
    }
  });
});

describe("two copies of the package", () => {
  it("recognize each other's errors", async () => {
    const path = "../src/errors.ts?second-copy";
    const other: typeof import("../src/errors.ts") = await import(/* @vite-ignore */ path);
    expect(other.SignInRequiredError).not.toBe(SignInRequiredError);
    const theirs = new other.SignInRequiredError("revoked");
    expect(theirs).not.toBeInstanceOf(UnexpiredError);
    expect(UnexpiredError.is(theirs)).toBe(true);
    expect(other.UnexpiredError.is(new StoreConflictError("x"))).toBe(true);
    expect(isAuthError(theirs)).toBe(true);
    expect(isAuthError(new other.TokenEndpointError({ status: 401, sent: true }))).toBe(false);
  });

  it.each([
    undefined,
    null,
    "SIGN_IN_REQUIRED",
    7,
    {},
    new Error("x"),
    { code: "SIGN_IN_REQUIRED" },
    Symbol.for("unexpired.error"),
  ])("does not recognize %o", (value) => {
    expect(UnexpiredError.is(value)).toBe(false);
  });
});

describe("isAuthError", () => {
  const wrapped = (inner: unknown) => new Error("wrapped by a client", { cause: inner });
  const cyclic = new Error("round");
  cyclic.cause = cyclic;
  it.each<[string, unknown, boolean]>([
    ["a sign-in that is required", new SignInRequiredError("no_session"), true],
    ["the same, wrapped by a client", wrapped(wrapped(new SignInRequiredError("no_session"))), true],
    ["a Response", new Response(null, { status: 401 }), true],
    ["axios", Object.assign(new Error("x"), { isAxiosError: true, status: 401, response: { status: 401 } }), true],
    ["old axios", Object.assign(new Error("x"), { response: { status: 401, data: "" } }), true],
    [
      "ofetch",
      Object.assign(new Error("x"), { statusCode: 401, status: 401, response: new Response(null, { status: 401 }) }),
      true,
    ],
    ["got", Object.assign(new Error("x"), { code: "ERR_NON_2XX_3XX_RESPONSE", response: { statusCode: 401 } }), true],
    ["undici", Object.assign(new Error("x"), { statusCode: 401 }), true],
    ["axios without a response", Object.assign(new Error("x"), { status: undefined, response: undefined }), false],
    ["got without a response", Object.assign(new Error("x"), { code: "ECONNREFUSED" }), false],
    ["403", Object.assign(new Error("x"), { response: { status: 403 } }), false],
    ["200", new Response(null), false],
    [
      "an endpoint that is down",
      new RefreshFailedError(AT, { cause: new TokenEndpointError({ status: 401, sent: true }) }),
      false,
    ],
    ["the same, wrapped by a client", wrapped(new RefreshFailedError(AT)), false],
    [
      "a rejected client",
      new ConfigurationError("x", { cause: new TokenEndpointError({ status: 401, sent: true }) }),
      false,
    ],
    ["the token endpoint's own 401", new TokenEndpointError({ status: 401, sent: true }), false],
    ["a store error", new StoreError("STORE_UNREADABLE", store), false],
    ["an error that is its own cause", cyclic, false],
    ["undefined", undefined, false],
    ["null", null, false],
    ["a number", 401, false],
    ["a string", "401", false],
    ["a null response", { response: null }, false],
  ])("recognizes only a rejected token or a required sign-in: %s", (_name, error, expected) => {
    expect(isAuthError(error)).toBe(expected);
  });
});
