import { execFile } from "node:child_process";
import type { ServerResponse } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { TokenEndpointError } from "../../src/errors.ts";
import { createTokenManager } from "../../src/index.ts";
import { type OAuth2RefreshOptions, oauth2Refresh } from "../../src/oauth2.ts";
import type { TokenResponse, TokenSet } from "../../src/types.ts";
import { printed } from "../support/leaks.ts";
import {
  drop,
  type Handler,
  listen,
  type Received,
  respondWith,
  startServer,
  startTlsServer,
} from "../support/server.ts";

const tokens: TokenSet = {
  accessToken: canary("access", 1),
  refreshToken: canary("refresh", "1/+~ é"),
  tokenType: "Bearer",
  extra: {},
};
const CLIENT_ID = "client:1 é+/~*'()";
const SECRET = "s3cr:et~Q /+%é*'()";
const good = respondWith(200, {
  access_token: canary("access", 2),
  refresh_token: canary("refresh", 2),
  expires_in: 3600,
});

const exchange = (
  options: Partial<OAuth2RefreshOptions> & Pick<OAuth2RefreshOptions, "tokenEndpoint">,
  signal = new AbortController().signal,
): Promise<TokenResponse> =>
  oauth2Refresh({ clientId: CLIENT_ID, ...options })(tokens, { signal, attemptId: "1" }) as Promise<TokenResponse>;

const failure = async (promise: Promise<unknown>): Promise<TokenEndpointError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TokenEndpointError);
  return error as TokenEndpointError;
};

/** Makes an exchange with a server that plays this script, and returns its failure. */
const playing = async (...script: Handler[]) => {
  await using server = await startServer(...script);
  const error = await failure(exchange({ tokenEndpoint: `${server.origin}/token` }));
  return { error, received: server.received, origin: server.origin };
};

it("is not sent if a proxy refuses the connection", async () => {
  const connects: string[] = [];
  const proxy = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => {
      connects.push(String(data).split("\r\n")[0] ?? "");
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    });
  });
  await using listening = await listen(proxy);
  const env = { ...process.env, NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: listening.origin, NO_PROXY: "", no_proxy: "" };
  const fixture = join(import.meta.dirname, "..", "fixtures", "refresh-through-proxy.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [fixture], { env });
  expect(connects).toEqual(["CONNECT as.example:443 HTTP/1.1"]);
  expect(JSON.parse(stdout)).toEqual({ code: "REFRESH_FAILED", sent: false, hasSession: true });
});

describe("the request", () => {
  const send = async (options: Partial<OAuth2RefreshOptions> = {}) => {
    await using server = await startServer(good);
    const response = await exchange({ tokenEndpoint: `${server.origin}/token?tenant=1`, ...options });
    expect(response).toMatchObject({ access_token: canary("access", 2), expires_in: 3600 });
    expect(server.received).toHaveLength(1);
    const request = server.received[0] as Received;
    const form = new URLSearchParams(request.body);
    return { ...request, form, fields: Object.fromEntries(form) };
  };

  it("is a form that identifies a public client", async () => {
    const { method, path, headers, fields } = await send();
    expect({ method, path }).toEqual({ method: "POST", path: "/token?tenant=1" });
    expect(headers["content-type"]).toBe("application/x-www-form-urlencoded;charset=UTF-8");
    expect(headers.accept).toBe("application/json");
    expect(headers.authorization).toBeUndefined();
    expect(fields).toEqual({ grant_type: "refresh_token", refresh_token: tokens.refreshToken, client_id: CLIENT_ID });
  });

  it("contains scope and resources", async () => {
    const { form } = await send({ scope: "read write", resource: ["https://a.example", "https://b.example"] });
    expect(form.get("scope")).toBe("read write");
    expect(form.getAll("resource")).toEqual(["https://a.example", "https://b.example"]);
    expect((await send({ resource: "https://a.example" })).form.getAll("resource")).toEqual(["https://a.example"]);
  });

  it("is sent through the given fetch function", async () => {
    const calls: string[] = [];
    await send({
      fetch: (input, init) => {
        calls.push(`${init?.method} ${init?.redirect}`);
        return fetch(input, init);
      },
    });
    expect(calls).toEqual(["POST manual"]);
  });
});

