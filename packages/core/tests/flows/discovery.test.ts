import { describe, expect, it } from "vitest";
import { discover } from "../../src/flows.ts";
import { AS_METADATA, failureOf, metadata, OIDC_METADATA, silent, startRoutes, timeoutFor } from "../support/flows.ts";
import { drop, respondWith } from "../support/server.ts";

describe("discovery", () => {
  it("returns the endpoints and the document, unmodified", async () => {
    await using server = await startRoutes({ [AS_METADATA]: metadata({ grant_types_supported: ["implicit"], x: 1 }) });
    const { origin } = server;
    expect(await discover(origin)).toEqual({
      issuer: origin,
      tokenEndpoint: `${origin}/token`,
      authorizationEndpoint: `${origin}/authorization`,
      deviceAuthorizationEndpoint: `${origin}/device_authorization`,
      registrationEndpoint: `${origin}/registration`,
      revocationEndpoint: `${origin}/revocation`,
      metadata: expect.objectContaining({ issuer: origin, grant_types_supported: ["implicit"], x: 1 }),
    });
    expect(server.received).toHaveLength(1);
  });

  it.each([`${AS_METADATA}/a/b`, `/a/b${OIDC_METADATA}`, `${OIDC_METADATA}/a/b`, `/a/b${AS_METADATA}`])(
    "finds the metadata of an issuer with a path at %s",
    async (path) => {
      await using server = await startRoutes({ [path]: metadata({}, "/a/b") });
      expect(await discover(new URL(`${server.origin}/a/b`))).toMatchObject({ issuer: `${server.origin}/a/b` });
    },
  );

  it.each([
    ["a page for every path", respondWith(200, "<html>")],
    ["JSON without an issuer", respondWith(200, { a: 1 })],
    ["a redirect", respondWith(302, "", { location: "/login" })],
    ["a failure", respondWith(500)],
    ["the metadata of another issuer", metadata({ issuer: "https://evil.example" })],
  ])("tries the next URL after %s", async (_name, handler) => {
    await using server = await startRoutes({ [AS_METADATA]: handler, [OIDC_METADATA]: metadata() });
    expect((await discover(server.origin)).issuer).toBe(server.origin);
  });

  it("keeps the issuer as the server spells it", async () => {
    const withSlash = metadata({}, "/");
    await using server = await startRoutes({ [AS_METADATA]: withSlash });
    expect((await discover(server.origin)).issuer).toBe(`${server.origin}/`);
  });

  it("refuses the metadata of another issuer, and names it", async () => {
    await using server = await startRoutes({ [AS_METADATA]: metadata({ issuer: "https://evil.example" }) });
    const error = await failureOf(discover(server.origin));
    expect(error).toMatchObject({ code: "CONFIGURATION" });
    expect(error.message).toContain("the metadata of another issuer, https://evil.example/");
    expect(error.message).toContain(server.origin);
  });

  it("follows no redirect, but names its target", async () => {
    const redirect = respondWith(301, "", { location: "/elsewhere?key=canary-key" });
    await using server = await startRoutes({ [AS_METADATA]: redirect, "/elsewhere": metadata() });
    const error = await failureOf(discover(server.origin));
    expect(error.message).toContain(`HTTP 301, redirects to ${server.origin}/elsewhere. `);
  });

  it("sends one request to a server that does not respond", async () => {
    await using server = await startRoutes({ [AS_METADATA]: drop, [OIDC_METADATA]: metadata() });
    await failureOf(discover(server.origin));
    expect(server.received).toHaveLength(1);
  });

  it("ends at its time-out, even if a fetch ignores its signal", async () => {
    const fetch = () => new Promise<Response>(() => {});
    const error = await failureOf(discover("https://as.example", { fetch, timeout: 50 }));
    expect(error).toMatchObject({ reason: "unreachable", cause: { cause: { name: "TimeoutError" } } });
  });

  it("says which URL has no metadata, and what to do", async () => {
    await using server = await startRoutes({});
    const error = await failureOf(discover(server.origin));
    expect(error).toMatchObject({ code: "CONFIGURATION", cause: { status: 404 } });
    expect(error.message).toContain(`The metadata endpoint ${server.origin}${AS_METADATA} responded with HTTP 404`);
    expect(error.message).toContain("pass its endpoints instead");
    expect(server.received.map(({ path }) => path)).toEqual([AS_METADATA, OIDC_METADATA]);
  });

  it.each([
    ["no token endpoint", { token_endpoint: undefined }, "tokenEndpoint"],
    ["an endpoint of another scheme", { authorization_endpoint: "javascript:alert(1)" }, "authorizationEndpoint"],
    ["an endpoint without TLS", { token_endpoint: "http://as.example/token" }, "tokenEndpoint"],
  ])("refuses metadata with %s", async (_name, changes, member) => {
    await using server = await startRoutes({ [AS_METADATA]: metadata(changes) });
    const error = await failureOf(discover(server.origin));
    expect(error).toMatchObject({ code: "CONFIGURATION" });
    expect(error.message).toContain(`${member}: expected`);
  });

  it("accepts endpoints without TLS on request", async () => {
    await using server = await startRoutes({ [AS_METADATA]: metadata({ token_endpoint: "http://as.example/token" }) });
    const { tokenEndpoint } = await discover(server.origin, { allowInsecure: true });
    expect(tokenEndpoint).toBe("http://as.example/token");
  });

  it.each([
    ["a reset connection", drop],
    ["a time-out", silent],
    ["a failing server", respondWith(503)],
  ])("reports a server that is out of reach: %s", async (_name, handler) => {
    await using server = await startRoutes({ [AS_METADATA]: handler, [OIDC_METADATA]: handler });
    const error = await failureOf(discover(server.origin, timeoutFor(handler)));
    expect(error).toMatchObject({ code: "SIGN_IN_FAILED", reason: "unreachable", cause: { code: "TOKEN_ENDPOINT" } });
    expect(error.message).toContain(`${server.origin}${AS_METADATA}`);
  });

  it("rejects with the signal's reason", async () => {
    const controller = new AbortController();
    await using server = await startRoutes({ [AS_METADATA]: () => controller.abort("over") });
    await expect(discover(server.origin, { signal: controller.signal })).rejects.toBe("over");
    expect(server.received).toHaveLength(1);
    await expect(discover(server.origin, { signal: controller.signal })).rejects.toBe("over");
    expect(server.received).toHaveLength(1);
  });

  it.each<[string, unknown, string]>([
    ["no URL", "as.example", "issuer: expected an absolute https URL"],
    ["no TLS", "http://as.example", "issuer: expected https"],
  ])("refuses an issuer with %s", async (_name, issuer, message) => {
    await expect(discover(issuer as string)).rejects.toThrow(message);
    await expect(discover(issuer as string)).rejects.toBeInstanceOf(TypeError);
  });
});
