import { accepting, UNAUTHORIZED } from "@unexpired/testing";
import axios, { type AxiosRequestConfig } from "axios";
import { expect, expectTypeOf } from "vitest";
import { attachTokens, perRequest } from "../src/index.ts";
import { authorizationsAt, axiosTest, capture, rejection, since, viaHttp } from "./support.ts";

axiosTest("defaults to the origin of the baseURL that the instance has when tokens are attached", async (world) => {
  const { api, other, session, client } = world;
  client.defaults.baseURL = other.origin;
  await client.get("/");
  await client.get(api.origin);
  expect([authorizationsAt(other), authorizationsAt(api)]).toEqual([[undefined], [`Bearer ${session.accessToken(1)}`]]);
});

axiosTest("requires an absolute baseURL if origins is omitted", async ({ session: { tokens } }) => {
  expect(() => attachTokens(axios, tokens)).toThrow(/^origins: needed, because there is no base URL/);
  expect(() => attachTokens(axios.create({ baseURL: "/api" }), tokens)).toThrow(TypeError);
  expect(() => attachTokens(axios, tokens, { origins: ["api.example.com"] })).toThrow(/^origins/);
});

axiosTest("takes no options from Object.prototype", async ({ api, other, session }) => {
  const polluted = { origins: [other.origin], isUnauthorized: () => true };
  const client = axios.create({ baseURL: api.origin });
  Object.assign(Object.prototype, polluted);
  try {
    attachTokens(client, session.tokens);
  } finally {
    for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name);
  }
  await client.get(other.origin);
  await client.get("/");
  expect([authorizationsAt(other), authorizationsAt(api)]).toEqual([[undefined], [`Bearer ${session.accessToken(1)}`]]);
});

axiosTest("attaches tokens to the global axios until they are detached", async ({ api, session }) => {
  const detach = attachTokens(axios, session.tokens, { origins: [api.origin] });
  await axios(api.origin);
  detach();
  await axios(api.origin);
  expect(authorizationsAt(api)).toEqual([`Bearer ${session.accessToken(1)}`, undefined]);
});

axiosTest("sends the token once and retries a 401 once if tokens are attached twice", async (world) => {
  const { api, session, client, refuseOnce } = world;
  attachTokens(client, session.tokens);
  refuseOnce();
  expect((await client.get("/")).status).toBe(200);
  expect([authorizationsAt(api), session.exchanges]).toEqual([
    [1, 2].map((n) => `Bearer ${session.accessToken(n)}`),
    1,
  ]);
});

axiosTest("hides the token and a retried 401 from other interceptors", async (world) => {
  const { client, refuseOnce } = world;
  refuseOnce();
  const ran: unknown[] = [];
  client.interceptors.request.use((config) => {
    ran.push(config.headers.has("authorization"));
    return config;
  });
  client.interceptors.response.use(({ data, config }) => {
    ran.push(config.headers.has("authorization"));
    return data;
  });
  expect(await client.get("/")).toEqual({ ok: true });
  expect(ran).toEqual([false, false]);
});

axiosTest("sends no token if an interceptor changes the origin", async ({ api, other, session }) => {
  const client = axios.create({ baseURL: api.origin });
  client.interceptors.request.use((config) => Object.assign(config, { baseURL: other.origin }));
  attachTokens(client, session.tokens);
  await client.get("/");
  expect(authorizationsAt(other)).toEqual([undefined]);
});

axiosTest("judges a URL without the defaults that an interceptor has removed", async ({ api, session }) => {
  const client = axios.create({ baseURL: api.origin, params: { mine: 1 } });
  client.interceptors.request.use((config) => Object.assign(config, { params: undefined }));
  attachTokens(client, session.tokens, { origins: ({ search }) => search === "" });
  await client.get("/");
  expect(authorizationsAt(api)).toEqual([`Bearer ${session.accessToken(1)}`]);
});

since(1, 8)("asks a predicate about the URL that axios requests", async ({ api, session }) => {
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
      const client = axios.create({ baseURL });
      attachTokens(client, session.tokens, { origins: ({ pathname, search }) => asked.push(pathname + search) > 0 });
      await client.get(url);
      expect(asked, `${url} with ${baseURL}`).toEqual([api.received.at(-1)?.path]);
    }
  }
});

axiosTest("takes no option from Object.prototype", async ({ api, session }) => {
  const client = axios.create({ baseURL: api.origin });
  Object.defineProperty(Object.prototype, "isUnauthorized", { value: () => true, configurable: true });
  try {
    attachTokens(client, session.tokens);
  } finally {
    Reflect.deleteProperty(Object.prototype, "isUnauthorized");
  }
  await client.get("/");
  expect(session.exchanges).toBe(0);
});

since(1, 8)("treats an absolute URL as a path with allowAbsoluteUrls: false", async (world) => {
  const { api, other, session, client } = world;
  await client.get(`${other.origin}/x`, { allowAbsoluteUrls: false });
  expect(authorizationsAt(api)).toEqual([`Bearer ${session.accessToken(1)}`]);
  expect(api.received[0]?.path).toBe(`/${other.origin}/x`);
});

