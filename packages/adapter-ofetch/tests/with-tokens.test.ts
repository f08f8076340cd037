import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { accepting, CANARY, type Reply, startSession, UNAUTHORIZED } from "@unexpired/testing";
import { createFetch, type FetchContext, FetchError, type FetchOptions, type FetchResponse, ofetch } from "ofetch";
import { expect, expectTypeOf } from "vitest";
import { perRequest, withTokens } from "../src/index.ts";
import { isOldest } from "./harness.ts";
import { ofetchTest, tokensAt } from "./support.ts";

/** Responds with these statuses one after the other, then with the last one. */
const statusesInTurn =
  (...statuses: number[]) =>
  (_: unknown, index: number): Reply => ({ status: statuses[Math.min(index, statuses.length - 1)] ?? 0 });

const rejection = async (promise: Promise<unknown>): Promise<FetchError> => {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (error instanceof FetchError) return error;
  throw new Error("expected a FetchError", { cause: error });
};

/** Returns hooks that record each call, and whether the token is visible to them. */
const hooksRecording = (events: string[], name: string): FetchOptions => {
  const recordAs = (kind: string) => (context: FetchContext) => {
    const shown = inspect(context, { depth: null, showHidden: true }).includes(CANARY);
    events.push([kind, name, context.response?.status, shown && "with the token"].filter(Boolean).join(" "));
  };
  return {
    onRequest: [recordAs("request")],
    onRequestError: recordAs("no response"),
    onResponse: recordAs("response"),
    onResponseError: [recordAs("error"), recordAs("last error")],
  };
};

ofetchTest("runs hooks of the instance in order, and hides the token and a retried 401 from them", async (world) => {
  const { api, session, make } = world;
  const events: string[] = [];
  const client = make(hooksRecording(events, "mine"));
  api.respond = accepting(session.accessToken(2));
  await client("/");
  expect(events.splice(0)).toEqual(["request mine", "request mine", "response mine 200"]);
  api.respond = () => ({ status: 404 });
  await rejection(client("/"));
  expect(events.splice(0)).toEqual(["request mine", "response mine 404", "error mine 404", "last error mine 404"]);
  await rejection(client("http://127.0.0.1:1/", { retry: 0 }));
  expect(events.splice(0)).toEqual(["request mine", "no response mine"]);
});

ofetchTest(
  "runs hooks of a single request instead of those of the instance, and still hides the token",
  async (world) => {
    const { api, session, make } = world;
    const events: string[] = [];
    const client = make({ ...hooksRecording(events, "instance"), retry: 0 });
    const { onRequest: _, ...own } = hooksRecording(events, "own");
    api.respond = accepting(session.accessToken(2));
    await client("/", own);
    expect(events.splice(0)).toEqual(["request instance", "request instance", "response own 200"]);
    api.respond = () => ({ status: 404 });
    const { options } = await rejection(client("/", own));
    expect(events.splice(0).slice(1)).toEqual(["response own 404", "error own 404", "last error own 404"]);
    expect(inspect(options, { depth: null, showHidden: true })).not.toContain(CANARY);
    await rejection(client("http://127.0.0.1:1/", own));
    expect(events.splice(0)).toEqual(["request instance", "no response own"]);
  },
);

ofetchTest(
  "runs hooks that onRequest sets for each attempt, and still hides the token",
  async ({ api, session, make }) => {
    const statuses: number[] = [];
    const client = make({
      onRequest({ options }) {
        options.onResponse = ({ response }) => void statuses.push(response.status);
      },
    });
    api.respond = statusesInTurn(401, 401);
    const { options } = await rejection(client("/", { retry: 0 }));
    expect([statuses, session.exchanges]).toEqual([[401], 1]);
    expect(inspect(options, { depth: null, showHidden: true })).not.toContain(CANARY);
  },
);

