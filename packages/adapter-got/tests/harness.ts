import { Agent, type AgentOptions, request } from "node:http";
import type { TokenSource } from "@unexpired/core";
import type { AdapterHarness, Body, Call, Client, ClientSetup, Outcome } from "@unexpired/testing";
import got, {
  type ExtendOptions,
  type Got,
  HTTPError,
  Options,
  type OptionsInit,
  RequestError,
  type Response,
} from "got";
import { perRequest, withTokens } from "../src/index.ts";

const bodyOf = (body: Body): OptionsInit => {
  if (body.kind === "json") return { json: body.value };
  if (body.kind === "form") return { form: body.value };
  return { body: body.value as OptionsInit["body"] & object };
};

/** Whether this version of got accepts `body`. */
const isBodyAccepted = (body: unknown): boolean => {
  try {
    new Options({ body: body as OptionsInit["body"] & object });
    return true;
  } catch {
    return false;
  }
};

/** Returns an agent that connects every request to this origin. */
const agentTo = (origin: string) => {
  const { hostname: host, port } = new URL(origin);
  return new Agent({ host, port: Number(port) } as AgentOptions);
};

const RESPONSE_TYPES = { text: "text", json: "json", bytes: "buffer", stream: "text" } as const;

/** Splits a target for got, which accepts no leading slash after a `prefixUrl`. */
const targetOf = ({ url, baseURL }: Call): [string, OptionsInit] =>
  /^(\w+:)?\/\//.test(url) ? [url, { prefixUrl: "" }] : [url.slice(1), baseURL ? { prefixUrl: baseURL } : {}];

const toOptions = (call: Call): OptionsInit => {
  const { method = "GET", headers = {}, query, body, connectTo, read, signal, timeout, settings } = call;
  return {
    method,
    headers,
    ...(query && { searchParams: query }),
    ...(connectTo && { agent: { http: agentTo(connectTo) } }),
    ...(read && { responseType: RESPONSE_TYPES[read] }),
    ...(timeout && { timeout: { request: timeout } }),
    ...(signal && { signal }),
    ...(body && bodyOf(body)),
    ...(settings && perRequest(settings)),
  };
};

/** Sends a call. A status is an outcome, even if got throws for it. */
const send = async (client: Got, call: Call): Promise<Outcome> => {
  const [url, target] = targetOf(call);
  try {
    const { statusCode, body } = (await client(url, { ...target, ...toOptions(call) })) as Response;
    return { status: statusCode, body };
  } catch (error) {
    if (error instanceof HTTPError) return { status: error.response.statusCode, body: error.response.body, error };
    throw error;
  }
};

/** Reports each request: without `keepAlive`, each has its own connection. */
class ObservedAgent extends Agent {
  readonly #onConnect: () => void;

  constructor(onConnect: () => void) {
    super();
    this.#onConnect = onConnect;
  }

  override createConnection(...parameters: Parameters<Agent["createConnection"]>) {
    this.#onConnect();
    return super.createConnection(...parameters);
  }
}

/** Tunnels through a proxy with an agent, as got's documentation recommends. */
class ProxyAgent extends Agent {
  readonly #proxy: string;

  constructor(proxy: string) {
    super();
    this.#proxy = proxy;
  }

  override createConnection(...[{ host, port }, callback]: Parameters<Agent["createConnection"]>) {
    request(this.#proxy, { method: "CONNECT", path: `${host}:${port}` })
      .on("connect", (_, socket) => callback?.(null, socket))
      .on("error", (error) => callback?.(error, undefined as never))
      .end();
    return undefined;
  }
}

const agentOf = ({ proxy, onConnect }: ClientSetup): ExtendOptions => {
  if (proxy) return { agent: { http: new ProxyAgent(proxy) } };
  return onConnect ? { agent: { http: new ObservedAgent(onConnect) } } : {};
};

const watch = (name: string, { onHook }: ClientSetup): ExtendOptions =>
  onHook
    ? {
        hooks: {
          beforeRequest: [() => void onHook(`request ${name}`)],
          beforeRetry: [() => void onHook(`retry ${name}`)],
          afterResponse: [
            (response) => {
              onHook(`response ${name} ${response.statusCode}`);
              return response;
            },
          ],
        },
      }
    : {};

/** Extends a client with an adapter. */
type Extend = (client: Got, tokens: TokenSource, setup: ClientSetup) => Got;

const extendWithTokens: Extend = (client, tokens, { origins, allowInsecure, isUnauthorized }) =>
  client.extend(
    withTokens(tokens, {
      origins,
      allowInsecure,
      isUnauthorized: isUnauthorized && ((response: Response) => isUnauthorized(response.statusCode, response.body)),
    }),
  );

/** Creates a harness for got with the given adapter: this package, or another for comparison. */
export const harnessWith = (extend: Extend): AdapterHarness => ({
  connect(setup): Client {
    const { tokens, baseURL, retries = 0, statusValues } = setup;
    const retry = {
      limit: retries,
      calculateDelay: ({ computedValue }: { computedValue: number }) => computedValue && 1,
    };
    const options = { prefixUrl: baseURL, retry, ...(statusValues && { throwHttpErrors: false }), ...agentOf(setup) };
    const bare = got.extend(options, watch("before", setup));
    const adapted = tokens ? extend(bare, tokens, setup) : bare;
    const client = adapted.extend(watch("after", setup));
    return { send: (call) => send(client, call), defaults: [adapted.defaults.options, client.defaults.options] };
  },
  bodies: {
    json: "repeated",
    form: "repeated",
    string: "repeated",
    buffer: "repeated",
    formData: "repeated",
    stream: "once",
    asyncIterable: "once",
    ...(isBodyAccepted(new Blob([]).stream()) && { webStream: "once" }),
  },
  hooks: [
    "request before",
    "request after",
    "retry before",
    "retry after",
    "request before",
    "request after",
    "response before 200",
    "response after 200",
  ],
  unsupported: {
    fetch: "got does not use fetch",
    detach: "got instances are immutable: the instance that was extended has no tokens",
    stream: "got runs no afterResponse hooks for streams, so their 401 cannot be retried",
  },
  isAbort: (error) => error instanceof RequestError && error.name === "AbortError",
  isTimeout: (error) => error instanceof RequestError && error.name === "TimeoutError",
  unwrapError: (error) => (error instanceof RequestError ? error.cause : error),
});

export const gotHarness = harnessWith(extendWithTokens);
