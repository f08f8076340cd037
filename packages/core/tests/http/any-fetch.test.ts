import { createServer } from "node:http";
import { Readable } from "node:stream";
import { canary } from "@unexpired-internal/test-support/canary";
import nodeFetch, { Request as NodeFetchRequest } from "node-fetch";
import createClient from "openapi-fetch";
import { describe, expect, it } from "vitest";
import { discardBody } from "../../src/adapter.ts";
import {
  createFetch,
  createTokenManager,
  type FetchOptions,
  perRequest,
  type RefreshFunction,
  TokenEndpointError,
} from "../../src/index.ts";
import { Issuer } from "../support/issuer.ts";
import { type Handler, listen, respondWith, startServer } from "../support/server.ts";

const API = "https://api.example.com";
const bearer = (number: number) => `Bearer ${canary("access", number)}`;
const tokenOf = (init: RequestInit | undefined) => new Headers(init?.headers).get("authorization");

async function start(options: Partial<FetchOptions> = {}, refresh: RefreshFunction = new Issuer().refresh) {
  const manager = createTokenManager({ refresh });
  await manager.signIn({ ...new Issuer().tokens(), expiresAt: Date.now() + 3_600_000 });
  return createFetch(manager, { origins: [API], ...options });
}

const failing = async () => {
  throw new TokenEndpointError({ sent: false });
};

describe("a fetch that keeps an unread copy of each response (P15)", () => {
  const kept: Response[] = [];
  const memoizing: typeof fetch = async (_input, init) => {
    const response = Response.json({}, { status: tokenOf(init) === bearer(2) ? 200 : 401 });
    kept.push(response.clone());
    return response;
  };

  it("does not delay the retry", async () => {
    expect((await (await start({ fetch: memoizing }))(API)).status).toBe(200);
  });

  it("does not delay the error of a failed refresh", async () => {
    const send = await start({ fetch: memoizing }, failing);
    await expect(send(API)).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    expect(await kept.at(-1)?.json()).toEqual({}); // and the copy is intact
  });
});

describe("a fetch with responses of another shape", () => {
  const withBody = (body: unknown, more: object = {}) => {
    const send = async (_input: unknown, init?: RequestInit) => ({
      status: tokenOf(init) === bearer(2) ? 200 : 401,
      body,
      ...more,
    });
    return send as unknown as typeof fetch;
  };
  const stubborn = {
    cancel() {
      throw new Error("no");
    },
  };
  const locked = new Response("x").body;
  locked?.getReader();

  it.each<[string, typeof fetch]>([
    ["neither headers nor a URL", withBody(null)],
    ["no body", withBody(undefined, { headers: new Headers() })],
    ["a string as its body", withBody("{}")],
    ["a Node.js stream as its body", withBody(Readable.from(["{}"]), { headers: new Headers(), url: API })],
    ["a locked body", withBody(locked)],
    ["a body whose cancel throws", withBody(stubborn)],
    ["a body whose cancel never settles", withBody({ cancel: () => new Promise(() => {}) })],
    ["a body whose cancel rejects", withBody({ cancel: () => Promise.reject(new Error("no")) })],
    ["an empty URL", withBody(null, { url: "" })],
  ])("retries a 401 with %s", async (_name, fetch) => {
    expect((await (await start({ fetch }))(API)).status).toBe(200);
    await expect((await start({ fetch }, failing))(API)).rejects.toMatchObject({ code: "REFRESH_FAILED" });
  });

  it("returns a 401 whose URL cannot be parsed", async () => {
    const send = await start({ fetch: withBody(null, { url: "http://[" }) });
    expect((await send(API)).status).toBe(401);
  });
});

it("reads the challenge of a 401 from a plain object, whatever the case of its names", async () => {
  const challenge = { "WWW-Authenticate": 'Bearer error="insufficient_scope"' };
  const send = await start({ fetch: (async () => ({ status: 401, headers: challenge })) as unknown as typeof fetch });
  expect((await send(API)).status).toBe(401);
});

it("accepts a Request as the second argument, as fetch does", async () => {
  await using api = await startServer(respondWith(200, "fine"));
  const send = await start({ origins: [api.origin] });
  const init = () => new Request("https://ignored.example", { method: "POST", body: "x", headers: { "x-own": "1" } });
  await send(`${api.origin}/a`, init());
  await send(`${api.origin}/b`, Object.assign(init(), perRequest({ tokens: false })));
  await send(`${api.origin.replace("127.0.0.1", "localhost")}/c`, init());
  expect(
    api.received.map(({ method, body, headers }) => [method, body, headers["x-own"], headers.authorization]),
  ).toEqual([bearer(1), undefined, undefined].map((authorization) => ["POST", "x", "1", authorization]));
});

describe("discardBody", () => {
  it("ignores a body that cannot be read", () => {
    const body = new Proxy({}, { get: () => expect.unreachable() });
    expect(() => discardBody(body)).not.toThrow();
  });

  it("cancels a web stream", () => {
    let reason: unknown = "not canceled";
    discardBody(
      new ReadableStream({
        cancel(given) {
          reason = given;
        },
      }),
    );
    expect(reason).toBeUndefined();
  });

  it("destroys a Node.js stream, whose error then has a listener", async () => {
    const stream = new Readable({ destroy: (_error, callback) => callback(new Error("late")) });
    discardBody(stream);
    expect(stream.destroyed).toBe(true);
    await new Promise((resolve) => stream.once("close", resolve)); // without a listener, the error is uncaught
  });
});