ofetchTest("sends no token if a request has its own onRequest, unless that calls ours", async (world) => {
  const { api, session, make } = world;
  const options = withTokens(session.tokens, { baseURL: api.origin });
  await make()("/", { onRequest() {} });
  expect(tokensAt(api)).toEqual([undefined]);
  let attempts = 0;
  const onRequest = async (context: FetchContext) => {
    context.options.headers = new Headers({ "x-attempt": `${++attempts}` });
    await options.onRequest(context);
  };
  api.respond = accepting(session.accessToken(2));
  await ofetch.create(options)("/", { onRequest });
  expect(tokensAt(api)).toEqual([undefined, 1, 2]);
  expect(api.received.map(({ headers }) => headers["x-attempt"])).toEqual([undefined, "1", "2"]);
});

ofetchTest("behaves the same if onRequest runs twice", async ({ api, session }) => {
  const options = withTokens(session.tokens, { baseURL: api.origin });
  const onRequest = async (context: FetchContext) => {
    for (const _ of [1, 2]) await options.onRequest(context);
  };
  api.respond = () => UNAUTHORIZED;
  const error = await rejection(ofetch.create({ ...options, onRequest })("/"));
  expect(tokensAt(api)).toEqual([1, 2]);
  expect(inspect(error.options, { depth: null, showHidden: true })).not.toContain(CANARY);
});

ofetchTest("shows hooks the caller's own options in every attempt", async ({ api, make }) => {
  const seen: unknown[] = [];
  const own = { retry: 1, retryStatusCodes: [503], retryDelay: 7 };
  const client = make({
    ...own,
    onRequest: ({ options: { retry, retryStatusCodes, retryDelay } }) => {
      seen.push({ retry, retryStatusCodes, retryDelay });
    },
  });
  api.respond = statusesInTurn(401, 503, 503);
  await rejection(client("/"));
  expect(seen).toEqual([own, own, { ...own, retry: 0 }]);
});

for (const retry of [undefined, false, 0] as const) {
  ofetchTest(`retries a POST with retry: ${retry} immediately after a 401, and not after a 503`, async (world) => {
    const { api, make } = world;
    const client = make({ method: "post", body: { a: 1 }, retryDelay: 60_000, ...(retry !== undefined && { retry }) });
    api.respond = statusesInTurn(401, 503);
    const { status } = await rejection(client("/"));
    expect([status, ...api.received.map(({ body }) => `${body}`)]).toEqual([503, '{"a":1}', '{"a":1}']);
  });
}

ofetchTest("keeps the one default retry of a GET after a 401", async ({ api, make }) => {
  api.respond = statusesInTurn(401, 503, 200);
  await make()("/");
  expect(api.received.length).toBe(3);
});

ofetchTest("retries a 401 after another failure, and only once", async ({ api, session, make }) => {
  api.respond = statusesInTurn(503, 401, 503, 401, 200);
  const { status } = await rejection(make({ retry: 2, retryDelay: 1 })("/"));
  expect([status, api.received.length, session.exchanges]).toEqual([401, 4, 1]);
});

ofetchTest("keeps the caller's retries for a status that isUnauthorized accepts", async ({ api, make }) => {
  api.respond = statusesInTurn(503);
  const isUnauthorized = async ({ status }: Response) => status === 503;
  await rejection(make({ retry: 2, isUnauthorized })("/"));
  expect(tokensAt(api)).toEqual([1, 2, 2, 2]);
});

ofetchTest(
  "allows the options of an error to be sent again, and retries the new 401",
  async (world) => {
    const { api, session, make } = world;
    api.respond = statusesInTurn(401, 503);
    const { request = "", options, response } = await rejection(make({ retry: 0 })("/"));
    expect(response?.status).toBe(503);
    expect(inspect(options, { depth: null, showHidden: true })).not.toContain(CANARY);
    await using second = await startSession(); // the first session's token is too recent to be replaced
    api.received.length = 0;
    api.respond = () => UNAUTHORIZED;
    await rejection(ofetch(request, { ...options, ...perRequest({ tokens: second.tokens }) }));
    expect(tokensAt(api)).toEqual([1, 2]);
    expect([session.exchanges, second.exchanges]).toEqual([1, 1]);
  },
  isOldest && "errors of ofetch 1.0.0 have no options",
);

