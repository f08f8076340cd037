import { Agent, type AgentOptions } from "node:http";
import * as https from "node:https";
import { afterEach, describe, expect, it, vi } from "vitest";
import { mayConnectElsewhere } from "../../src/adapter.ts";

const http = new URL("http://api.test/");
const secure = new URL("https://api.test/");

afterEach(() => vi.unstubAllGlobals());

describe("mayConnectElsewhere", () => {
  it.each([
    ["no agent", undefined],
    ["null", null],
    ["agent: false", false],
    ["a plain agent", new Agent()],
    ["a keep-alive agent", new Agent({ keepAlive: true, maxSockets: 1, timeout: 1_000, family: 4 } as AgentOptions)],
  ])("is false over http for %s", (_name, agent) => {
    expect(mayConnectElsewhere(agent, http)).toBe(false);
  });

  it.each([
    ["a socketPath", { socketPath: "/run/other.sock" }],
    ["its own host", { host: "127.0.0.2" }],
    ["its own port", { port: 81 }],
    ["its own default port", { defaultPort: 81 }],
    ["its own lookup", { lookup: () => {} }],
    ["a proxy of the environment", { proxyEnv: { HTTP_PROXY: "http://proxy.test" } }],
  ])("is true over http for an agent with %s", (_name, options) => {
    expect(mayConnectElsewhere(new Agent(options as AgentOptions), http)).toBe(true);
  });

  it.each(["addRequest", "createSocket", "createConnection"])(
    "is true over http for an agent with its own %s",
    (name) => {
      expect(mayConnectElsewhere(Object.assign(new Agent(), { [name]: () => {} }), http)).toBe(true);
    },
  );

  it("is true over http for an agent that does not extend Node's", () => {
    expect(mayConnectElsewhere({ addRequest() {} }, http)).toBe(true);
  });

  it("is true over http if the runtime does not provide Node's agent", () => {
    vi.stubGlobal("process", {});
    expect(mayConnectElsewhere(new Agent(), http)).toBe(true);
    vi.stubGlobal("process", undefined);
    expect(mayConnectElsewhere(new Agent(), http)).toBe(true);
  });

  it.each([
    ["a plain agent", {}],
    ["its own certificates", { ca: "", cert: "", key: "" }],
    ["a socketPath", { socketPath: "/run/tunnel.sock" }],
    ["rejectUnauthorized: true", { rejectUnauthorized: true }],
  ])("is false over https for %s, because TLS checks the host", (_name, options) => {
    expect(mayConnectElsewhere(new https.Agent(options as https.AgentOptions), secure)).toBe(false);
  });

  it.each([
    ["rejectUnauthorized: false", { rejectUnauthorized: false }],
    ["its own servername", { servername: "other.test" }],
    ["its own checkServerIdentity", { checkServerIdentity: () => undefined }],
    ["its own host", { host: "other.test" }],
    ["its own port", { port: 8443 }],
    ["its own default port", { defaultPort: 8443 }],
  ])("is true over https for an agent with %s", (_name, options) => {
    expect(mayConnectElsewhere(new https.Agent(options), secure)).toBe(true);
  });
});
