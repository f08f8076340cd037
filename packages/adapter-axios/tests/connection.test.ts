import { Agent, type AgentOptions } from "node:http";
import { Agent as SecureAgent } from "node:https";
import type { ResourceServer } from "@unexpired/testing";
import axios, { type AxiosRequestConfig } from "axios";
import { expect } from "vitest";
import { attachTokens } from "../src/index.ts";
import { authorizationsAt, axiosTest, capture, rejection, since, type World } from "./support.ts";

const targetOf = ({ origin }: ResourceServer) => {
  const { hostname, port } = new URL(origin);
  return { hostname, host: hostname, port: Number(port) }; // axios 1.0 reads `hostname` instead of `host`
};

/** Returns the header of a request with these options, without sending it. */
const headerOf = async ({ session }: World, options: AxiosRequestConfig, defaults: AxiosRequestConfig = {}) => {
  const client = axios.create({ baseURL: "http://api.test", ...defaults });
  attachTokens(client, session.tokens, { origins: ["http://api.test", "https://api.test"], allowInsecure: true });
  return Object(await rejection(client.get("/", { adapter: capture, ...options }))).authorization;
};

axiosTest("sends no token if the request's own Host header names another host", async ({ api, client }) => {
  const own = new URL(api.origin).host;
  for (const host of ["other-tenant.example", own]) await client.get("/", { headers: { hOST: host } });
  client.defaults.headers.common.Host = "other-tenant.example";
  await client.get("/");
  expect(api.received.map(({ headers }) => headers.host)).toEqual([
    "other-tenant.example",
    own,
    "other-tenant.example",
  ]);
  expect(authorizationsAt(api).map(Boolean)).toEqual([false, true, false]);
});

axiosTest("sends the token if the caller suppresses the Host header", async ({ api, session, client }) => {
  await client.get("/", { headers: { Host: false } });
  expect(authorizationsAt(api)).toEqual([`Bearer ${session.accessToken(1)}`]);
});

axiosTest("sends no token through a proxy of a single request", async ({ other, client }) => {
  await client.get("/", { proxy: targetOf(other) });
  expect(authorizationsAt(other)).toEqual([undefined]);
});

axiosTest("sends the token through the proxy that the instance had, and past it", async (world) => {
  const { api, other, session } = world;
  const proxy = targetOf(other);
  const client = axios.create({ baseURL: api.origin, proxy });
  attachTokens(client, session.tokens);
  Object.assign(client.defaults.proxy || {}, targetOf(api)); // what counts is the proxy when tokens were attached
  await client.get("/", { proxy });
  await client.get("/", { proxy: false });
  await client.get("/");
  const token = `Bearer ${session.accessToken(1)}`;
  expect([authorizationsAt(other), authorizationsAt(api)]).toEqual([[token], [token, undefined]]);
});

axiosTest("sends no token with an agent of a single request that connects elsewhere", async (world) => {
  const { other, client } = world;
  await client.get("/", { httpAgent: new Agent(targetOf(other) as AgentOptions) });
  expect(authorizationsAt(other)).toEqual([undefined]);
  expect(await headerOf(world, { httpAgent: new Agent({ socketPath: "/run/other" } as AgentOptions) })).toBeUndefined();
});

axiosTest(
  "sends the token with a plain agent of a single request, and with the agent that the instance had",
  async (world) => {
    const { api, other, session, client } = world;
    const httpAgent = new Agent(targetOf(other) as AgentOptions);
    const detoured = axios.create({ baseURL: api.origin, httpAgent });
    attachTokens(detoured, session.tokens);
    await client.get("/", { httpAgent: new Agent({ keepAlive: false, maxSockets: 1 }) });
    await detoured.get("/");
    const token = `Bearer ${session.accessToken(1)}`;
    expect([authorizationsAt(api), authorizationsAt(other)]).toEqual([[token], [token]]);
  },
);

axiosTest("checks the agent for the protocol of the URL", async (world) => {
  const baseURL = "https://api.test";
  const httpsAgent = new SecureAgent({ rejectUnauthorized: false });
  const httpAgent = new Agent({ socketPath: "/run/other" } as AgentOptions);
  expect(await headerOf(world, { baseURL, httpsAgent })).toBeUndefined();
  expect(await headerOf(world, { baseURL, httpAgent })).toBeTruthy();
  expect(await headerOf(world, { httpsAgent })).toBeTruthy();
  expect(await headerOf(world, { baseURL, httpsAgent: new SecureAgent({ ca: "" }) })).toBeTruthy();
  expect(await headerOf(world, { baseURL, httpsAgent }, { httpsAgent })).toBeTruthy();
});

axiosTest(
  "sends no token to a socketPath, through a transport of a single request, or through its lookup",
  async (world) => {
    const lookup = async () => ({ address: "127.0.0.1" });
    const transport = { request: () => {} };
    expect(await headerOf(world, { socketPath: "/nowhere" })).toBeUndefined();
    expect(await headerOf(world, { transport })).toBeUndefined();
    expect(await headerOf(world, { transport }, { transport })).toBeTruthy();
    expect(await headerOf(world, { lookup })).toBeUndefined();
    expect(await headerOf(world, { lookup }, { lookup })).toBeTruthy();
    expect(await headerOf(world, { lookup, baseURL: "https://api.test" })).toBeTruthy(); // TLS checks the host
  },
);

since(1, 13)("sends no token with a target in http2Options of a single request", async (world) => {
  const unsafe = { rejectUnauthorized: false };
  expect(await headerOf(world, { http2Options: { host: "other.test" } })).toBeUndefined();
  expect(await headerOf(world, { http2Options: unsafe })).toBeUndefined();
  expect(await headerOf(world, { http2Options: unsafe }, { http2Options: unsafe })).toBeTruthy();
  expect(await headerOf(world, { http2Options: { sessionTimeout: 1 } })).toBeTruthy();
  const client = axios.create({ baseURL: world.api.origin, http2Options: { sessionTimeout: 1 } });
  attachTokens(client, world.session.tokens);
  Object.assign(client.defaults.http2Options ?? {}, unsafe);
  expect(await rejection(client.get("/", { adapter: capture }))).toMatchObject({ authorization: undefined });
});