const date = (seconds: number) => new Date(Date.UTC(2020, 0, 1, 0, 0, seconds)).toUTCString(); // far from our clock

describe("an error response", () => {
  const grant = { error: "invalid_grant", error_description: "Gone." };
  it.each<[string, Handler, object]>([
    [
      "200 with an error",
      respondWith(200, { error: "bad_refresh_token" }),
      { status: 200, error: "bad_refresh_token" },
    ],
    ["200 without a token", respondWith(200, { token_type: "Bearer" }), { status: 200, error: undefined }],
    ["200 with an empty token", respondWith(200, { access_token: 7 }), { status: 200, error: undefined }],
    [
      "200 with the names in camelCase",
      respondWith(200, { accessToken: "x", refreshToken: "y" }),
      { status: 200, error: undefined },
    ],
    ["200 and empty", respondWith(200), { status: 200, error: undefined }],
    ["200 and HTML", respondWith(200, "<html>Sign in to the Wi-Fi</html>"), { status: 200, error: undefined }],
    ["200 and null", respondWith(200, null), { status: 200, error: undefined }],
    ...[400, 401, 403, 404, 500, 502, 503, 504].map((status): [string, Handler, object] => [
      `${status} with invalid_grant`,
      respondWith(status, grant),
      { status, error: "invalid_grant", description: "Gone." },
    ]),
    ["an error object", respondWith(401, { error: { code: "x", message: "m" } }), { error: "x", description: "m" }],
    ["a typed error object", respondWith(404, { error: { type: "not_found_error" } }), { error: "not_found_error" }],
    [
      "Supabase's error_code",
      respondWith(400, { code: 400, error_code: "y", msg: "m" }),
      { error: "y", description: "m" },
    ],
    ["a token with an error status", respondWith(500, { access_token: "x" }), { status: 500, error: undefined }],
    ["502 and HTML", respondWith(502, "<html>"), { status: 502, error: undefined }],
    ["429, seconds", respondWith(429, "", { "retry-after": "7" }), { status: 429, retryAfter: 7_000 }],
    [
      "503, date",
      respondWith(503, "", { "retry-after": date(90), date: date(0) }),
      { status: 503, retryAfter: 90_000 },
    ],
    ["503, past date", respondWith(503, "", { "retry-after": date(0), date: date(9) }), { status: 503, retryAfter: 0 }],
    [
      "429, date of a server that does not tell its own",
      tellDelay,
      { status: 429, retryAfter: expect.closeTo(90_000, -4) },
    ],
    ["503, nonsense", respondWith(503, "", { "retry-after": "soon" }), { status: 503, retryAfter: undefined }],
    ["503, an excessive delay", respondWith(503, "", { "retry-after": "9".repeat(30) }), { retryAfter: 3_600_000 }],
    [
      "307",
      respondWith(307, "", { location: "https://b.example/token/?key=canary" }),
      { status: 307, description: "redirects to https://b.example/token/" },
    ],
    [
      "302, relative",
      respondWith(302, "", { location: "/token/" }),
      { status: 302, description: expect.stringMatching(/^redirects to http:\S+\/token\/$/) },
    ],
    ["301 to nowhere", respondWith(301), { status: 301, description: undefined }],
  ])("is reported after one POST, without a retry: %s", async (_name, handler, expected) => {
    const { error, received, origin } = await playing(handler);
    expect(error).toMatchObject({ ...expected, sent: true, endpoint: `${origin}/token` });
    expect(received).toHaveLength(1);
    expect(error.message).toMatch(/^The token endpoint http\S+\/token responded with HTTP \d{3}/);
  });
});

/** Responds with 429, and the time in 90 seconds, but without the server's own time. */
function tellDelay(response: ServerResponse): void {
  response.sendDate = false;
  respondWith(429, "", { "retry-after": new Date(Date.now() + 90_000).toUTCString() })(response, {} as Received);
}

