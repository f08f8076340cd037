import { once } from "node:events";
import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import axios, { type AxiosError, type AxiosResponse } from "axios";
import { expect } from "vitest";
import { attachTokens } from "../src/index.ts";
import { authorizationsAt, axiosTest, expectNoToken, rejection, since, viaHttp } from "./support.ts";

axiosTest("restores the caller's config in an error", async ({ api, client }) => {
  const configs: unknown[] = [];
  client.interceptors.request.use((config) => {
    configs.push(config);
    return config;
  });
  api.respond = () => ({ status: 500 });
  const { config, response } = (await rejection(client.get("/"))) as AxiosError;
  expect(config).toBe(configs[0]);
  expect(response?.config).toBe(config);
  expect(config?.headers.has("authorization")).toBe(false);
  expect(config?.beforeRedirect).toBeUndefined();
  expect(config?.adapter).toEqual(client.defaults.adapter);
  expect(config?.transformRequest).toEqual(client.defaults.transformRequest);
  expect(config?.transformResponse).toEqual(client.defaults.transformResponse);
});

since(1, 2)("allows the config of an error to be sent again", async ({ api, client, session }) => {
  api.respond = () => ({ status: 500 });
  const { config } = (await rejection(client.post("/", { a: 1 }))) as AxiosError;
  api.respond = () => ({ status: 200 });
  expect((await client.request(config ?? {})).data).toEqual({ ok: true });
  expect(authorizationsAt(api)).toEqual(Array(2).fill(`Bearer ${session.accessToken(1)}`));
  expect(api.received.map(({ body }) => body.toString())).toEqual(Array(2).fill('{"a":1}'));
});

axiosTest("hides the token in the error for an invalid JSON body", async ({ api, client }) => {
  api.respond = () => ({ status: 200, body: "{" });
  const strict = { responseType: "json", transitional: { silentJSONParsing: false } } as const;
  expectNoToken(await rejection(client.get("/", strict)));
});

axiosTest("hides the token in an error that a transport wraps", async ({ api, client }) => {
  const [http] = [axios.getAdapter?.("http")];
  if (!http) return; // axios 1.4 and older have no public transport to wrap
  api.respond = () => ({ status: 500 });
  const adapter: typeof http = (config) =>
    http(config).catch((cause: unknown) => Promise.reject(new Error("wrapped", { cause })));
  const error = await rejection(client.get("/", { adapter }));
  expectNoToken(error);
  const { config } = Object(error).cause;
  expect(config.headers.has("authorization")).toBe(false);
});

axiosTest("hides the token in a response whose request stays usable", async ({ client }) => {
  const response = await client.get("/");
  expectNoToken(response);
  expect(response.request.path).toBe("/");
});

axiosTest("hides the token in a streamed response and in the error that ends it", async ({ api, client }) => {
  api.respond = () => ({ status: 200, headers: { "content-length": "9" }, body: "1" });
  const controller = new AbortController();
  const response: AxiosResponse<Readable> = await client.get("/", {
    responseType: "stream",
    signal: controller.signal,
  });
  expectNoToken(response);
  const error = rejection(response.data.toArray());
  controller.abort();
  expect(axios.isCancel(await error)).toBe(true);
  expectNoToken(await error);
});

axiosTest("hides the token in the error of an interrupted upload", async ({ session }) => {
  const arrived = createServer(() => {}).listen(0, "127.0.0.1"); // never reads the body
  await once(arrived, "listening");
  const { port } = arrived.address() as AddressInfo;
  const client = axios.create({ baseURL: `http://127.0.0.1:${port}` });
  attachTokens(client, session.tokens);
  const controller = new AbortController();
  const unended = new Readable({ read: () => {} });
  unended.push(Buffer.alloc(2 ** 22));
  const call = rejection(client.post("/", unended, { signal: controller.signal }));
  await once(arrived, "request");
  controller.abort();
  expectNoToken(await call);
  arrived.closeAllConnections();
  arrived.close();
});

axiosTest("hides the token in the error for a body that is too long", async ({ client }) => {
  expectNoToken(await rejection(client.post("/", "long", { maxBodyLength: 1 })));
});

axiosTest("hides a keep-alive agent with requests in flight, and keeps it usable", async ({ api, client }) => {
  const httpAgent = new Agent({ keepAlive: true, maxSockets: 2 });
  const held: (() => void)[] = [];
  api.respond = ({ path }) =>
    path === "/bad" ? { status: 500 } : new Promise((resolve) => held.push(() => resolve({ status: 200 })));
  const pending = ["/1", "/2", "/3"].map((url) =>
    client.get(url, { httpAgent, ...(url === "/3" && { timeout: 5_000 }) }),
  );
  await expect.poll(() => held.length).toBe(2);
  const queued = rejection(client.get("/bad", { httpAgent }));
  for (const release of held.splice(0)) release();
  const error = (await queued) as AxiosError;
  expectNoToken(error);
  expect(error.config?.httpAgent).toBe(httpAgent);
  await expect.poll(() => held.length).toBe(1);
  expectNoToken(error);
  for (const release of held) release();
  expect((await Promise.all(pending)).map(({ status }) => status)).toEqual([200, 200, 200]);
  httpAgent.destroy();
});

since(1, 12)("hides a dispatcher passed to fetch", async ({ client, session }) => {
  const inFlight = { headers: session.accessToken(1) };
  const options = {
    adapter: "fetch",
    env: { fetch: async () => new Response("", { status: 500 }) },
    fetchOptions: {
      dispatcher: new (class Pool {
        readonly inFlight = inFlight;
      })(),
    },
  } as const;
  expectNoToken(await rejection(client.get("/", options)));
});

axiosTest("hides the token if a custom transport rejects with the config that it received", async ({ client }) => {
  const failing: typeof viaHttp = (config) =>
    Promise.reject(Object.assign(new Error("mine"), { config, given: config }));
  expectNoToken(await rejection(client.get("/", { adapter: failing })));
  const after: typeof viaHttp = async (config) => {
    const { request } = await viaHttp(config);
    return Promise.reject({ request, response: { request, status: 500, data: "", headers: {}, config } });
  };
  expectNoToken(await rejection(client.get("/", { adapter: after })));
  expect(await rejection(client.get("/", { adapter: () => Promise.reject(undefined) }))).toBeUndefined();
});
