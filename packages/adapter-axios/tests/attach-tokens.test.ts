import { accepting, UNAUTHORIZED } from "@unexpired/testing";
import axios, { type AxiosRequestConfig } from "axios";
import { expect, expectTypeOf } from "vitest";
import { attachTokens, perRequest } from "../src/index.ts";
import { authorizationsAt, axiosTest, capture, rejection, since, viaHttp } from "./support.ts";

axiosTest("the origins default to that of the instance's baseURL at attach time", async (world) => {
  const { api, other, session, client } = world;
  client.defaults.baseURL = other.origin;
  await client.get("/");
  await client.get(api.origin);
  expect([authorizationsAt(other), authorizationsAt(api)]).toEqual([[undefined], [`Bearer ${session.accessToken(1)}`]]);
});

axiosTest("without origins, the baseURL has to be absolute", async ({ session: { tokens } }) => {
  expect(() => attachTokens(axios, tokens)).toThrow(/^origins: needed, because there is no base URL/);
  expect(() => attachTokens(axios.create({ baseURL: "/api" }), tokens)).toThrow(TypeError);
  expect(() => attachTokens(axios, tokens, { origins: ["api.example.com"] })).toThrow(/^origins/);
});

axiosTest("the global axios works, until the tokens are detached", async ({ api, session }) => {
  const detach = attachTokens(axios, session.tokens, { origins: [api.origin] });
  await axios(api.origin);
  detach();
  await axios(api.origin);
  expect(authorizationsAt(api)).toEqual([`Bearer ${session.accessToken(1)}`, undefined]);
});

axiosTest("tokens that are attached twice are sent once, and a 401 is repeated once", async (world) => {
  const { api, session, client, refuseOnce } = world;
  attachTokens(client, session.tokens);
  refuseOnce();
  expect((await client.get("/")).status).toBe(200);
  expect([authorizationsAt(api), session.exchanges]).toEqual([
    [1, 2].map((n) => `Bearer ${session.accessToken(n)}`),
    1,
  ]);
});