ofetchTest("includes query and params in the URL passed to a predicate", async ({ api, make }) => {
  const client = make({ origins: (url) => url.searchParams.get("q") === "1" });
  for (const q of ["1", "2"]) {
    await client("/", { query: { q } });
    await client("/", { params: { q } });
  }
  expect(tokensAt(api)).toEqual([1, 1, undefined, undefined]);
});

ofetchTest("asks a predicate about the URL that ofetch requests", async ({ api, session }) => {
  for (const base of ["", "/", "/v1", "/v1/", "/v1//", "/v1?a=1"]) {
    const baseURL = api.origin + base;
    for (const url of [
      "/x",
      "x",
      "./x",
      "/./x",
      "/../x",
      "/x?b=1",
      "",
      "/",
      baseURL,
      `${baseURL}/x`,
      `${api.origin}/x`,
    ]) {
      const asked: string[] = [];
      const sent: string[] = [];
      const origins = ({ href }: URL) => asked.push(href) > 0;
      const record = async (input: RequestInfo | URL) => new Response(`${sent.push(new URL(String(input)).href)}`);
      await createFetch({ fetch: record, Headers, defaults: withTokens(session.tokens, { baseURL, origins }) })(url);
      expect(asked, `${url} with ${baseURL}`).toEqual(sent);
    }
  }
});

ofetchTest("resolves a relative URL against the page in a browser", async ({ api, session }) => {
  const page = new URL("/page/", api.origin);
  const asBrowser = (input: RequestInfo | URL, init?: RequestInit) => fetch(new URL(String(input), page), init);
  const defaults = withTokens(session.tokens, { origins: (url) => url.pathname === "/page/x" });
  using cleanUp = new DisposableStack();
  cleanUp.defer(() => Reflect.deleteProperty(globalThis, "location"));
  Object.defineProperty(globalThis, "location", { value: page, configurable: true });
  await createFetch({ fetch: asBrowser, Headers, defaults })("x");
  expect(tokensAt(api)).toEqual([1]);
});

ofetchTest("leaves an invalid URL to ofetch", async ({ make }) => {
  const client = make({ retry: 0 });
  expect((await rejection(client("http://"))).message).toContain("http://");
});

ofetchTest("attaches the token to a Request by its URL, keeps its headers, and retries it", async (world) => {
  const { api, other, session, make } = world;
  api.respond = accepting(session.accessToken(2));
  const client = make();
  for (const { origin } of [api, other]) await client(new Request(origin, { headers: { "x-own": "1" } }));
  expect([tokensAt(api), tokensAt(other)]).toEqual([[1, 2], [undefined]]);
  expect(api.received.map(({ headers }) => headers["x-own"])).toEqual(["1", "1"]);
  await rejection(client(new Request(api.origin, { headers: { authorization: "Basic own" } })));
  expect(api.received.at(-1)?.authorization).toBe("Basic own");
});

ofetchTest("does not retry a Request with a body", async ({ api, session, make }) => {
  api.respond = accepting(session.accessToken(2));
  const { status } = await rejection(make()(new Request(api.origin, { method: "POST", body: "x" })));
  expect([status, api.received.length]).toEqual([401, 1]);
});

ofetchTest("never puts the token into headers that the caller shares between requests", async ({ api, make }) => {
  const shared = [new Headers({ a: "1" }), new Headers({ b: "2" })] as const;
  const seen: boolean[] = [];
  api.respond = () => {
    seen.push(...shared.map((headers) => headers.has("authorization")));
    return { status: 200 };
  };
  const client = make({ headers: shared[0] });
  await client("/");
  await client("/", { headers: shared[1] });
  expect(tokensAt(api)).toEqual([1, 1]);
  expect(seen).toEqual([false, false, false, false]);
});

ofetchTest("sends the token from derived instances and from raw", async ({ api, make }) => {
  await make()
    .create({ headers: { a: "1" } })
    .raw("/");
  expect(tokensAt(api)).toEqual([1]);
});

