import type { Readable } from "node:stream";
import axios, {
  type AxiosError,
  type AxiosInstance,
  type AxiosRequestConfig,
  type InternalAxiosRequestConfig,
} from "axios";
import { expect, test } from "vitest";
import { bearer, bearers, inWorld, printed, rejection, type World } from "../../../tests/support/adapter-scenarios.ts";
import { accepting, UNAUTHORIZED } from "../../../tests/support/api-server.ts";
import { CANARY, canary } from "../../../tests/support/canary.ts";
import { attachTokens } from "../src/index.ts";
import { axiosHarness } from "./harness.ts";

interface AxiosWorld extends World {
  /** An instance with the session's tokens, for the origin of `api`. */
  readonly client: AxiosInstance;
}

const axiosTest = (name: string, run: (world: AxiosWorld) => Promise<void>, config: AxiosRequestConfig = {}) =>
  test(
    name,
    inWorld(axiosHarness, async (world) => {
      const client = axios.create({ baseURL: world.api.origin, ...config });
      attachTokens(client, world.session.tokens);
      await run({ ...world, client });
    }),
  );

axiosTest("the origins default to that of the instance's baseURL at attach time", async ({ api, other, client }) => {
  client.defaults.baseURL = other.origin;
  await client.get("/");
  await client.get(api.origin);
  expect([bearers(other), bearers(api)]).toEqual([[undefined], [bearer(1)]]);
});