describe("an incomplete response", () => {
  const cut: Handler = (response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write('{"access_token":"canary-access-2"');
    setTimeout(() => response.destroy(), 20);
  };
  const cutChunk: Handler = (response) => {
    response.writeHead(200, { "transfer-encoding": "chunked" });
    response.write('{"access_token":"canary-access-2"}');
    setTimeout(() => response.destroy(), 20);
  };
  it.each([
    ["a reset after the request", drop],
    ["a truncated body", cut],
    ["a truncated chunked body", cutChunk],
  ])("counts as sent, after one POST: %s", async (_name, handler) => {
    const { error, received } = await playing(handler);
    expect(error).toMatchObject({ sent: true, status: undefined, error: undefined });
    expect(error.message).toMatch(/did not return a complete response: ./);
    expect(printed(error)).not.toContain("canary"); // nor the part of the new tokens that arrived
    expect(received).toHaveLength(1);
  });

  it.each([0, 50])("counts as sent if the connection is reset %s ms after it was accepted", async (delay) => {
    await using server = await listen(createServer((socket) => void setTimeout(() => socket.resetAndDestroy(), delay)));
    expect(await failure(exchange({ tokenEndpoint: server.origin }))).toMatchObject({ sent: true });
  });

  it("counts as sent if the deadline passes", async () => {
    await using server = await startServer(() => {});
    const pending = failure(exchange({ tokenEndpoint: server.origin }, AbortSignal.timeout(50)));
    expect(await pending).toMatchObject({ sent: true, status: undefined, cause: { name: "TimeoutError" } });
    expect(server.received).toHaveLength(1);
  });

  it("is no longer read after the deadline", async () => {
    await using server = await startServer((response) => void response.writeHead(200).write("{"));
    expect(await failure(exchange({ tokenEndpoint: server.origin }, AbortSignal.timeout(50)))).toMatchObject({
      sent: true,
    });
  });
});

describe("a request that certainly was not sent", () => {
  const unsent = async (tokenEndpoint: string) => {
    const error = await failure(exchange({ tokenEndpoint }));
    expect(error).toMatchObject({ sent: false, status: undefined });
    expect(error.message).toMatch(/received no request: ./);
  };
  const closedPort = async () => {
    await using server = await startServer();
    return server.port;
  };

  it("is recognized if the port is closed, given an address", async () =>
    unsent(`http://127.0.0.1:${await closedPort()}`));
  it("is recognized if the port is closed, given a name with several addresses", async () =>
    unsent(`http://localhost:${await closedPort()}`));
  it("is recognized if the host is unknown", () => unsent("https://nowhere.invalid/token"));
  it("is recognized if the server does not use TLS", async () => {
    await using server = await startServer(good);
    await unsent(`https://127.0.0.1:${server.port}`);
    expect(server.received).toHaveLength(0);
  });
  it("is recognized if the certificate is untrusted", async () => {
    await using server = await startTlsServer();
    await unsent(`https://127.0.0.1:${server.port}`);
  });
  it("is recognized if fetch refuses the port", () => unsent("http://127.0.0.1:6000/token"));
  it("is recognized if the client's authentication fails", async () => {
    await using server = await startServer(good);
    const clientAuth = () => Promise.reject(new Error("no key"));
    const error = await failure(exchange({ tokenEndpoint: `${server.origin}/token`, clientAuth }));
    expect(error).toMatchObject({ sent: false, message: expect.stringMatching(/received no request: no key$/) });
    expect(server.received).toHaveLength(0);
  });
  it("is not made up for after the deadline: a slow authentication of the client", async () => {
    await using server = await startServer(good);
    const controller = new AbortController();
    const clientAuth = async () => controller.abort(new DOMException("late", "TimeoutError"));
    const refresh = oauth2Refresh({
      tokenEndpoint: `${server.origin}/token`,
      clientId: "c",
      clientAuth,
      fetch: (input, init) => fetch(input, { ...init, signal: null }),
    });
    const error = await failure(refresh(tokens, { attemptId: "a", signal: controller.signal }));
    expect(error).toMatchObject({ sent: false });
    expect(server.received).toHaveLength(0);
  });
  it("is recognized if the connection closes before the TLS handshake", async () => {
    await using server = await listen(createServer((socket) => void socket.destroy()));
    await unsent(`https://127.0.0.1:${server.port}`);
  });
});