axiosTest("interceptors of others do not see the token, and see the response that the caller sees", async (world) => {
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

axiosTest("an interceptor that leads elsewhere does not take the token along", async ({ api, other, session }) => {
  const client = axios.create({ baseURL: api.origin });
  client.interceptors.request.use((config) => Object.assign(config, { baseURL: other.origin }));
  attachTokens(client, session.tokens);
  await client.get("/");
  expect(authorizationsAt(other)).toEqual([undefined]);
});

since(1, 8)("with allowAbsoluteUrls: false an absolute URL is a path of the origin", async (world) => {
  const { api, other, session, client } = world;
  await client.get(`${other.origin}/x`, { allowAbsoluteUrls: false });
  expect(authorizationsAt(api)).toEqual([`Bearer ${session.accessToken(1)}`]);
  expect(api.received[0]?.path).toBe(`/${other.origin}/x`);
});

axiosTest("basic authentication of the caller's is kept, and its 401 left alone", async ({ api, session, client }) => {
  api.respond = () => UNAUTHORIZED;
  await rejection(client.get("/", { auth: { username: "me", password: "mine" } }));
  await rejection(client.get(api.origin.replace("//", "//me:mine@")));
  expect(authorizationsAt(api)).toEqual([`Basic ${btoa("me:mine")}`, `Basic ${btoa("me:mine")}`]);
  expect(session.exchanges).toBe(0);
});

axiosTest("an Authorization among the instance's defaults is the caller's own", async ({ api, session, client }) => {
  api.respond = () => UNAUTHORIZED;
  client.defaults.headers.common.Authorization = "Basic own";
  const error = await rejection(client.get("/"));
  expect([authorizationsAt(api), session.exchanges]).toEqual([["Basic own"], 0]);
  expect(Object(error).request.path).toBe("/"); // what is not ours stays as it is
});

axiosTest("an Authorization that is undefined is none", async ({ api, session, client }) => {
  const own = { authorization: undefined };
  await client.get("/", { headers: own as unknown as Record<string, string> });
  const expected = axios.VERSION === "1.0.0" ? undefined : `Bearer ${session.accessToken(1)}`; // there, it says "none"
  expect(authorizationsAt(api)).toEqual([expected]);
});

axiosTest("what goes to a socket gets no token", async ({ client }) => {
  const error = await rejection(client.get("/", { socketPath: "/nowhere", adapter: capture }));
  expect(error).toMatchObject({ authorization: undefined });
});

axiosTest("a redirect keeps the header within the origin only; the caller's own hook comes after", async (world) => {
  const { session } = world;
  const seen: unknown[] = [];
  const client = axios.create({ baseURL: "http://api.test" });
  attachTokens(client, session.tokens, { origins: ({ pathname }) => pathname !== "/theirs" });
  const options = {
    headers: { authorization: undefined } as unknown as Record<string, string>, // it must not decide how ours is written
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

axiosTest("the header is written as the redirect hook knows it", async ({ api, session }) => {
  const client = axios.create({ baseURL: api.origin });
  attachTokens(client, session.tokens, { origins: ({ pathname }) => pathname !== "/theirs" });
  api.respond = ({ path }) => (path === "/" ? { status: 302, headers: { location: "/theirs" } } : { status: 200 });
  const own = { authorization: undefined } as unknown as Record<string, string>;
  await client.get("/", axios.VERSION === "1.0.0" ? {} : { headers: own });
  expect(authorizationsAt(api)).toEqual([`Bearer ${session.accessToken(1)}`, undefined]);
});

axiosTest("the body is transformed once, whatever the transformation", async ({ api, client, refuseOnce }) => {
  refuseOnce();
  await client.post("/", "x", { transformRequest: (data) => `${data}1` });
  expect(api.received.map(({ body }) => body.toString())).toEqual(["x1", "x1"]);
});

axiosTest("a header that axios is told not to send is not sent", async ({ api, client, refuseOnce }) => {
  refuseOnce();
  await client.get("/", { headers: { "User-Agent": false } });
  expect(api.received.map(({ headers }) => headers["user-agent"])).toEqual([undefined, undefined]);
});

axiosTest("a redirect to another one of the origins goes without the token; its 401 is left alone", async (world) => {
  const { api, other, session } = world;
  const client = axios.create({ baseURL: api.origin });
  attachTokens(client, session.tokens, { origins: [api.origin, other.origin] });
  api.respond = () => ({ status: 302, headers: { location: other.origin } });
  other.respond = () => UNAUTHORIZED;
  await rejection(client.get("/"));
  expect([authorizationsAt(other), api.received.length, session.exchanges]).toEqual([[undefined], 1, 0]);
});

since(1, 7)("through fetch, a redirect elsewhere goes without the token too", async ({ api, other, client }) => {
  api.respond = () => ({ status: 302, headers: { location: other.origin } });
  await client.get("/", { adapter: "fetch" });
  expect(authorizationsAt(other)).toEqual([undefined]);
});

axiosTest("a cancel token cancels, and gains no listeners", async ({ client, api }) => {
  const source = axios.CancelToken.source();
  for (let count = 0; count < 3; count++) await client.get("/", { cancelToken: source.token });
  expect(Reflect.get(source.token, "_listeners") ?? []).toEqual([]);
  api.respond = () => {
    source.cancel();
    return { status: 200 };
  };
  expect(axios.isCancel(await rejection(client.get("/", { cancelToken: source.token })))).toBe(true);
});

axiosTest("a transport that knows a relative URL only is repeated all the same", async ({ client, session }) => {
  const adapter: typeof viaHttp = async (config) => {
    const isNew = config.headers.get("authorization") === `Bearer ${session.accessToken(2)}`;
    const request = Object.freeze({ responseURL: config.url }); // as axios-mock-adapter has it
    return { config, request, data: "{}", headers: {}, status: isNew ? 200 : 401, statusText: "" };
  };
  const { status, config } = await client.get("/things", { adapter, validateStatus: () => true });
  expect([status, config.adapter]).toEqual([200, adapter]);
});

axiosTest("a response stream that nobody gets is closed", async ({ client, session, api }) => {
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

since(1, 12)("a web stream that nobody gets is closed", async ({ client, session }) => {
  let canceled = 0;
  const fetch = async (request: URL | Request | string) => {
    const isNew = new Request(request).headers.get("authorization") === `Bearer ${session.accessToken(2)}`;
    return new Response(new ReadableStream({ cancel: () => void canceled++ }), { status: isNew ? 200 : 401 });
  };
  const { status } = await client.get("/", { responseType: "stream", adapter: "fetch", env: { fetch } });
  expect([status, canceled]).toEqual([200, 1]);
});

axiosTest("isUnauthorized sees what transformResponse makes; one that throws says nothing", async (world) => {
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

axiosTest("perRequest makes options of axios", async ({ client, api }) => {
  await client.get("/", { ...perRequest({ tokens: false }), timeout: 5_000 });
  await client.get("/", perRequest({ tokens: false }));
  expect(authorizationsAt(api)).toEqual([undefined, undefined]);
  expectTypeOf(perRequest({ retry: false })).toExtend<AxiosRequestConfig>();
  // @ts-expect-error: there is no such setting
  expect(() => perRequest({ tries: 1 })).toThrow(TypeError);
});
