import { Agent, type AgentOptions, request } from "node:http";
import { Agent as SecureAgent } from "node:https";
import { createServer } from "node:net";
import { type ResourceServer, startResourceServer } from "@unexpired/testing";
import got, { type ExtendOptions, type OptionsInit } from "got";
import { expect } from "vitest";
import { withTokens } from "../src/index.ts";
import { gotTest, rejection, tokensAt, type World } from "./world.ts";

const portOf = ({ origin }: ResourceServer) => ({ port: Number(new URL(origin).port) });

/** An agent that leads every request to `server`. */
const agentTo = (server: ResourceServer) => new Agent(portOf(server) as AgentOptions);

/** Returns the header of a request with these options, without sending it. */
const headerOf = async (
  { session }: World,
  options: OptionsInit,
  { url = "https://api.test/", instance = {} }: { readonly url?: string; readonly instance?: ExtendOptions } = {},
) => {
  let sent: unknown;
  const fake: OptionsInit["request"] = (_url, { headers }) => {
    sent = Object(headers).authorization;
    throw new Error("not sent");
  };
  const origins = ["https://api.test", "http://api.test"];
  const client = got.extend(
    { request: fake, retry: { limit: 0 } },
    instance,
    withTokens(session.tokens, { origins, allowInsecure: true }),
  );
  await rejection(client(url, options));
  return sent;
};

gotTest("sends no token if the request's own Host header names another host", async ({ api, make }) => {
  const own = new URL(api.origin).host;
  for (const hOST of ["other-tenant.example", own]) await make()(api.origin, { headers: { hOST } });
  await make({ headers: { host: "other-tenant.example" } })(api.origin);
  expect(api.received.map(({ headers }) => headers.host)).toEqual([
    "other-tenant.example",
    own,
    "other-tenant.example",
  ]);
  expect(tokensAt(api)).toEqual([undefined, "access-1", undefined]);
});

gotTest("sends no token with an agent of a single request that connects elsewhere", async ({ api, make }) => {
  await using other = await startResourceServer();
  const options = { agent: { http: agentTo(other) } };
  await make()(api.origin, options);
  for await (const _ of make({ pagination: { transform: () => [1], paginate: () => false } }).paginate(
    api.origin,
    options,
  ));
  const hooks: ExtendOptions["hooks"] = { beforeRequest: [(each) => void Object.assign(each, options)] };
  await make({ hooks })(api.origin);
  expect([tokensAt(api), tokensAt(other)]).toEqual([[], [undefined, undefined, undefined]]);
});

gotTest(
  "sends the token with the agent that the instance had, and with a plain one",
  async ({ api, session, make }) => {
    await using other = await startResourceServer();
    const agent = { http: agentTo(other) };
    await make({ agent })(api.origin);
    await got.extend({ ...withTokens(session.tokens, { origins: [api.origin] }), agent })(api.origin);
    await got.extend(make({ agent }))(api.origin);
    await make()(api.origin, { agent: { http: new Agent({ maxSockets: 1 }) } });
    expect([tokensAt(other), tokensAt(api)]).toEqual([["access-1", "access-1", "access-1"], ["access-1"]]);
  },
);

gotTest("sends no token with an agent that was added after the tokens", async ({ api, make }) => {
  await using other = await startResourceServer();
  await make().extend({ agent: { http: agentTo(other) } })(api.origin);
  expect(tokensAt(other)).toEqual([undefined]);
});

gotTest("sends no token through a request function of a single request", async ({ api, make }) => {
  await using other = await startResourceServer();
  const toOther = {
    request: (url: URL, options: object) => request({ ...options, ...portOf(other), path: url.pathname }),
  } as ExtendOptions;
  await make()(api.origin, toOther as OptionsInit);
  await make(toOther)(api.origin);
  expect(tokensAt(other)).toEqual([undefined, "access-1"]);
});

gotTest("sends no token through createConnection, a session or a lookup of a single request", async (world) => {
  const [plain, secure] = ["http://api.test/", "https://api.test/"];
  const isSent = async (options: object) =>
    Promise.all([plain, secure].map(async (url) => Boolean(await headerOf(world, options, { url }))));
  expect(await isSent({})).toEqual([true, true]);
  expect(await isSent({ createConnection: () => {} })).toEqual([false, false]);
  expect(await isSent({ h2session: {} })).toEqual([false, false]);
  expect(await isSent({ dnsLookup: () => {} })).toEqual([false, true]); // TLS checks the host
  expect(await isSent({ dnsCache: { lookup: () => {}, lookupAsync: () => {} } })).toEqual([false, true]);
  expect(await isSent({ agent: { http: new Agent({ socketPath: "/run/other" } as AgentOptions) } })).toEqual([
    false,
    true,
  ]);
});

gotTest("sends no token to a Unix socket", async ({ session }) => {
  const path = `/tmp/unexpired-got-${process.pid}.sock`;
  let received = "";
  const server = createServer((socket) => {
    socket.on("data", (data) => {
      received += data;
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
  }).listen(path);
  const client = got.extend(
    { enableUnixSockets: true },
    withTokens(session.tokens, { origins: () => true, allowInsecure: true }),
  );
  await client(`http://unix:${path}:/things`);
  server.close();
  expect(received).toMatch(/^GET \/things/);
  expect(received).not.toMatch(/authorization/i);
});

gotTest("sends no token if a request changes which servers TLS accepts", async (world) => {
  expect(await headerOf(world, {})).toBeTruthy();
  expect(await headerOf(world, { https: { rejectUnauthorized: false } })).toBeUndefined();
  expect(await headerOf(world, { https: { checkServerIdentity: () => undefined } })).toBeUndefined();
  expect(await headerOf(world, { https: { rejectUnauthorized: true, certificateAuthority: "" } })).toBeTruthy();
  expect(await headerOf(world, { agent: { https: new SecureAgent({ rejectUnauthorized: false }) } })).toBeUndefined();
  expect(await headerOf(world, { agent: { https: new SecureAgent({ keepAlive: true }) } })).toBeTruthy();
  const instance = { agent: { https: new SecureAgent({ rejectUnauthorized: false }) } };
  expect(await headerOf(world, {}, { instance })).toBeTruthy();
  expect(await headerOf(world, {}, { instance: { https: { rejectUnauthorized: false } } })).toBeTruthy();
});