ofetchTest("passes on an error of the caller's parseResponse", async ({ make }) => {
  const own = new Error("not mine");
  const parseResponse = () => {
    throw own;
  };
  await expect(make()("/", { parseResponse })).rejects.toBe(own);
  expect(inspect(own, { depth: null, showHidden: true })).not.toContain(CANARY);
});

/** Starts a server that responds 401 with an endless body. `closed` resolves when the client cancels that body. */
async function startEndlessServer() {
  const server = createServer((_, response) => response.writeHead(401).write("…")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const closed = once(server, "request").then(([, response]) => once(response, "close"));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    closed,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

ofetchTest("cancels the streamed body of a 401", async ({ api, session, make }) => {
  await using endless = await startEndlessServer();
  const origins = [api.origin, endless.origin];
  let to = endless.origin;
  const onRequest = (context: FetchContext) => {
    context.request = to;
    to = api.origin;
  };
  const { status } = await make({ origins, onRequest }).raw("/", { responseType: "stream" });
  await endless.closed;
  expect([status, tokensAt(api), session.exchanges]).toEqual([200, [2], 1]);
});

ofetchTest("cancels the streamed body of a 401 if the refresh fails", async ({ session, make }) => {
  await using endless = await startEndlessServer();
  session.fail({ error: "invalid_grant", status: 400, sent: true });
  const client = make({ baseURL: endless.origin });
  await expect(client("/", { responseType: "stream" })).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
  await endless.closed;
});

ofetchTest(
  "applies the timeout to the retry after a 401, even after a retry by ofetch",
  async ({ api, make }) => {
    api.respond = (received, index) => (index < 2 ? statusesInTurn(503, 401)(received, index) : new Promise(() => {}));
    const { cause } = await rejection(make({ timeout: 200, retry: 1 })("/"));
    expect([(cause as Error).name, api.received.length]).toEqual(["TimeoutError", 3]);
  },
  isOldest && "ofetch 1.0.0 has no timeout",
);

ofetchTest("passes the parsed body to isUnauthorized, and passes on its exceptions", async (world) => {
  const { api, make } = world;
  const seen: unknown[] = [];
  const client = make({
    isUnauthorized(response) {
      expectTypeOf(response).toEqualTypeOf<FetchResponse<unknown>>();
      seen.push([response.status, response._data]);
      throw new RangeError("mine");
    },
  });
  api.respond = (_, index) => ({ ...statusesInTurn(200, 404, 401)(_, index), body: '{"a":1}' });
  for (const status of [200, 404, 401]) {
    await expect(client("/")).rejects.toThrow(RangeError);
    expect(seen.pop()).toEqual([status, { a: 1 }]);
  }
});

ofetchTest("calls isUnauthorized once for each response", async ({ api, make }) => {
  const seen: number[] = [];
  const isUnauthorized = ({ status }: Response) => seen.push(status) < 0;
  api.respond = statusesInTurn(503, 404);
  await rejection(make({ isUnauthorized, retry: 1 })("/"));
  expect(seen).toEqual([503, 404]);
});

ofetchTest(
  "returns the second 401 with ignoreResponseError",
  async ({ api, make }) => {
    api.respond = () => UNAUTHORIZED;
    const { status } = await make({ ignoreResponseError: true }).raw("/");
    expect([status, ...tokensAt(api)]).toEqual([401, 1, 2]);
  },
  isOldest && "ofetch 1.0.0 has no ignoreResponseError",
);

ofetchTest("creates ofetch options with perRequest", async ({ api, make }) => {
  const client = make();
  await client("/", perRequest({ tokens: false }));
  await client("/", { ...perRequest({ retry: false }), timeout: 5_000 });
  expect(tokensAt(api)).toEqual([undefined, 1]);
  const json = client<{ a: number }>("/", perRequest({}));
  expectTypeOf(json).resolves.toEqualTypeOf<{ a: number }>();
  await json;
  const raw = client.raw("/", { ...perRequest({}), responseType: "text" });
  expectTypeOf(raw).resolves.toEqualTypeOf<FetchResponse<string>>();
  await raw;
  // @ts-expect-error: tests an invalid value
  expect(() => perRequest({ retry: 1 })).toThrow(TypeError);
});
