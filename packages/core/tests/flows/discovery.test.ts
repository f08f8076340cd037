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
    ["a connection that is cut", drop],
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

  it("tries the next URL if a browser hides the response", async () => {
    const fetchLikeABrowser: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!response.ok) throw new TypeError("Failed to fetch");
      return response;
    };
    await using server = await startRoutes({ [OIDC_METADATA]: metadata() });
    expect((await discover(server.origin, { fetch: fetchLikeABrowser })).issuer).toBe(server.origin);
  });

  it.each<[string, object]>([
    [
      "of undici",
      { cause: Object.assign(new Error(), { name: "ConnectTimeoutError", code: "UND_ERR_CONNECT_TIMEOUT" }) },
    ],
    ["of the system", { cause: Object.assign(new AggregateError([]), { code: "ETIMEDOUT" }) }],
  ])("sends one request to a server that does not respond: a time-out %s", async (_name, options) => {
    let sent = 0;
    const fetch = async () => {
      sent++;
      throw new TypeError("fetch failed", options);
    };
    const error = await failureOf(discover("https://as.example", { fetch }));
    expect(error).toMatchObject({ reason: "unreachable" });
    expect(sent).toBe(1);
  });

  it("sends one request within its own time-out", async () => {
    await using server = await startRoutes({ [AS_METADATA]: silent, [OIDC_METADATA]: metadata() });
    await failureOf(discover(server.origin, timeoutFor(silent)));
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
    ["no token endpoint", { token_endpoint: undefined }],
    ["a token endpoint of null", { token_endpoint: null }],
    ["a token endpoint of another scheme", { token_endpoint: "file:///etc/passwd" }],
    ["a token endpoint without TLS", { token_endpoint: "http://as.example/token" }],
  ])("refuses metadata with %s", async (_name, changes) => {
    await using server = await startRoutes({ [AS_METADATA]: metadata(changes) });
    const error = await failureOf(discover(server.origin));
    expect(error).toMatchObject({ code: "CONFIGURATION" });
    expect(error.message).toContain("token_endpoint: expected");
  });

  it.each([null, "", "/revocation", 7, "javascript:alert(1)", "http://as.example/revocation"])(
    "leaves out an optional endpoint that is %o",
    async (url) => {
      const names = ["authorization", "device_authorization", "registration", "revocation"];
      const changes = Object.fromEntries(names.map((name) => [`${name}_endpoint`, url]));
      await using server = await startRoutes({ [AS_METADATA]: metadata(changes) });
      expect(await discover(server.origin)).toEqual({
        issuer: server.origin,
        tokenEndpoint: `${server.origin}/token`,
        metadata: expect.objectContaining(changes),
      });
    },
  );

  describe("of an issuer with TLS", () => {
    const issuer = "https://as.example";
    const local = "http://127.0.0.1:2375/containers";
    const responding = (changes: object) => async () =>
      Response.json({ issuer, token_endpoint: `${issuer}/token`, ...changes });

    it("refuses a token endpoint on this machine", async () => {
      const error = await failureOf(discover(issuer, { fetch: responding({ token_endpoint: local }) }));
      expect(error).toMatchObject({ code: "CONFIGURATION" });
      expect(error.message).toContain("token_endpoint: expected https, because the issuer is not on this machine");
    });

    it("leaves out other endpoints on this machine, unless it may be insecure", async () => {
      const fetch = responding({ registration_endpoint: local });
      expect(await discover(issuer, { fetch })).not.toHaveProperty("registrationEndpoint");
      expect(await discover(issuer, { fetch, allowInsecure: true })).toMatchObject({ registrationEndpoint: local });
    });
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
