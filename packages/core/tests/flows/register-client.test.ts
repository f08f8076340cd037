import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RegisterClientOptions, registerClient } from "../../src/flows.ts";
import { createTokenManager, memoryStore } from "../../src/index.ts";
import { oauth2Refresh } from "../../src/oauth2.ts";
import { loadClient, updateClient } from "../../src/session-record.ts";
import { AS_METADATA, failureOf, metadata, silent, startRoutes, timeoutFor } from "../support/flows.ts";
import { printed } from "../support/leaks.ts";
import { drop, type Handler, respondWith } from "../support/server.ts";

const REDIRECT = "http://127.0.0.1:4711/callback";
const REGISTER = "/registration";
const SECRET = canary("access", "client-secret");
const app = { client_name: "App", redirect_uris: [REDIRECT], token_endpoint_auth_method: "none" };

let cleanups: (() => Promise<void>)[];
beforeEach(() => {
  cleanups = [];
});
afterEach(async () => {
  for (const cleanup of cleanups) await cleanup();
});

/** Registers each client under another ID, with what it sent and `changes`. */
const registering = (changes: Readonly<Record<string, unknown>> = {}): Handler => {
  let count = 0;
  return (response, { body }) => {
    count++;
    respondWith(201, { ...JSON.parse(body), client_id: `client-${count}`, ...changes })(response, {} as never);
  };
};

async function start(handler: Handler = registering(), changes: Readonly<Record<string, unknown>> = {}) {
  const server = await startRoutes({ [AS_METADATA]: metadata(changes), [REGISTER]: handler });
  cleanups.push(server.close);
  const register = (options: Partial<RegisterClientOptions> = {}) =>
    registerClient({ issuer: server.origin, metadata: app, ...options });
  const registrations = () => server.received.filter(({ path }) => path === REGISTER);
  return { server, register, registrations };
}

describe("the registration of a client", () => {
  it("sends the metadata, and returns the client", async () => {
    const { register, registrations } = await start();
    expect({ ...(await register()) }).toEqual({
      clientId: "client-1",
      clientAuth: { method: "none" },
      redirectUris: [REDIRECT],
      expiresAt: undefined,
    });
    const [sent] = registrations();
    expect(JSON.parse(sent?.body ?? "")).toEqual({ ...app, grant_types: ["authorization_code", "refresh_token"] });
    expect(sent?.headers).not.toHaveProperty("authorization");
  });

  it("sends other grant types, and an initial access token", async () => {
    const { register, registrations } = await start();
    const grant_types = ["urn:ietf:params:oauth:grant-type:device_code"];
    await register({ metadata: { grant_types }, initialAccessToken: canary("access", "initial") });
    expect(JSON.parse(registrations()[0]?.body ?? "")).toEqual({ grant_types });
    expect(registrations()[0]?.headers.authorization).toBe(`Bearer ${canary("access", "initial")}`);
  });

  it.each<[string, Record<string, unknown>, object]>([
    ["client_secret_post", { token_endpoint_auth_method: "client_secret_post" }, { method: "client_secret_post" }],
    ["client_secret_basic", { token_endpoint_auth_method: "client_secret_basic" }, { method: "client_secret_basic" }],
    ["the default of RFC 7591", { token_endpoint_auth_method: undefined }, { method: "client_secret_basic" }],
  ])("returns the secret for %s, and shows it nowhere", async (_name, changes, expected) => {
    const { register } = await start(
      registering({ client_secret: SECRET, client_secret_expires_at: 4_102_444_800, ...changes }),
    );
    const client = await register({ metadata: { redirect_uris: [REDIRECT] } });
    expect({ ...(client.clientAuth as object) }).toEqual({ ...expected, clientSecret: SECRET });
    expect(client.expiresAt).toBe(4_102_444_800_000);
    expect(printed(client)).not.toContain("canary");
    expect(printed(client.clientAuth)).not.toContain("canary");
    expect(printed(client)).toContain("client-1");
    oauth2Refresh({ tokenEndpoint: "https://as.example", ...pick(client) }); // accepts it
  });

  it("uses the redirect URIs that the server has registered", async () => {
    const { register } = await start(registering({ redirect_uris: ["http://localhost/other"] }));
    expect((await register()).redirectUris).toEqual(["http://localhost/other"]);
  });

  it("takes a key or a certificate from the caller", async () => {
    const { register } = await start(registering({ token_endpoint_auth_method: "private_key_jwt" }));
    const clientAuth = () => {};
    expect((await register({ clientAuth })).clientAuth).toBe(clientAuth);
    const error = await failureOf(register());
    expect(error).toMatchObject({ code: "CONFIGURATION" });
    expect(error.message).toContain("Pass its authentication as clientAuth");
  });

  it.each<[string, Handler, object]>([
    ["invalid metadata", respondWith(400, { error: "invalid_redirect_uri" }), { code: "CONFIGURATION" }],
    ["no permission", respondWith(401, { error: "invalid_token" }), { code: "CONFIGURATION" }],
    ["no client ID", respondWith(201, {}), { code: "CONFIGURATION" }],
    [
      "a secret that is missing",
      registering({ token_endpoint_auth_method: "client_secret_basic" }),
      { code: "CONFIGURATION" },
    ],
    ["a failure", respondWith(500), { code: "SIGN_IN_FAILED", reason: "unreachable" }],
    ["a reset connection", drop, { code: "SIGN_IN_FAILED", reason: "unreachable" }],
    ["a time-out", silent, { code: "SIGN_IN_FAILED", reason: "unreachable" }],
  ])("reports %s", async (_name, handler, expected) => {
    const { register } = await start(handler);
    const store = memoryStore();
    expect(await failureOf(register({ ...timeoutFor(handler), store }))).toMatchObject(expected);
  });

  it("shows what the server said without the initial access token", async () => {
    const initialAccessToken = canary("access", "initial");
    const { register, server } = await start(
      respondWith(401, { error: "invalid_token", error_description: `Bad ${initialAccessToken}` }),
    );
    const { message } = await failureOf(register({ initialAccessToken }));
    expect(message).toContain(`registration endpoint ${server.origin}${REGISTER} responded with HTTP 401`);
    expect(message).toContain("Bad [secret]");
  });

  it("needs a registration endpoint", async () => {
    const { register } = await start(undefined, { registration_endpoint: undefined });
    expect((await failureOf(register())).message).toContain("has no registration endpoint");
  });

  it("rejects with the signal's reason", async () => {
    const controller = new AbortController();
    const { register } = await start(() => controller.abort("over"));
    await expect(register({ signal: controller.signal })).rejects.toBe("over");
    await expect(register({ signal: controller.signal, store: memoryStore() })).rejects.toBe("over");
  });

  it.each<[string, Partial<RegisterClientOptions>, string]>([
    ["metadata", { metadata: "x" as never }, "metadata: expected an object"],
    ["the store", { store: {} as never }, "store.load: invalid"],
    ["the URL of the metadata", { metadataUrl: "x" }, "metadataUrl: expected"],
  ])("refuses an option: %s", async (_name, options, message) => {
    const given = { issuer: "https://as.example", metadata: app, ...options };
    await expect(registerClient(given)).rejects.toThrow(message);
  });
});

