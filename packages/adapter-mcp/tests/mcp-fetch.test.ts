import { inspect } from "node:util";
import { memoryStore, type TokenSetInput } from "@unexpired/core";
import { CANARY, canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it, onTestFinished } from "vitest";
import { type McpAuthOptions, mcpAuth } from "../src/index.ts";
import { type Received, type Reply, type Stub, startStub } from "./stub.ts";

const clientMetadata = { redirect_uris: ["http://127.0.0.1/callback"] };
const POST = { method: "POST", body: "{}" };
const signedIn: TokenSetInput = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1) };

const unauthorized: Reply = { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' } };
const accepts =
  (...tokens: string[]) =>
  ({ authorization }: Received): Reply =>
    tokens.some((token) => authorization === `Bearer ${token}`) ? { json: { ok: true } } : unauthorized;

/** The metadata of an MCP server that is its own authorization server. */
const documents = (origin: string): Record<string, Reply> => ({
  "/.well-known/oauth-protected-resource/mcp": {
    json: { resource: `${origin}/mcp`, authorization_servers: [origin], scopes_supported: ["mcp"] },
  },
  "/.well-known/oauth-authorization-server": {
    json: {
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`,
      response_types_supported: ["code"],
    },
  },
  "/register": { status: 201, json: { client_id: "registered" } },
});

function start({ origin }: Stub, options: Partial<McpAuthOptions> = {}) {
  const auth = mcpAuth({ serverUrl: `${origin}/mcp`, store: memoryStore(), clientMetadata, ...options });
  onTestFinished(() => auth.close());
  return auth;
}

describe("the token", () => {
  it("replaces the header of the SDK, at the MCP server", async () => {
    const stub = await startStub(() => ({ "/mcp": accepts(canary("access", 1)) }));
    const auth = start(stub);
    await auth.tokens.signIn(signedIn);
    const headers = { authorization: `Bearer ${canary("access", "old")}` };
    expect((await auth.fetch(`${stub.origin}/mcp`, { ...POST, headers })).status).toBe(200);
  });

  it("is not sent to metadata and to the endpoints of an authorization server on the same origin", async () => {
    const stub = await startStub((origin) => ({ ...documents(origin), "/token": {}, "/messages": {} }));
    const auth = start(stub);
    await auth.tokens.signIn(signedIn);
    const headers = { authorization: "Basic of the SDK" };
    for (const path of ["/.well-known/anything", "/token", "/register", "/authorize", "/messages"])
      await auth.fetch(`${stub.origin}${path}`, { ...POST, headers });
    const sent = stub.received
      .filter(({ method }) => method === "POST")
      .map(({ path, authorization }) => [path, authorization]);
    expect(sent).toEqual([
      ["/.well-known/anything", "Basic of the SDK"],
      ["/token", "Basic of the SDK"],
      ["/register", "Basic of the SDK"],
      ["/authorize", "Basic of the SDK"],
      ["/messages", `Bearer ${canary("access", 1)}`],
    ]);
  });

  it("is not sent to another origin", async () => {
    const [stub, other] = [await startStub(() => ({})), await startStub(() => ({ "/mcp": {} }))];
    const auth = start(stub);
    await auth.tokens.signIn(signedIn);
    await auth.fetch(`${other.origin}/mcp`, POST);
    expect(other.received.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  it("does not follow a redirect that the SDK wants to see", async () => {
    const stub = await startStub((origin) => ({ "/mcp": { status: 307, headers: { location: `${origin}/other` } } }));
    const auth = start(stub);
    await auth.tokens.signIn(signedIn);
    const response = await auth.fetch(`${stub.origin}/mcp`, { ...POST, redirect: "manual" });
    expect([response.status, stub.to("/other")]).toEqual([307, []]);
  });

  it("is renewed once after a 401, for the resource and as the client that is stored", async () => {
    const stub = await startStub((origin) => ({
      ...documents(origin),
      "/mcp": accepts(canary("access", 2)),
      "/token": { json: { access_token: canary("access", 2), token_type: "Bearer", expires_in: 3600 } },
    }));
    const auth = start(stub, { signIn: async () => ({ ...signedIn, accessToken: canary("access", 1) }) });
    const response = await auth.fetch(`${stub.origin}/mcp`, POST).catch((error: unknown) => error);
    expect(response).toMatchObject({ status: 200 });
    const [request] = stub.to("/token");
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      grant_type: "refresh_token",
      refresh_token: canary("refresh", 1),
      client_id: "registered",
      resource: `${stub.origin}/mcp`,
    });
  });
});

describe("a sign-in", () => {
  it("uses the metadata that the challenge names", async () => {
    const stub = await startStub((origin) => ({
      ...documents(origin),
      "/mcp": ({ authorization }) =>
        authorization
          ? {}
          : {
              status: 401,
              headers: { "www-authenticate": `Bearer resource_metadata="${origin}/elsewhere", scope="a b"` },
            },
      "/elsewhere": { json: { resource: origin, authorization_servers: [origin] } },
    }));
    let given: { scope?: string; resource?: string } = {};
    const auth = start(stub, {
      signIn: async (context) => {
        given = context;
        return signedIn;
      },
    });
    await auth.fetch(`${stub.origin}/mcp`, POST);
    expect(given).toMatchObject({ scope: "a b", resource: stub.origin });
    expect(stub.to("/.well-known/oauth-protected-resource/mcp")).toEqual([]);
  });

  it("is refused for the metadata of another resource", async () => {
    const stub = await startStub((origin) => ({
      ...documents(origin),
      "/mcp": unauthorized,
      "/.well-known/oauth-protected-resource/mcp": {
        json: { resource: "https://evil.example/mcp", authorization_servers: [origin] },
      },
    }));
    const auth = start(stub, { signIn: async () => signedIn });
    await expect(auth.fetch(`${stub.origin}/mcp`, POST)).rejects.toMatchObject({
      code: "CONFIGURATION",
      message: expect.stringContaining("is about another resource, https://evil.example/mcp"),
    });
    expect(stub.to("/register")).toEqual([]);
  });

  it("follows the MCP server to another authorization server", async () => {
    const other = await startStub((origin) => ({
      "/.well-known/oauth-authorization-server": {
        json: { issuer: origin, token_endpoint: `${origin}/token`, registration_endpoint: `${origin}/register` },
      },
      "/register": { status: 201, json: { client_id: "moved" } },
    }));
    let issuer: string | undefined;
    const stub = await startStub((origin) => ({
      ...documents(origin),
      "/mcp": accepts(canary("access", issuer ? "moved" : 1)),
      // the session is alive at the server that issued it
      "/token": { json: { access_token: canary("access", 2), token_type: "Bearer", expires_in: 3600 } },
      "/.well-known/oauth-protected-resource/mcp": {
        json: { resource: `${origin}/mcp`, authorization_servers: [issuer ?? origin] },
      },
    }));
    const clients: string[] = [];
    const auth = start(stub, {
      signIn: async ({ clientId }) => {
        clients.push(clientId);
        const expiresAt = Date.now() + 3_600_000;
        return issuer ? { accessToken: canary("access", "moved"), expiresAt } : { ...signedIn, expiresAt };
      },
    });
    await auth.fetch(`${stub.origin}/mcp`, POST);
    issuer = other.origin;
    expect((await auth.fetch(`${stub.origin}/mcp`, POST)).status).toBe(200);
    expect(clients).toEqual(["registered", "moved"]);
    expect([stub.to("/token").length, other.to("/token").length]).toEqual([1, 0]);
  });

  it("is not repeated if the server rejects its token", async () => {
    const stub = await startStub((origin) => ({ ...documents(origin), "/mcp": unauthorized }));
    let count = 0;
    const signIn = async () => {
      count += 1;
      return { accessToken: canary("access", 1), expiresAt: Date.now() + 3_600_000 };
    };
    const error = await start(stub, { signIn })
      .fetch(`${stub.origin}/mcp`, POST)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "CONFIGURATION", message: expect.stringContaining("a moment ago") });
    expect(count).toBe(1);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(CANARY);
  });

  it("uses the endpoints of the first revision of MCP if the server publishes no metadata", async () => {
    const stub = await startStub(() => ({
      "/mcp": accepts(canary("access", 1)),
      "/register": { status: 201, json: { client_id: "registered" } },
    }));
    let endpoint: string | undefined;
    const auth = start(stub, {
      signIn: async ({ issuer, resource }) => {
        endpoint = issuer.tokenEndpoint;
        expect(resource).toBeUndefined();
        return signedIn;
      },
    });
    expect((await auth.fetch(`${stub.origin}/mcp`, POST)).status).toBe(200);
    expect(endpoint).toBe(`${stub.origin}/token`);
  });

  it("uses the redirect port that another process has registered, and registers other metadata anew", async () => {
    const stub = await startStub((origin) => ({ ...documents(origin), "/mcp": accepts(canary("access", 1)) }));
    const store = memoryStore();
    const redirects: (string | undefined)[] = [];
    const signInAt = async (uri: string) => {
      const signIn: McpAuthOptions["signIn"] = async ({ redirectUri }) => {
        redirects.push(redirectUri);
        return signedIn;
      };
      const auth = start(stub, { store, clientMetadata: { redirect_uris: [uri] }, signIn });
      await auth.fetch(`${stub.origin}/mcp`, POST);
      await auth.tokens.signOut({ revoke: false });
    };
    await signInAt("http://127.0.0.1:4711/callback");
    await signInAt("http://127.0.0.1:4712/callback");
    expect(stub.to("/register")).toHaveLength(1);
    await signInAt("http://127.0.0.1:4712/elsewhere");
    expect(stub.to("/register")).toHaveLength(2);
    const [first, last] = ["http://127.0.0.1:4711/callback", "http://127.0.0.1:4712/elsewhere"];
    expect(redirects).toEqual([first, first, last]);
  });

  it("uses a client that was registered by hand, and does not store its secret", async () => {
    const stub = await startStub((origin) => ({ ...documents(origin), "/mcp": accepts(canary("access", 1)) }));
    const store = memoryStore();
    const client = { clientId: "by-hand", clientSecret: canary("secret", 1) };
    let given: unknown;
    const auth = start(stub, {
      store,
      client,
      signIn: async ({ clientId, clientAuth }) => {
        given = { clientId, clientAuth };
        return signedIn;
      },
    });
    await auth.fetch(`${stub.origin}/mcp`, POST);
    expect(given).toEqual({
      clientId: "by-hand",
      clientAuth: { method: "client_secret_basic", clientSecret: client.clientSecret },
    });
    expect((await store.load())?.value).not.toContain(client.clientSecret);
    expect(stub.to("/register")).toEqual([]);
  });
});

describe("without signIn and onRedirect", () => {
  it("fails at once, and says what to run", async () => {
    const stub = await startStub(() => ({ "/mcp": unauthorized }));
    await expect(start(stub).fetch(`${stub.origin}/mcp`, POST)).rejects.toMatchObject({
      code: "SIGN_IN_REQUIRED",
      reason: "no_session",
      message: expect.stringContaining(
        "Run a program that can (`mcpAuth` with `signIn` or `onRedirect`) with the same store",
      ),
    });
    expect(stub.received).toHaveLength(1);
  });

  it("continues with the session of another process", async () => {
    const stub = await startStub(() => ({ "/mcp": accepts(canary("access", 1)) }));
    const store = memoryStore();
    const headless = start(stub, { store });
    await expect(headless.fetch(`${stub.origin}/mcp`, POST)).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    await start(stub, { store }).tokens.signIn(signedIn);
    expect((await headless.fetch(`${stub.origin}/mcp`, POST)).status).toBe(200);
  });

  it("says which scope is missing", async () => {
    const challenge = { "www-authenticate": 'Bearer error="insufficient_scope", scope="mcp:write"' };
    const stub = await startStub(() => ({ "/mcp": { status: 403, headers: challenge } }));
    const auth = start(stub);
    await auth.tokens.signIn(signedIn);
    await expect(auth.fetch(`${stub.origin}/mcp`, POST)).rejects.toThrow("the session lacks the scope mcp:write");
  });

  it("returns a 403 that is not about scopes", async () => {
    const stub = await startStub(() => ({ "/mcp": { status: 403 } }));
    const auth = start(stub);
    await auth.tokens.signIn(signedIn);
    expect((await auth.fetch(`${stub.origin}/mcp`, POST)).status).toBe(403);
  });
});

it("shows no token when it is inspected", async () => {
  const stub = await startStub(() => ({ "/mcp": {} }));
  const auth = start(stub);
  await auth.tokens.signIn(signedIn);
  auth.authProvider.saveCodeVerifier(canary("secret", 1));
  await auth.fetch(`${stub.origin}/mcp`, POST);
  expect(inspect(auth, { depth: 20, showHidden: true })).not.toContain(CANARY);
  expect(JSON.stringify(auth)).not.toContain(CANARY);
});