describe("an exception of a custom fetch", () => {
  const throwing = (error: unknown) =>
    failure(exchange({ tokenEndpoint: "https://a.example", fetch: () => Promise.reject(error) }));
  const connect = Object.assign(new Error("x"), { syscall: "connect" });
  const cyclic = new Error("round");
  cyclic.cause = cyclic;
  it.each<[string, unknown, boolean]>([
    ["a string", "no", true],
    ["undefined", undefined, true],
    ["an error that is its own cause", cyclic, true],
    ["an aggregate of refused connections", new AggregateError([connect, connect]), false],
    ["an aggregate with one that may have been sent", new AggregateError([connect, new Error("?")]), true],
    ["an empty aggregate", new AggregateError([]), true],
    ["a read that failed", Object.assign(new Error("x"), { syscall: "read", code: "ECONNRESET" }), true],
    ["a corrupt TLS record", Object.assign(new Error("x"), { code: "ERR_SSL_DECRYPTION_FAILED" }), true],
    ["a refused connection in another realm", { cause: { syscall: "connect" } }, false],
  ])("tells whether the request may have been sent: %s", async (_name, error, sent) => {
    expect(await throwing(error)).toMatchObject({ sent });
  });
});

describe("an error of the endpoint (P8)", () => {
  const clientAuth = { method: "client_secret_basic", clientSecret: SECRET } as const;
  const echo = (text: string) => respondWith(400, { error: "x", error_description: text });

  it.each([
    ["the refresh token", tokens.refreshToken ?? ""],
    ["the refresh token, percent-encoded", encodeURIComponent(tokens.refreshToken ?? "")],
    ["the refresh token, form-encoded", new URLSearchParams({ a: tokens.refreshToken ?? "" }).toString().slice(2)],
    ["the access token", tokens.accessToken],
    ["the client secret", SECRET],
    ["the client secret, form-encoded", new URLSearchParams({ a: SECRET }).toString().slice(2)],
  ])("does not contain %s if the server echoes it", async (_name, text) => {
    await using server = await startServer(echo(`${"…".repeat(195)}${text}`));
    const error = await failure(exchange({ tokenEndpoint: server.origin, clientAuth }));
    expect(printed(error)).not.toContain(text.slice(0, 4));
    expect(error.description).toContain("[secr");
  });

  it("does not contain the Basic header", async () => {
    const send = oauth2Refresh({
      tokenEndpoint: "https://a.example",
      clientId: "c1",
      clientAuth: { method: "client_secret_basic", clientSecret: "Qs3cret" },
      fetch: async (_input, init) => {
        throw new Error(`refused ${JSON.stringify(init?.headers)}`);
      },
    });
    const error = await failure(send(tokens, { signal: AbortSignal.timeout(1_000), attemptId: "1" }));
    expect(printed(error)).not.toContain(Buffer.from("c1:Qs3cret").toString("base64"));
    expect(printed(error)).toContain("Basic [secret]");
  });

  it("does not contain what a custom fetch adds to its error", async () => {
    const fetch: typeof globalThis.fetch = (input, init) => {
      const cause = Object.assign(new Error(`at ${String(init?.body)}`), { request: init });
      return Promise.reject(Object.assign(new Error(`POST ${String(input)} failed`, { cause }), { config: init }));
    };
    const error = await failure(exchange({ tokenEndpoint: "https://a.example", fetch, clientAuth }));
    expect(printed(error)).not.toMatch(/canary|s3cr/);
    expect(printed(error)).toContain("grant_type");
  });

  it.each([400, 401, 500, 502])("contains no secret in a manager and its events, either (%i)", async (status) => {
    const { accessToken, refreshToken = "" } = tokens;
    await using server = await startServer(
      respondWith(status, { error: `x-${SECRET}`, error_description: `${refreshToken} ${accessToken}` }),
    );
    const refresh = oauth2Refresh({ tokenEndpoint: server.origin, clientId: CLIENT_ID, clientAuth });
    await using manager = createTokenManager({ refresh });
    const said: unknown[] = [];
    manager.subscribe((event) => said.push(event));
    await manager.signIn({ ...tokens, expiresAt: 1 });
    said.push(await manager.getAccessToken().catch((error: unknown) => error), await manager.refresh().catch((e) => e));
    expect(said.at(-1)).toMatchObject({ code: "REFRESH_FAILED", cause: { code: "TOKEN_ENDPOINT", status } });
    expect(said.map(printed).join()).not.toMatch(/canary|s3cr/);
    expect(server.received).toHaveLength(1); // and the endpoint is left alone for a while
  });

  it("does not contain keys in the endpoint's query", async () => {
    await using server = await startServer(respondWith(500));
    const error = await failure(exchange({ tokenEndpoint: `${server.origin}/token?code=s3cr` }));
    expect(printed(error)).not.toContain("s3cr");
    expect(server.received[0]?.path).toBe("/token?code=s3cr");
  });

  it("does not contain control characters of a terminal", async () => {
    const { error } = await playing(echo("\u001b[2Jgone\nforever"));
    expect(error.description).toBe(" [2Jgone forever");
  });
});

