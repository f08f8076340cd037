import { describe, expect, it } from "vitest";
import { type OAuth2RefreshOptions, oauth2Refresh } from "../../src/oauth2.ts";
import { printed } from "../support/leaks.ts";

describe("oauth2Refresh", () => {
  const valid = { tokenEndpoint: "https://a.example/token", clientId: "c" };
  const make = (given: object | null | undefined) => () => oauth2Refresh(given as OAuth2RefreshOptions);

  it.each([
    "https://a.example/token",
    new URL("https://a.example"),
    { href: "https://a.example/", toString: () => "https://a.example/" }, // the URL of another realm
    "http://localhost:3000/token",
    "http://127.0.0.1:3000",
    "http://[::1]:3000",
  ])("accepts the endpoint %s", (tokenEndpoint) => {
    expect(make({ ...valid, tokenEndpoint, revocationEndpoint: tokenEndpoint })).not.toThrow();
  });

  it.each(["http://keycloak:8080/token", "http://localhost.example", "http://127.0.0.1.example", "http://0.0.0.0"])(
    "accepts the endpoint %s only with allowInsecure",
    (endpoint) => {
      const host = new URL(endpoint).host.replaceAll(".", "\\.");
      const message = new RegExp(`: expected https, because ${host} is not this machine\\. .*allowInsecure: true`);
      expect(make({ ...valid, tokenEndpoint: endpoint })).toThrow(TypeError);
      expect(make({ ...valid, tokenEndpoint: endpoint })).toThrow(message);
      expect(make({ ...valid, revocationEndpoint: new URL(endpoint) })).toThrow(message);
      expect(make({ ...valid, tokenEndpoint: endpoint, allowInsecure: false })).toThrow(message);
      expect(make({ ...valid, tokenEndpoint: endpoint, allowInsecure: true })).not.toThrow();
    },
  );

  it.each([
    "/token",
    "a.example",
    "ftp://a.example",
    "https://canary@a.example",
    "https://:canary@a.example",
    "https://a.example/#canary",
    "",
    null,
    7,
    {},
  ])("rejects the endpoint %s", (endpoint) => {
    expect(make({ ...valid, tokenEndpoint: endpoint })).toThrow(/^tokenEndpoint: expected an absolute https URL/);
    expect(make({ ...valid, revocationEndpoint: endpoint })).toThrow(
      /^revocationEndpoint: expected .* not (an? |another |null|7)/,
    );
    expect(make({ ...valid, tokenEndpoint: endpoint })).not.toThrow(/canary/);
  });

  it.each<[string, object | null | undefined, RegExp]>([
    ["no options", undefined, /^oauth2Refresh: expected an object of options, not undefined\.$/],
    ["null", null, /not null\.$/],
    ["no endpoint", { clientId: "c" }, /^tokenEndpoint: expected .*, not undefined\.$/],
    [
      "no client ID",
      { tokenEndpoint: "https://a.example" },
      /^clientId: expected a non-empty string, not undefined\.$/,
    ],
    ["an empty client ID", { ...valid, clientId: "" }, /^clientId: .*, not an empty string\.$/],
    [
      "a secret where none is expected",
      { ...valid, clientSecret: "canary" },
      /^oauth2Refresh: unknown option "clientSecret"/,
    ],
    ["no secret", { ...valid, clientAuth: { method: "client_secret_basic" } }, /^clientAuth: expected \{ method/],
    ["allowInsecure of another type", { ...valid, allowInsecure: "canary" }, /^allowInsecure: expected true or false/],
    ["an empty issuer", { ...valid, issuer: "" }, /^issuer: expected a non-empty string/],
    ["an unknown method", { ...valid, clientAuth: { method: "canary" } }, /^clientAuth: /],
    [
      "a lone surrogate",
      { ...valid, clientAuth: { method: "client_secret_basic", clientSecret: "\ud800" } },
      /^clientAuth/,
    ],
    [
      "a scope of another type",
      { ...valid, scope: ["canary"] },
      /^scope: expected a non-empty string, .* not an array\.$/,
    ],
    ["a resource of another type", { ...valid, resource: [7] }, /^resource: /],
    ["a fetch of another type", { ...valid, fetch: "canary" }, /^fetch: expected a function, not a string\.$/],
    ["timeout 0", { ...valid, timeout: 0 }, /^timeout: expected milliseconds above 0, at most 20 minutes, not 0\.$/],
    ["timeout NaN", { ...valid, timeout: Number.NaN }, /^timeout: .* not NaN\.$/],
    ["timeout Infinity", { ...valid, timeout: Number.POSITIVE_INFINITY }, /^timeout: .* not Infinity\.$/],
  ])("throws a TypeError for %s", (_name, given, message) => {
    expect(make(given)).toThrow(TypeError);
    expect(make(given)).toThrow(message);
    expect(make(given)).not.toThrow(/canary/);
  });
});

it("shows no query of an endpoint in an error, even if fetch quotes its URL, as node-fetch does (P8)", async () => {
  const quoting = (url: unknown) => Promise.reject(new Error(`request to ${url} failed`));
  const refresh = oauth2Refresh({
    clientId: "c",
    tokenEndpoint: "https://a.example/token?k=canary",
    revocationEndpoint: "https://a.example/revoke?k=canary",
    fetch: quoting,
  });
  const tokens = { accessToken: "a", refreshToken: "r", tokenType: "Bearer", extra: {} };
  const calls = [refresh(tokens, { signal: new AbortController().signal, attemptId: "1" }), refresh.revoke?.(tokens)];
  const errors = (await Promise.allSettled(calls)).map((result) => (result as PromiseRejectedResult).reason);
  expect(errors.map(({ message }) => message)).toEqual([
    expect.stringMatching(/request to https:\/\/a\.example\/token\?\[secret\] failed$/),
    expect.stringMatching(/request to https:\/\/a\.example\/revoke\?\[secret\] failed$/),
  ]);
  expect(printed(errors)).not.toContain("canary");
});