axiosTest("keeps the caller's basic authentication, and does not retry its 401", async ({ api, session, client }) => {
  api.respond = () => UNAUTHORIZED;
  await rejection(client.get("/", { auth: { username: "me", password: "mine" } }));
  await rejection(client.get(api.origin.replace("//", "//me:mine@")));
  expect(authorizationsAt(api)).toEqual([`Basic ${btoa("me:mine")}`, `Basic ${btoa("me:mine")}`]);
  expect(session.exchanges).toBe(0);
});

axiosTest("keeps an Authorization header from the instance's defaults", async ({ api, session, client }) => {
  api.respond = () => UNAUTHORIZED;
  client.defaults.headers.common.Authorization = "Basic own";
  const error = await rejection(client.get("/"));
  expect([authorizationsAt(api), session.exchanges]).toEqual([["Basic own"], 0]);
  expect(Object(error).request.path).toBe("/"); // a request without our token is not hidden
});

axiosTest("attaches the token if Authorization is undefined", async ({ api, session, client }) => {
  const own = { authorization: undefined };
  await client.get("/", { headers: own as unknown as Record<string, string> });
  // axios 1.0.0 treats `undefined` as a header that must not be sent
  const expected = axios.VERSION === "1.0.0" ? undefined : `Bearer ${session.accessToken(1)}`;
  expect(authorizationsAt(api)).toEqual([expected]);
});

axiosTest("keeps the header for redirects within the origin only, then calls beforeRedirect", async (world) => {
  const { session } = world;
  const seen: unknown[] = [];
  const client = axios.create({ baseURL: "http://api.test" });
  attachTokens(client, session.tokens, { origins: ({ pathname }) => pathname !== "/theirs", allowInsecure: true });
  const options = {
    headers: { authorization: undefined } as unknown as Record<string, string>, // its case must not matter
    adapter: capture,
    beforeRedirect: ({ headers }: Record<string, unknown>) => seen.push(headers),
  };
  if (axios.VERSION === "1.0.0") Reflect.deleteProperty(options, "headers");
  const { beforeRedirect, authorization } = (await rejection(client.get("/", options))) as AxiosRequestConfig & {
    authorization: string;
  };
  const hrefs = ["http://api.test/x", "http://sub.api.test/", "https://api.test/", "http://api.test:81/"];
  for (const href of [...hrefs, "http://api.test/theirs"]) {
    const headers = { Authorization: authorization, accept: "*/*" };
    beforeRedirect?.({ href, headers }, { headers: {}, statusCode: 302 }, { headers: {}, url: "", method: "GET" });
  }
  const without = { accept: "*/*" };
  expect(seen).toEqual([{ Authorization: authorization, ...without }, without, without, without, without]);
});

axiosTest("writes the header in the case that the redirect hook removes", async ({ api, session }) => {
  const client = axios.create({ baseURL: api.origin });
  attachTokens(client, session.tokens, { origins: ({ pathname }) => pathname !== "/theirs" });
  api.respond = ({ path }) => (path === "/" ? { status: 302, headers: { location: "/theirs" } } : { status: 200 });
  const own = { authorization: undefined } as unknown as Record<string, string>;
  await client.get("/", axios.VERSION === "1.0.0" ? {} : { headers: own });
  expect(authorizationsAt(api)).toEqual([`Bearer ${session.accessToken(1)}`, undefined]);
});

axiosTest("transforms the body once, also if it is sent twice", async ({ api, client, refuseOnce }) => {
  refuseOnce();
  await client.post("/", "x", { transformRequest: (data) => `${data}1` });
  expect(api.received.map(({ body }) => body.toString())).toEqual(["x1", "x1"]);
});

axiosTest("does not send a header that the caller suppressed", async ({ api, client, refuseOnce }) => {
  refuseOnce();
  await client.get("/", { headers: { "User-Agent": false } });
  expect(api.received.map(({ headers }) => headers["user-agent"])).toEqual([undefined, undefined]);
});

axiosTest("sends no token after a redirect to another allowed origin, and does not retry its 401", async (world) => {
  const { api, other, session } = world;
  const client = axios.create({ baseURL: api.origin });
  attachTokens(client, session.tokens, { origins: [api.origin, other.origin] });
  api.respond = () => ({ status: 302, headers: { location: other.origin } });
  other.respond = () => UNAUTHORIZED;
  await rejection(client.get("/"));
  expect([authorizationsAt(other), api.received.length, session.exchanges]).toEqual([[undefined], 1, 0]);
});

since(1, 7)("sends no token after a redirect to another origin through fetch", async ({ api, other, client }) => {
  api.respond = () => ({ status: 302, headers: { location: other.origin } });
  await client.get("/", { adapter: "fetch" });
  expect(authorizationsAt(other)).toEqual([undefined]);
});