axiosTest("without origins, the baseURL has to be absolute", async ({ session: { tokens } }) => {
  expect(() => attachTokens(axios, tokens)).toThrow(/^origins: needed, because the instance's baseURL is undefined/);
  expect(() => attachTokens(axios.create({ baseURL: "/api" }), tokens)).toThrow(TypeError);
  expect(() => attachTokens(axios, tokens, { origins: ["api.example.com"] })).toThrow(/^origins/);
});

axiosTest("the global axios works, until the tokens are detached", async ({ api, session }) => {
  const detach = attachTokens(axios, session.tokens, { origins: [api.origin] });
  await axios(api.origin);
  detach();
  await axios(api.origin);
  expect(bearers(api)).toEqual([bearer(1), undefined]);
});

axiosTest(
  "a 401 that validateStatus lets through is repeated, and handed out as it is the second time",
  async ({ api, client }) => {
    api.respond = accepting(canary("access", 2));
    expect((await client.get("/")).status).toBe(200);
    api.respond = () => UNAUTHORIZED;
    expect((await client.get("/")).status).toBe(401);
  },
  { validateStatus: () => true },
);

axiosTest("interceptors of others run once per call, in axios's order, and see what the caller sees", async (world) => {
  const { api, session } = world;
  api.respond = accepting(canary("access", 2));
  const client = axios.create({ baseURL: api.origin });
  const ran: string[] = [];
  const watch = (name: string) => {
    client.interceptors.request.use((config) => {
      ran.push(`${name} ${config.headers.get("authorization")}`);
      return config;
    });
    client.interceptors.response.use((response) => {
      ran.push(`${name} ${response.status}`);
      return response;
    });
  };
  watch("before");
  attachTokens(client, session.tokens);
  watch("after");
  client.interceptors.response.use((response) => response.data);
  expect(await client.get("/")).toEqual({ ok: true });
  expect(ran).toEqual(["after undefined", "before undefined", "before 200", "after 200"]);
});

axiosTest("an interceptor that leads elsewhere does not take the token along", async ({ api, other, session }) => {
  const client = axios.create({ baseURL: api.origin });
  client.interceptors.request.use((config) => Object.assign(config, { baseURL: other.origin }));
  attachTokens(client, session.tokens);
  await client.get("/");
  expect(bearers(other)).toEqual([undefined]);
});

axiosTest("with allowAbsoluteUrls: false an absolute URL is a path of the origin", async ({ api, other, client }) => {
  await client.get(`${other.origin}/x`, { allowAbsoluteUrls: false });
  expect(bearers(api)).toEqual([bearer(1)]);
  expect(api.received[0]?.path).toBe(`/${other.origin}/x`);
});

axiosTest("basic authentication of the caller's is kept, and its 401 left alone", async ({ api, session, client }) => {
  api.respond = () => UNAUTHORIZED;
  await rejection(client.get("/", { auth: { username: "me", password: "mine" } }));
  expect(bearers(api)).toEqual([`Basic ${btoa("me:mine")}`]);
  expect(session.exchanges).toBe(0);
});

axiosTest("what goes to a socket gets no token", async ({ client }) => {
  const error = await rejection(client.get("/", { socketPath: "/nowhere", adapter: capture }));
  expect(error).toMatchObject({ authorization: undefined });
});

/** A transport that rejects with what it would have sent. */
const capture = (config: InternalAxiosRequestConfig): Promise<never> => {
  const { beforeRedirect } = config;
  return Promise.reject({ authorization: config.headers.get("authorization"), beforeRedirect });
};

axiosTest("a redirect keeps the header within the origin only; the caller's own hook comes after", async (world) => {
  const { client, session } = world;
  const seen: unknown[] = [];
  attachTokens(client, session.tokens, { origins: ({ pathname }) => pathname !== "/theirs" });
  const options = {
    adapter: capture,
    beforeRedirect: ({ headers }: Record<string, unknown>) => seen.push(headers),
  };
  const { beforeRedirect } = (await rejection(client.get("http://api.test/", options))) as AxiosRequestConfig;
  const hrefs = [
    "http://api.test/x",
    "http://sub.api.test/",
    "https://api.test/",
    "http://api.test:81/",
    "http://api.test/theirs",
  ];
  for (const href of hrefs) {
    const headers = { AUTHORIZATION: "Bearer it", accept: "*/*" };
    beforeRedirect?.({ href, headers }, { headers: {}, statusCode: 302 }, { headers: {}, url: "", method: "GET" });
  }
  const without = { accept: "*/*" };
  expect(seen).toEqual([{ AUTHORIZATION: "Bearer it", ...without }, without, without, without, without]);
});

axiosTest("the body is transformed once, whatever the transformation", async ({ api, client }) => {
  api.respond = accepting(canary("access", 2));
  await client.post("/", "x", { transformRequest: (data) => `${data}1` });
  expect(api.received.map(({ body }) => body.toString())).toEqual(["x1", "x1"]);
});

axiosTest("a FormData is repeated, with a boundary of its own", async ({ api, client }) => {
  api.respond = accepting(canary("access", 2));
  const form = new FormData();
  form.set("file", new Blob(["content"]), "name.txt");
  await client.post("/", form);
  const parts = api.received.map(({ body, contentType }) =>
    body.toString().replaceAll(contentType?.split("boundary=")[1] ?? "", "boundary"),
  );
  expect(parts[0]).toContain("content");
  expect(parts).toEqual([parts[0], parts[0]]);
});

axiosTest("a response stream that nobody gets is closed", async ({ api, session, client }) => {
  const streams: Readable[] = [];
  const adapter = async (config: InternalAxiosRequestConfig) => {
    const response = await axios.getAdapter("http")(Object.assign(config, { validateStatus: () => true }));
    streams.push(response.data);
    return response;
  };
  api.respond = accepting(canary("access", 2));
  const { status } = await client.get("/", { responseType: "stream", adapter });
  expect([status, streams.map(({ destroyed }) => destroyed)]).toEqual([200, [true, false]]);
  await session.tokens.signOut();
  await session.tokens.signIn({ accessToken: canary("access", 1), expiresAt: Date.now() + 60_000 });
  await rejection(client.get("/", { responseType: "stream", adapter }));
  expect(streams.map(({ destroyed }) => destroyed)).toEqual([true, false, true]);
});

axiosTest(
  "a redirect to another one of the origins goes without the token, and its 401 is left alone",
  async (world) => {
    const { api, other, session } = world;
    const client = axios.create({ baseURL: api.origin });
    attachTokens(client, session.tokens, { origins: [api.origin, other.origin] });
    api.respond = () => ({ status: 302, headers: { location: other.origin } });
    other.respond = () => UNAUTHORIZED;
    await rejection(client.get("/"));
    expect([bearers(other), api.received.length, session.exchanges]).toEqual([[undefined], 1, 0]);
  },
);

axiosTest("a cancel token ends the wait at once", async ({ api, session, client }) => {
  const resume = session.pause();
  api.respond = () => UNAUTHORIZED;
  const source = axios.CancelToken.source();
  const call = rejection(client.get("/", { cancelToken: source.token }));
  await expect.poll(() => session.exchanges).toBe(1);
  source.cancel();
  expect(axios.isCancel(await call)).toBe(true);
  resume();
});

axiosTest("no error holds the token, and its config can be sent again", async ({ api, client }) => {
  api.respond = () => ({ status: 500 });
  const controller = new AbortController();
  const failed = (await rejection(client.get("/"))) as AxiosError;
  api.respond = () => {
    controller.abort();
    return { status: 200 };
  };
  const canceled = (await rejection(client.get("/", { signal: controller.signal }))) as AxiosError;
  for (const error of [failed, canceled]) {
    expect(error.config?.headers.has("authorization")).toBe(false);
    expect(error.config?.beforeRedirect).toBeUndefined();
    expect(error.config?.adapter).toEqual(client.defaults.adapter);
    expect(error.request).toBeDefined();
    expect(printed(error)).not.toContain(CANARY);
  }
  api.respond = accepting(canary("access", 2));
  expect((await client.request(failed.config ?? {})).status).toBe(200);
  expect(bearers(api)).toEqual([bearer(1), bearer(1), bearer(1), bearer(2)]);
});
