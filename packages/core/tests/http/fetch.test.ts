import { createServer } from "node:net";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import {
  createFetch,
  createTokenManager,
  perRequest,
  type RefreshFunction,
  TokenEndpointError,
} from "../../src/index.ts";
import { Issuer } from "../support/issuer.ts";
import { type Handler, listen, respondWith, startServer } from "../support/server.ts";

const ok = respondWith(200, "fine");
const rejected = respondWith(401, "no", { "www-authenticate": 'Bearer error="invalid_token"' });
const bearer = (number: number) => `Bearer ${canary("access", number)}`;

async function start(script: readonly Handler[], refresh?: RefreshFunction) {
  const issuer = new Issuer();
  const server = await startServer(...script);
  const manager = createTokenManager({ refresh: refresh ?? issuer.refresh });
  await manager.signIn({ ...issuer.tokens(), expiresAt: Date.now() + 3_600_000 });
  const fetchWithTokens = createFetch(manager, { origins: [server.origin] });
  const dispose = async () => {
    await manager.close();
    await server.close();
  };
  const authorizations = () => server.received.map(({ headers }) => headers.authorization);
  return { ...server, issuer, manager, fetchWithTokens, authorizations, [Symbol.asyncDispose]: dispose };
}

describe("fetch with tokens", () => {
  it.each<[string, (url: string) => [RequestInfo | URL, RequestInit?]]>([
    ["a string", (url) => [url]],
    ["a URL", (url) => [new URL(url)]],
    ["a Request", (url) => [new Request(url, { headers: { "x-own": "1" } })]],
    ["headers as an object", (url) => [url, { headers: { "x-own": "1" } }]],
    ["headers as an array", (url) => [url, { headers: [["x-own", "1"]] }]],
    ["a Headers object", (url) => [url, { headers: new Headers({ "x-own": "1" }) }]],
    [
      "a Request and init",
      (url) => [new Request(url, { method: "PUT" }), { method: "POST", headers: { "x-own": "1" } }],
    ],
  ])("attaches the token to a call with %s", async (_name, toArguments) => {
    await using api = await start([ok]);
    const [input, init] = toArguments(`${api.origin}/path?q=1`);
    expect((await api.fetchWithTokens(input, init)).status).toBe(200);
    expect(api.authorizations()).toEqual([bearer(1)]);
    expect(api.received[0]).toMatchObject({ path: "/path?q=1", method: init?.method ?? "GET" });
    if (init?.headers || input instanceof Request) expect(api.received[0]?.headers["x-own"]).toBe("1");
  });

  it("leaves the caller's headers unchanged", async () => {
    await using api = await start([ok]);
    const headers = new Headers();
    const request = new Request(api.origin);
    await api.fetchWithTokens(api.origin, { headers });
    await api.fetchWithTokens(request);
    expect([...headers, ...request.headers]).toEqual([]);
  });

  it.each<[string, HeadersInit]>([
    ["object", { AUTHORIZATION: "Basic own" }],
    ["array", [["authorization", "Basic own"]]],
    ["Headers", new Headers({ Authorization: "Basic own" })],
  ])("keeps the caller's own Authorization (%s), and returns its 401", async (_name, headers) => {
    await using api = await start([rejected]);
    for (const call of [
      () => api.fetchWithTokens(api.origin, { headers }),
      () => api.fetchWithTokens(new Request(api.origin, { headers })),
    ]) {
      const response = await call();
      expect([response.status, await response.text()]).toEqual([401, "no"]);
    }
    expect(api.authorizations()).toEqual(["Basic own", "Basic own"]);
    expect(api.issuer.presented).toEqual([]);
  });

  it("attaches the token if init's headers replace a Request's own Authorization", async () => {
    await using api = await start([ok]);
    await api.fetchWithTokens(new Request(api.origin, { headers: { authorization: "Basic own" } }), { headers: {} });
    expect(api.authorizations()).toEqual([bearer(1)]);
  });

  it("requests no token for a relative URL, and rejects with fetch's own error", async () => {
    await using api = await start([ok]);
    const own = await fetch("/relative").catch((error: unknown) => error);
    const ours = await api.fetchWithTokens("/relative").catch((error: unknown) => error);
    expect(ours).toBeInstanceOf(TypeError);
    expect(String(ours)).toBe(String(own));
  });

  it("is not misled by a URL object that changes while the token is fetched (P9)", async () => {
    await using api = await start([ok]);
    await using other = await startServer(ok);
    const url = new URL(api.origin);
    const pending = api.fetchWithTokens(url);
    url.port = `${other.port}`;
    await pending;
    expect(api.authorizations()).toEqual([bearer(1)]);
    expect(other.received).toEqual([]);
  });

  it("treats signal: null as no signal, even if the Request has one", async () => {
    await using api = await start([ok]);
    const aborted = AbortSignal.abort();
    expect((await api.fetchWithTokens(api.origin, { signal: null })).status).toBe(200);
    expect((await api.fetchWithTokens(new Request(api.origin, { signal: aborted }), { signal: null })).status).toBe(
      200,
    );
    await expect(api.fetchWithTokens(new Request(api.origin, { signal: aborted }))).rejects.toMatchObject({
      name: "AbortError",
    });
  });
});