describe("node-fetch", () => {
  const ok = respondWith(200, "fine");
  const rejected = respondWith(401, "x".repeat(1_000_000));
  const send = async (origin: string) =>
    (await start({ origins: [origin], fetch: nodeFetch as unknown as typeof fetch })) as unknown as typeof nodeFetch;

  it("is retried after a 401, and the connection of the first response is closed", async () => {
    const closed: Promise<unknown>[] = [];
    const observed: Handler = (response, received) => {
      closed.push(new Promise((resolve) => response.once("close", resolve)));
      rejected(response, received);
    };
    await using api = await startServer(observed, ok);
    const response = await (await send(api.origin))(`${api.origin}/path`);
    expect([response.status, await response.text()]).toEqual([200, "fine"]);
    expect(api.received.map(({ headers }) => headers.authorization)).toEqual([bearer(1), bearer(2)]);
    await Promise.all(closed);
  });

  it("sends the stream of its own Request once, without a copy that would stall", async () => {
    await using api = await startServer(rejected);
    const body = "y".repeat(1_000_000); // more than such a copy would hold
    const request = new NodeFetchRequest(api.origin, { method: "POST", body: Readable.from([body]) });
    expect((await (await send(api.origin))(request)).status).toBe(401);
    expect(api.received.map((received) => received.body === body)).toEqual([true]);
  });

  it("retries its own Request without a body", async () => {
    await using api = await startServer(rejected, ok);
    const request = new NodeFetchRequest(api.origin, { headers: { "x-own": "1" } });
    expect((await (await send(api.origin))(request)).status).toBe(200);
    expect(api.received.map(({ headers }) => headers["x-own"])).toEqual(["1", "1"]);
  });

  it("sends no token with a Host header of its own", async () => {
    await using api = await startServer(ok);
    await (await send(api.origin))(api.origin, { headers: { host: "other-tenant.example" } });
    expect(api.received[0]?.headers).toMatchObject({ host: "other-tenant.example" });
    expect(api.received[0]?.headers.authorization).toBeUndefined();
  });
});

it("sends the body of a Request again in a runtime that does not tell whether there is one", async () => {
  const bodies: string[] = [];
  const fetch = async (request: Request, init?: RequestInit) => {
    bodies.push(await request.text());
    return new Response(null, { status: tokenOf(init) === bearer(2) ? 200 : 401 });
  };
  const request = new Request(API, { method: "POST", body: "body" });
  const hideBody = (each: Request): Request =>
    Object.defineProperties(each, {
      body: { value: undefined },
      clone: { value: () => hideBody(Request.prototype.clone.call(each)) },
    });
  expect((await (await start({ fetch: fetch as never }))(hideBody(request))).status).toBe(200);
  expect(bodies).toEqual(["body", "body"]);
});

describe("perRequest through a Request", () => {
  const connect = async () => {
    const sent: (string | null)[] = [];
    const fetch: FetchOptions["fetch"] = async (input, init) => {
      sent.push(new Request(input as Request, init).headers.get("authorization"));
      return Response.json({}, { status: 401 });
    };
    return { sent, fetchWithTokens: await start({ fetch }) };
  };

  it("works with openapi-fetch, which passes nothing else to fetch", async () => {
    const { sent, fetchWithTokens } = await connect();
    const client = createClient<{ "/me": { get: { responses: never } } }>({ baseUrl: API, fetch: fetchWithTokens });
    const { response } = await client.GET("/me", { ...perRequest({ tokens: false }) });
    expect([response.status, sent]).toEqual([401, [null]]);
    await client.GET("/me", { ...perRequest({ retry: false }), headers: { "x-own": "1" } });
    expect(sent).toEqual([null, bearer(1)]);
  });

  it("works if it is assigned to the Request", async () => {
    const { sent, fetchWithTokens } = await connect();
    const request = () => Object.assign(new Request(API), perRequest({ tokens: false }));
    await fetchWithTokens(request());
    await fetchWithTokens(request(), perRequest({ retry: false }));
    expect(sent).toEqual([null, bearer(1)]);
  });

  it("is a TypeError if a Request would drop it", () => {
    expect(() => new Request(API, perRequest({ tokens: false }))).toThrow(TypeError);
  });

  it("is not passed on to fetch", async () => {
    await using api = await startServer(respondWith(200, "fine"));
    const fetchWithTokens = await start({ origins: [api.origin] });
    expect((await fetchWithTokens(api.origin, perRequest({ tokens: false }))).status).toBe(200);
    expect((await fetchWithTokens(api.origin, perRequest({ retry: false }))).status).toBe(200);
  });
});

it("closes the connection of a retried 401 whose body never ends", async () => {
  let isClosed: Promise<unknown> = Promise.resolve();
  await using api = await listen(
    createServer((request, response) => {
      if (request.headers.authorization === bearer(2)) return void response.end("fine");
      isClosed = new Promise((resolve) => response.once("close", resolve));
      response.writeHead(401).write("endless");
    }),
  );
  expect(await (await (await start({ origins: [api.origin] }))(api.origin)).text()).toBe("fine");
  await isClosed;
});
