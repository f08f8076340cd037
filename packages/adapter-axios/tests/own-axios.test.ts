import { createRequire } from "node:module";
import { inspect } from "node:util";
import { CANARY, UNAUTHORIZED } from "@unexpired/testing";
import axios, { type AxiosInstance, type AxiosRequestConfig } from "axios";
import MockAdapter from "axios-mock-adapter";
import { describe, expect, expectTypeOf, it } from "vitest";
import { type Attachable, attachTokens } from "../src/index.ts";
import { authorizationsAt, axiosTest, expectNoToken, rejection, type World } from "./support.ts";

const require = createRequire(import.meta.url);
const commonJs: typeof axios = require("axios");

const copies = [
  ["the ES module", axios],
  ["the CommonJS module", commonJs],
  ["another version", require("axios-oldest")],
] as const satisfies [string, typeof axios][];

/** Returns an instance with tokens for the origin of `api`. */
const connect = ({ api, session }: World, copy: typeof axios): AxiosInstance => {
  const client = copy.create({ baseURL: api.origin });
  attachTokens(client, session.tokens);
  return client;
};

it("tests different copies of axios", () => {
  expect(new Set(copies.map(([, { AxiosError }]) => AxiosError)).size).toBe(3);
});

describe.each(copies)("%s", (_name, copy) => {
  axiosTest("throws the caller's own AxiosError", async (world) => {
    const { api } = world;
    const client = connect(world, copy);
    const failures = [() => ({ status: 500 }), () => UNAUTHORIZED, () => ({ status: 200, truncate: true })];
    for (const respond of failures) {
      api.respond = respond;
      const error = await rejection(client.get("/"));
      expect(error).toBeInstanceOf(copy.AxiosError);
      expect(copy.isAxiosError(error)).toBe(true);
      expectNoToken(error);
    }
    api.respond = () => new Promise(() => {});
    const late = await rejection(client.get("/", { timeout: 200 }));
    expect(late).toBeInstanceOf(copy.AxiosError);
    expectNoToken(late);
  });

  axiosTest("throws the caller's own CanceledError", async (world) => {
    const { api } = world;
    const controller = new AbortController();
    api.respond = () => {
      controller.abort();
      return new Promise(() => {});
    };
    const client = connect(world, copy);
    for (const { signal } of [controller, controller]) {
      const error = await rejection(client.get("/", { signal }));
      expect(error).toBeInstanceOf(copy.CanceledError);
      expectNoToken(error);
    }
  });

  axiosTest("keeps the caller's own headers in configs and responses", async (world) => {
    const client = connect(world, copy);
    const Headers = (await copy.create({ baseURL: world.api.origin }).get("/")).config.headers.constructor;
    const { config, headers } = await client.get("/");
    expect(config.headers).toBeInstanceOf(Headers);
    expect(headers).toBeInstanceOf(Headers);
    world.api.respond = () => ({ status: 500 });
    expect(Object(await rejection(client.get("/"))).config.headers).toBeInstanceOf(Headers);
  });
});

axiosTest("works with an instance of the class Axios", async ({ api, session }) => {
  const client = new axios.Axios({ ...axios.defaults, baseURL: api.origin } as AxiosRequestConfig);
  attachTokens(client, session.tokens);
  api.respond = (_, index) => (index ? { status: 500 } : UNAUTHORIZED);
  expect(await rejection(client.get("/"))).toBeInstanceOf(axios.AxiosError);
  expect(authorizationsAt(api)).toEqual([1, 2].map((n) => `Bearer ${session.accessToken(n)}`));
});

axiosTest("works with a subclass of Axios that attaches the tokens to itself", async ({ api, session }) => {
  class Client extends axios.Axios {
    constructor(options: { readonly server: string }) {
      super({ ...axios.defaults, baseURL: options.server } as AxiosRequestConfig);
      attachTokens(this, session.tokens);
    }
  }
  expect((await new Client({ server: api.origin }).get("/")).status).toBe(200);
  expect(authorizationsAt(api)).toEqual([`Bearer ${session.accessToken(1)}`]);
});

axiosTest("does not use interceptors that the caller's own create() adds", async ({ api, session }) => {
  const client = axios.create({ baseURL: api.origin });
  let created = 0;
  const { create } = client;
  client.create = (defaults) => {
    const extended = create(defaults);
    extended.interceptors.request.use(() => Promise.reject(new Error(`an interceptor of instance ${++created}`)));
    return extended;
  };
  attachTokens(client, session.tokens);
  expect((await client.get("/")).status).toBe(200);
});

/** The type of instances in CommonJS. */
type CommonJsInstance = ConstructorParameters<typeof MockAdapter>[0];

it("accepts the types of both module systems", () => {
  expectTypeOf<AxiosInstance>().toExtend<Attachable>();
  expectTypeOf<CommonJsInstance>().toExtend<Attachable>();
});

const mockOf = (client: AxiosInstance) => new MockAdapter(client as unknown as CommonJsInstance);

axiosTest("shows what was sent in the history of axios-mock-adapter", async ({ session, client }) => {
  const mock = mockOf(client);
  mock.onGet("/things").replyOnce(401).onGet("/things").reply(500, { why: 1 });
  const error = Object(await rejection(client.get("/things")));
  const sent = mock.history.get.map(({ headers }) => headers?.Authorization);
  expect(sent).toEqual([1, 2].map((n) => `Bearer ${session.accessToken(n)}`));
  expect(error.response).toMatchObject({ status: 500, data: { why: 1 } });
  expect(error.config.headers.has("Authorization")).toBe(false);
  expect(error.response.config).toBe(error.config);
  expectNoToken(error);
  expect(inspect(mock.history.get[1])).not.toContain(CANARY);
});

axiosTest("works with the requests that axios-mock-adapter passes through", async ({ api, client }) => {
  mockOf(client).onAny().passThrough();
  api.respond = (_, index) => (index ? { status: 500 } : UNAUTHORIZED);
  const error = Object(await rejection(client.post("/", { a: 1 })));
  expect(api.received.map(({ body }) => body.toString())).toEqual(['{"a":1}', '{"a":1}']);
  expect(error.config.headers.has("Authorization")).toBe(false);
  expectNoToken(error);
});

axiosTest("leaves no token in the config of an error that ends a stream", async ({ api, client }) => {
  api.respond = () => ({ status: 200, headers: { "content-length": "99" }, body: "1" });
  const controller = new AbortController();
  const { data, config } = await client.get("/", { responseType: "stream", signal: controller.signal });
  const failure = rejection(data.toArray());
  controller.abort();
  const error = Object(await failure);
  expect(error).toBeInstanceOf(axios.CanceledError);
  for (const each of [config, error.config ?? config]) expect(each.headers.has("Authorization")).toBe(false);
});