describe("a 401 (P10)", () => {
  it("causes one exchange and one retry with the new token", async () => {
    await using api = await start([rejected, ok]);
    const response = await api.fetchWithTokens(api.origin);
    expect([response.status, await response.text()]).toEqual([200, "fine"]);
    expect(api.authorizations()).toEqual([bearer(1), bearer(2)]);
    expect(api.issuer.presented).toEqual([canary("refresh", 1)]);
  });

  it("is returned to the caller if the retry is rejected, too", async () => {
    await using api = await start([rejected]);
    const response = await api.fetchWithTokens(api.origin);
    expect([response.status, await response.text()]).toEqual([401, "no"]);
    expect(api.authorizations()).toEqual([bearer(1), bearer(2)]);
    expect(api.issuer.presented).toHaveLength(1);
  });

  it("is returned without a retry or an exchange if the token was just obtained", async () => {
    await using api = await start([rejected]);
    await api.manager.refresh();
    const response = await api.fetchWithTokens(api.origin);
    expect([response.status, await response.text()]).toEqual([401, "no"]);
    expect(api.authorizations()).toEqual([bearer(2)]);
    expect(api.issuer.presented).toHaveLength(1);
  });

  it.each([
    'Bearer error="insufficient_scope"',
    "Bearer realm=x, error=insufficient_scope",
    'bearer ERROR = "insufficient_scope"',
  ])("is returned to the caller if the challenge is %s", async (challenge) => {
    await using api = await start([respondWith(401, "no", { "www-authenticate": challenge })]);
    expect((await api.fetchWithTokens(api.origin)).status).toBe(401);
    expect(api.received).toHaveLength(1);
    expect(api.issuer.presented).toEqual([]);
  });

  it("is retried without an exchange if the token was refreshed in the meantime", async () => {
    let release = () => {};
    const late: Handler = (response, received) => {
      release = () => rejected(response, received);
    };
    await using api = await start([late, ok]);
    const pending = api.fetchWithTokens(api.origin);
    while (api.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await api.manager.refresh();
    release();
    expect((await pending).status).toBe(200);
    expect(api.authorizations()).toEqual([bearer(1), bearer(2)]);
    expect(api.issuer.presented).toHaveLength(1);
  });

  it("causes one exchange if a hundred concurrent calls receive it", async () => {
    const onlyNewer: Handler = (response, received) =>
      (received.headers.authorization === bearer(1) ? rejected : ok)(response, received);
    await using api = await start([onlyNewer]);
    const responses = await Promise.all(Array.from({ length: 100 }, () => api.fetchWithTokens(api.origin)));
    expect(responses.map(({ status }) => status)).toEqual(Array(100).fill(200));
    expect(api.issuer.presented).toHaveLength(1);
    expect(api.authorizations().filter((each) => each === bearer(1)).length).toBeGreaterThan(1);
    expect(api.received.length).toBeLessThanOrEqual(200);
  });

  it("is no longer waited for by a caller that aborts, while the exchange continues", async () => {
    let finish = () => {};
    const issuer = new Issuer();
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const refresh: RefreshFunction = async (current, context) => {
      await gate;
      return issuer.refresh(current, context);
    };
    await using api = await start([rejected, ok], refresh);
    const controller = new AbortController();
    const pending = api.fetchWithTokens(api.origin, { signal: controller.signal });
    while (api.manager.state?.status !== "refreshing") await new Promise((resolve) => setTimeout(resolve, 1));
    controller.abort(new Error("enough"));
    await expect(pending).rejects.toThrow("enough");
    finish();
    expect((await api.fetchWithTokens(api.origin)).status).toBe(200);
    expect(api.authorizations()).toEqual([bearer(1), bearer(2)]);
    expect(issuer.presented).toHaveLength(1);
  });

  it.each([
    ["REFRESH_FAILED", { status: 503, sent: true }],
    ["REFRESH_FAILED", { sent: false }],
    ["CONFIGURATION", { error: "invalid_client", status: 401, sent: true }],
    ["SIGN_IN_REQUIRED", { error: "invalid_grant", status: 400, sent: true }],
  ])("causes a rejection with %s if the endpoint fails with %o", async (code, details) => {
    await using api = await start([rejected], async () => {
      throw new TokenEndpointError(details);
    });
    await expect(api.fetchWithTokens(api.origin)).rejects.toMatchObject({ code });
    expect(api.received).toHaveLength(1);
  });

  it("has its body canceled if no caller receives it", async () => {
    await using api = await start([rejected], async () => {
      throw new TokenEndpointError({ sent: false });
    });
    const seen: Response[] = [];
    const keep: typeof fetch = async (...call) => {
      seen.push(await fetch(...call));
      return seen.at(-1) as Response;
    };
    const fetchWithTokens = createFetch(api.manager, { origins: [api.origin], fetch: keep });
    await expect(fetchWithTokens(api.origin)).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(await seen[0]?.body?.getReader().closed).toBeUndefined(); // canceled, and therefore closed
  });

  it("does not occur without a session: the call rejects before anything is sent", async () => {
    await using api = await start([ok]);
    await api.manager.signOut({ revoke: false });
    await expect(api.fetchWithTokens(api.origin)).rejects.toMatchObject({
      code: "SIGN_IN_REQUIRED",
      reason: "signed_out",
    });
    expect(api.received).toEqual([]);
  });
});

describe("a call with a body (P11)", () => {
  const form = new FormData();
  form.set("field", "body");
  const bytes = new TextEncoder().encode("body");
  it.each<[string, (url: string) => [RequestInfo | URL, RequestInit?]]>([
    ["string", (url) => [url, { method: "POST", body: "body" }]],
    ["URLSearchParams", (url) => [url, { method: "POST", body: new URLSearchParams({ a: "body" }) }]],
    ["FormData", (url) => [url, { method: "POST", body: form }]],
    ["Blob", (url) => [url, { method: "POST", body: new Blob(["body"]) }]],
    ["ArrayBuffer", (url) => [url, { method: "POST", body: bytes.buffer }]],
    ["Uint8Array", (url) => [url, { method: "POST", body: bytes }]],
    ["Request", (url) => [new Request(url, { method: "POST", body: "body" })]],
    ["Request over a stream", (url) => [streaming(url)]],
    ["Request with init's body", (url) => [new Request(url, { method: "POST", body: "other" }), { body: "body" }]],
    ["none", (url) => [url, { method: "DELETE" }]],
  ])("sends it again unchanged after a 401: %s", async (name, toArguments) => {
    await using api = await start([rejected, ok]);
    expect((await api.fetchWithTokens(...toArguments(api.origin))).status).toBe(200);
    const plain = api.received.map(({ body }) => body.replaceAll(/formdata-\S+/g, ""));
    expect(plain).toHaveLength(2);
    expect(plain[0]).toBe(plain[1]);
    if (name !== "none") expect(plain[0]).toContain("body");
  });

  const streaming = (url: string) =>
    new Request(url, { method: "POST", body: stream(), duplex: "half" } as RequestInit);
  const stream = () => new Blob(["body"]).stream();
  async function* iterate() {
    yield bytes;
  }

  it.each<[string, () => unknown]>([
    ["ReadableStream", stream],
    ["async iterable", iterate],
  ])("sends it once, and returns the 401; the next call has a new token: %s", async (_name, toBody) => {
    await using api = await start([rejected, ok]);
    const init = { method: "POST", body: toBody(), duplex: "half" } as RequestInit;
    const response = await api.fetchWithTokens(api.origin, init);
    expect([response.status, await response.text()]).toEqual([401, "no"]);
    expect(api.received.map(({ body }) => body)).toEqual(["body"]);
    await api.fetchWithTokens(api.origin);
    expect(api.authorizations()).toEqual([bearer(1), bearer(2)]);
    expect(api.issuer.presented).toHaveLength(1);
  });

  it("returns the 401 of a stream even if the refresh fails", async () => {
    await using api = await start([rejected], async () => {
      throw new TokenEndpointError({ error: "invalid_grant", sent: true });
    });
    const init = { method: "POST", body: stream(), duplex: "half" } as RequestInit;
    expect((await api.fetchWithTokens(api.origin, init)).status).toBe(401);
    await expect(api.fetchWithTokens(api.origin)).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
  });
});

describe("fetch with tokens, by origin (P9)", () => {
  it("sends no token to another origin, and makes no exchange for its 401", async () => {
    await using api = await start([ok]);
    await using other = await startServer(rejected);
    const fetchWithTokens = createFetch(api.manager, { origins: [api.origin, "https://api.example.com"] });
    for (const url of [
      other.origin,
      `http://localhost:${other.port}`,
      `http://localhost:${other.port}/${api.origin}`,
    ]) {
      expect((await fetchWithTokens(url)).status).toBe(401);
      expect((await fetchWithTokens(new Request(url))).status).toBe(401);
    }
    expect(other.received.map(({ headers }) => headers.authorization)).toEqual(Array(6).fill(undefined));
    expect(api.issuer.presented).toEqual([]);
  });

  it.each([302, 307, 308])("drops the token if a %s changes the origin, and returns its 401", async (status) => {
    await using other = await startServer(rejected);
    const redirect: Handler = (response) => response.writeHead(status, { location: other.origin }).end();
    await using api = await start([redirect]);
    const wide = createFetch(api.manager, { origins: [api.origin, other.origin] }); // allowed, but without the token
    for (const send of [api.fetchWithTokens, wide]) {
      const response = await send(api.origin, { method: "POST", body: "body" });
      expect([response.status, await response.text()]).toEqual([401, "no"]);
    }
    expect(api.authorizations()).toEqual([bearer(1), bearer(1)]);
    expect(other.received.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
    expect(api.issuer.presented).toEqual([]);
  });

  it("keeps the token and the retry after a redirect within the origin", async () => {
    const redirect: Handler = (response) => response.writeHead(307, { location: "/next" }).end();
    await using api = await start([redirect, rejected, redirect, ok]);
    expect((await api.fetchWithTokens(api.origin)).status).toBe(200);
    expect(api.authorizations()).toEqual([bearer(1), bearer(1), bearer(2), bearer(2)]);
  });

  it("sends no token if the request's own Host header names another host", async () => {
    await using api = await start([ok]);
    const host = "other-tenant.example";
    await api.fetchWithTokens(api.origin, { headers: { host } });
    await api.fetchWithTokens(new Request(api.origin, { headers: { host } }));
    await api.fetchWithTokens(api.origin, { headers: { host: new URL(api.origin).host } });
    expect(api.authorizations()).toEqual([undefined, undefined, bearer(1)]);
  });

  it("rejects a URL with user information with fetch's own error, which contains no token", async () => {
    await using api = await start([ok]);
    await using trap = await listen(createServer());
    const url = `http://${new URL(api.origin).host}@127.0.0.1:${trap.port}`;
    const error: unknown = await api.fetchWithTokens(url).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).not.toContain("canary");
  });
});

describe("isUnauthorized", () => {
  const refused = respondWith(200, '{"errors":["UNAUTHENTICATED"]}');
  const isUnauthorized = async (response: Response) => (await response.clone().text()).includes("UNAUTHENTICATED");

  it("takes precedence over the status", async () => {
    await using api = await start([refused, ok, rejected]);
    const send = createFetch(api.manager, { origins: [api.origin], isUnauthorized });
    expect(await (await send(api.origin)).text()).toBe("fine");
    const response = await send(api.origin);
    expect([response.status, await response.text()]).toEqual([401, "no"]);
    expect(api.authorizations()).toEqual([bearer(1), bearer(2), bearer(2)]);
  });

  it("makes the call reject with its exception", async () => {
    await using api = await start([ok]);
    const isUnauthorized = () => {
      throw new RangeError("mine");
    };
    const send = createFetch(api.manager, { origins: [api.origin], isUnauthorized });
    await expect(send(api.origin)).rejects.toThrow("mine");
  });
});

describe("a single request", () => {
  it("can be sent without a token, or without a retry", async () => {
    await using api = await start([rejected, rejected]);
    expect((await api.fetchWithTokens(api.origin, perRequest({ tokens: false }))).status).toBe(401);
    expect(api.issuer.presented).toEqual([]);
    const options = { method: "POST", ...perRequest({ retry: false }) };
    expect((await api.fetchWithTokens(api.origin, options)).status).toBe(401);
    expect(api.authorizations()).toEqual([undefined, bearer(1)]);
  });
});

describe("createFetch", () => {
  const source = createTokenManager();
  it.each<[string, unknown, RegExp]>([
    ["no options", undefined, /^createFetch: expected an object of options, not undefined/],
    ["no origins", {}, /^origins: expected an array of origins or a function, not undefined\.$/],
    ["a fetch of another type", { origins: [], fetch: "x" }, /^fetch: expected a function, not a string\.$/],
    [
      "an isUnauthorized of another type",
      { origins: [], isUnauthorized: true },
      /^isUnauthorized: expected a function from a Response to/,
    ],
    [
      "a misspelled option",
      { origins: [], fetc: fetch },
      /^createFetch: unknown option "fetc"\. Supported: origins, allowInsecure, fetch, isUnauthorized, placeholder, whenSignedOut\.$/,
    ],
  ])("throws a TypeError for %s", (_name, options, message) => {
    expect(() => createFetch(source, options as never)).toThrow(TypeError);
    expect(() => createFetch(source, options as never)).toThrow(message);
  });
});