axiosTest("supports a cancel token without leaking listeners", async ({ client, api }) => {
  const source = axios.CancelToken.source();
  for (let count = 0; count < 3; count++) await client.get("/", { cancelToken: source.token });
  expect(Reflect.get(source.token, "_listeners") ?? []).toEqual([]);
  api.respond = () => {
    source.cancel();
    return { status: 200 };
  };
  expect(axios.isCancel(await rejection(client.get("/", { cancelToken: source.token })))).toBe(true);
});

axiosTest("retries through a transport that reports only a relative URL", async ({ client, session }) => {
  const adapter: typeof viaHttp = async (config) => {
    const isNew = config.headers.get("authorization") === `Bearer ${session.accessToken(2)}`;
    const request = Object.freeze({ responseURL: config.url }); // like axios-mock-adapter
    return { config, request, data: "{}", headers: {}, status: isNew ? 200 : 401, statusText: "" };
  };
  const { status, config } = await client.get("/things", { adapter, validateStatus: () => true });
  expect([status, config.adapter]).toEqual([200, adapter]);
});

axiosTest("reads the headers of a caller's transport, and leaves its data alone", async ({ client, session }) => {
  let destroyed = 0;
  const data = { destroy: () => destroyed++ };
  const respond = (challenge: string) => {
    const adapter: typeof viaHttp = async (config) =>
      Promise.reject({
        response: { config, data, headers: { "WWW-Authenticate": challenge }, status: 401, statusText: "" },
      });
    return rejection(client.get("/", { adapter }));
  };
  await respond('Bearer error="insufficient_scope"');
  expect(session.exchanges).toBe(0);
  await respond('Bearer error="invalid_token"');
  expect([session.exchanges, destroyed]).toEqual([1, 0]);
});

axiosTest("closes a response stream that the caller does not receive", async ({ client, session, api }) => {
  const streams: { destroyed: boolean }[] = [];
  const adapter: typeof viaHttp = async (config) => {
    const response = await viaHttp(config);
    streams.push(response.data);
    return response;
  };
  const options = { responseType: "stream", adapter, validateStatus: () => true } as const;
  api.respond = accepting(session.accessToken(2));
  await client.get("/", options);
  expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, false]);
  api.respond = () => UNAUTHORIZED;
  await session.tokens.signOut();
  await session.tokens.signIn({ accessToken: session.accessToken(1), expiresAt: Date.now() + 60_000 });
  await rejection(client.get("/", options));
  expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, false, true]);
});

since(1, 12)("cancels a web stream that the caller does not receive", async ({ client, session }) => {
  let canceled = 0;
  const fetch = async (request: URL | Request | string) => {
    const isNew = new Request(request).headers.get("authorization") === `Bearer ${session.accessToken(2)}`;
    return new Response(new ReadableStream({ cancel: () => void canceled++ }), { status: isNew ? 200 : 401 });
  };
  const { status } = await client.get("/", { responseType: "stream", adapter: "fetch", env: { fetch } });
  expect([status, canceled]).toEqual([200, 1]);
});

since(1, 12)("retries without waiting for the other half of a stream that was teed", async ({ client, session }) => {
  const kept: Response[] = [];
  const memoize = async (request: URL | Request | string) => {
    const isNew = new Request(request).headers.get("authorization") === `Bearer ${session.accessToken(2)}`;
    const response = Response.json({}, { status: isNew ? 200 : 401 });
    kept.push(response.clone()); // nothing reads it
    return response;
  };
  const options = { responseType: "stream", adapter: "fetch", env: { fetch: memoize } } as const;
  expect((await client.get("/", options)).status).toBe(200);
  expect(kept.length).toBe(2);
});

axiosTest("passes the transformed response to isUnauthorized, unless transformResponse throws", async (world) => {
  const { api, session } = world;
  const client = axios.create({ baseURL: api.origin });
  const bodies: unknown[] = [];
  attachTokens(client, session.tokens, {
    isUnauthorized: async ({ data, status }) => {
      bodies.push(data);
      return status === 440;
    },
  });
  api.respond = (_, index) => ({ status: index ? 200 : 440, body: "text" });
  const transformResponse = (data: string) => data.toUpperCase();
  expect((await client.get("/", { transformResponse })).data).toBe("TEXT");
  expect([bodies, session.exchanges]).toEqual([["TEXT"], 1]);
  let calls = 0;
  const failsOnce = (data: string) => {
    if (calls++ === 0) throw new RangeError("mine");
    return data;
  };
  expect((await client.get("/", { transformResponse: failsOnce })).data).toBe("text");
  expect(bodies.length).toBe(1);
});

axiosTest("creates axios options with perRequest", async ({ client, api }) => {
  await client.get("/", { ...perRequest({ tokens: false }), timeout: 5_000 });
  await client.get("/", perRequest({ tokens: false }));
  expect(authorizationsAt(api)).toEqual([undefined, undefined]);
  expectTypeOf(perRequest({ retry: false })).toExtend<AxiosRequestConfig>();
  // @ts-expect-error: an unknown option
  expect(() => perRequest({ tries: 1 })).toThrow(TypeError);
});