const pick = ({ clientId, clientAuth }: Awaited<ReturnType<typeof registerClient>>) => ({ clientId, clientAuth });

describe("a client ID metadata document", () => {
  const metadataUrl = "https://app.example/client.json";

  it("is the client ID if the server supports that", async () => {
    const { register, registrations } = await start(undefined, { client_id_metadata_document_supported: true });
    const { token_endpoint_auth_method: _, ...rest } = app;
    expect({ ...(await register({ metadataUrl, metadata: rest })) }).toMatchObject({
      clientId: metadataUrl,
      clientAuth: { method: "none" },
      redirectUris: [REDIRECT],
    });
    expect(registrations()).toEqual([]);
  });

  it("gives way to a registration otherwise", async () => {
    const { register } = await start();
    const store = memoryStore();
    expect((await register({ metadataUrl, store })).clientId).toBe("client-1");
    expect((await register({ metadataUrl, store })).clientId).toBe("client-1");
  });
});

describe("a stored registration", () => {
  it("is used by the next call, which sends nothing, and leaves the session alone", async () => {
    const store = memoryStore();
    await using tokens = createTokenManager({ store });
    await tokens.signIn({ accessToken: canary("access", 1) });
    const { register, server } = await start(registering({ client_secret: SECRET, client_secret_expires_at: 0 }));
    const first = await register({ store, resource: "https://api.example/" });
    const sent = server.received.length;
    const metadata = { ...Object.fromEntries(Object.entries(app).reverse()), client_uri: undefined };
    const second = await register({ store, resource: "https://api.example/", metadata });
    expect(second).toEqual(first);
    expect(server.received).toHaveLength(sent);
    expect(await tokens.getAccessToken()).toBe(canary("access", 1));
  });

  it.each<[string, Partial<RegisterClientOptions>]>([
    ["another resource", { resource: "https://other.example/" }],
    ["other metadata", { metadata: { ...app, client_name: "Other" } }],
    ["redirect URIs in another order", { metadata: { ...app, redirect_uris: ["http://localhost/", REDIRECT] } }],
  ])("is replaced for %s", async (_name, options) => {
    const store = memoryStore();
    const { register } = await start();
    await register({ store });
    expect((await register({ store, ...options })).clientId).toBe("client-2");
    expect((await register({ store, ...options })).clientId).toBe("client-2");
    expect((await register({ store })).clientId).toBe("client-3");
  });

  it("is replaced for another issuer", async () => {
    const store = memoryStore();
    const [one, other] = [await start(), await start(registering({ client_id: "elsewhere" }))];
    await one.register({ store });
    expect((await other.register({ store })).clientId).toBe("elsewhere");
    expect(await loadClient(store)).toMatchObject({ issuer: other.server.origin });
  });

  it("is replaced once its secret has expired", async () => {
    const clock = new VirtualClock();
    const store = memoryStore();
    const expiry = { client_secret: SECRET, client_secret_expires_at: clock.now() / 1000 + 60 };
    const { register } = await start(registering(expiry));
    await register({ store, clock });
    clock.jump(59_999);
    expect((await register({ store, clock })).clientId).toBe("client-1");
    clock.jump(1);
    expect((await register({ store, clock })).clientId).toBe("client-2");
  });

  it("is the one that another process stored first", async () => {
    const store = memoryStore();
    const { register, registrations } = await start();
    const clients = await Promise.all(Array.from({ length: 5 }, () => register({ store })));
    expect(new Set(clients.map(({ clientId }) => clientId)).size).toBe(1);
    expect(registrations()).toHaveLength(5);
    expect((await loadClient(store))?.registration?.client_id).toBe(clients[0]?.clientId);
  });

  it("keeps what else is stored of the client", async () => {
    const store = memoryStore();
    await updateClient(store, () => ({ tokenOrigin: "https://as.example", later: 1 }));
    const { register, server } = await start();
    await register({ store });
    expect(await loadClient(store)).toEqual({
      tokenOrigin: "https://as.example",
      later: 1,
      issuer: server.origin,
      metadata: expect.objectContaining(app),
      registration: expect.objectContaining({ client_id: "client-1" }),
    });
  });
});
