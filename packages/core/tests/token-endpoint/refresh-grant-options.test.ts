import { describe, expect, it } from "vitest";
import { type OAuth2RefreshOptions, oauth2Refresh } from "../../src/oauth2.ts";

describe("options", () => {
  const valid = { tokenEndpoint: "https://a.example/token", clientId: "c" };
  const make = (given: object | null | undefined) => () => oauth2Refresh(given as OAuth2RefreshOptions);

  it.each([
    "https://a.example/token",
    new URL("https://a.example"),
    "http://localhost:3000/token",
    "http://127.0.0.1:3000",
    "http://[::1]:3000",
  ])("takes %s for an endpoint", (tokenEndpoint) => {
    expect(make({ ...valid, tokenEndpoint, revocationEndpoint: tokenEndpoint })).not.toThrow();
  });

  it.each([
    "http://a.example",
    "http://localhost.example",
    "http://127.0.0.1.example",
    "http://0.0.0.0",
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
  ])("does not take %s", (endpoint) => {
    expect(make({ ...valid, tokenEndpoint: endpoint })).toThrow(/^tokenEndpoint: expected an absolute URL, https/);
    expect(make({ ...valid, revocationEndpoint: endpoint })).toThrow(
      /^revocationEndpoint: expected .* not (a|an|null)/,
    );
    expect(make({ ...valid, tokenEndpoint: endpoint })).not.toThrow(/canary/);
  });

  it.each<[string, object | null | undefined, RegExp]>([
    ["nothing", undefined, /^oauth2Refresh: expected an object of options, not undefined\.$/],
    ["null", null, /not null\.$/],
    ["no endpoint", { clientId: "c" }, /^tokenEndpoint: expected .*, not undefined\.$/],
    ["no client", { tokenEndpoint: "https://a.example" }, /^clientId: expected a non-empty string, not undefined\.$/],
    ["empty client", { ...valid, clientId: "" }, /^clientId: /],
    ["a secret where none is expected", { ...valid, clientSecret: "canary" }, /^clientSecret: unknown option/],
    ["no secret", { ...valid, clientAuth: { method: "client_secret_basic" } }, /^clientAuth: expected \{ method/],
    ["empty secret", { ...valid, clientAuth: { method: "client_secret_post", clientSecret: "" } }, /^clientAuth: /],
    ["a method of no client", { ...valid, clientAuth: { method: "canary" } }, /^clientAuth: /],
    [
      "lone surrogate",
      { ...valid, clientAuth: { method: "client_secret_basic", clientSecret: "\ud800" } },
      /^clientAuth/,
    ],
    ["scope", { ...valid, scope: ["canary"] }, /^scope: expected a non-empty string, .* not an array\.$/],
    ["resource", { ...valid, resource: [7] }, /^resource: /],
    ["fetch", { ...valid, fetch: "canary" }, /^fetch: expected a function, not a string\.$/],
    ["timeout 0", { ...valid, timeout: 0 }, /^timeout: expected milliseconds above 0, not a number\.$/],
    ["timeout NaN", { ...valid, timeout: Number.NaN }, /^timeout: .* not NaN\.$/],
    ["timeout Infinity", { ...valid, timeout: Number.POSITIVE_INFINITY }, /^timeout: /],
  ])("%s is a TypeError", (_name, given, message) => {
    expect(make(given)).toThrow(TypeError);
    expect(make(given)).toThrow(message);
    expect(make(given)).not.toThrow(/canary/);
  });
});