describe("revocation", () => {
  const revoke = (origin: string, options: Partial<OAuth2RefreshOptions> = {}) =>
    oauth2Refresh({
      tokenEndpoint: "https://a.example/token",
      revocationEndpoint: `${origin}/revoke`,
      clientId: "c",
      ...options,
    }).revoke?.(tokens);

  it("is available only with an endpoint", () => {
    expect(oauth2Refresh({ tokenEndpoint: "https://a.example", clientId: "c" }).revoke).toBeUndefined();
  });

  it("presents the refresh token", async () => {
    await using server = await startServer(respondWith(200));
    await revoke(server.origin);
    expect(server.received.map(({ path }) => path)).toEqual(["/revoke"]);
    expect(Object.fromEntries(new URLSearchParams(server.received[0]?.body))).toMatchObject({
      client_id: "c",
      token: tokens.refreshToken,
    });
  });

  it.each<[string, Handler, object]>([
    ["an error response", respondWith(503, { error: "temporarily_unavailable" }), { status: 503, sent: true }],
    [
      "an error response that echoes the token",
      respondWith(400, { error: "x", error_description: `no ${tokens.refreshToken}` }),
      { description: "no [secret]" },
    ],
    ["a reset connection", drop, { status: undefined, sent: true }],
    ["no response", () => {}, { cause: { name: "TimeoutError" } }],
  ])("fails with a typed error that names the endpoint and no secret: %s", async (_name, handler, expected) => {
    await using server = await startServer(handler);
    const error = await failure(revoke(server.origin, { timeout: 100 }) ?? Promise.resolve());
    expect(error).toMatchObject({ ...expected, endpoint: `${server.origin}/revoke` });
    expect(printed(error)).not.toContain("canary");
  });
});

describe("the expiry of a JWT in a response without expires_in (P13)", () => {
  const SERVER_NOW = Date.UTC(2031, 0, 1);
  const jwt = (exp: number) => `e30.${btoa(JSON.stringify({ exp }))}.${canary("access", 2)}`;
  const expiresIn = async (body: object) => {
    await using server = await startServer(respondWith(200, body, { date: new Date(SERVER_NOW).toUTCString() }));
    return (await exchange({ tokenEndpoint: `${server.origin}/token` })).expires_in;
  };

  it.each([
    { name: "counts from the server's own clock", body: { access_token: jwt(SERVER_NOW / 1000 + 600) }, seconds: 600 },
    { name: "is unknown if it has passed", body: { access_token: jwt(SERVER_NOW / 1000) }, seconds: undefined },
    { name: "gives way to expires_in", body: { access_token: jwt(SERVER_NOW), expires_in: 60 }, seconds: 60 },
    { name: "is unknown without a JWT", body: { access_token: canary("access", 2) }, seconds: undefined },
  ])("$name", async ({ body, seconds }) => {
    expect(await expiresIn(body)).toBe(seconds);
  });
});
