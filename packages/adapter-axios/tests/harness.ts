import { Agent, type AgentOptions } from "node:http";
import { createRequire } from "node:module";
import type { TokenSource } from "@unexpired/core";
import type { AdapterHarness, BodyKind, Call, Client, ClientSetup, Outcome } from "@unexpired/testing";
import axios, { type AxiosInstance, type AxiosRequestConfig, type AxiosResponse } from "axios";
import { attachTokens, perRequest } from "../src/index.ts";

/** axios 1.0 drops the `?` of a query (`/xy=1` for `/x?y=1`), and supports neither `FormData` nor `Blob` in Node. */
const isOldest = axios.VERSION.startsWith("1.0.");

/** axios needs a content type to encode an object as a form, and for a `FormData` through `fetch`. */
const CONTENT_TYPES: { readonly [Kind in BodyKind]?: string } = {
  form: "application/x-www-form-urlencoded",
  formData: "multipart/form-data",
};

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

const defined = <T extends object>(options: T) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;

const toURL = (url: string) => {
  const [path = url, query] = url.split("?");
  return isOldest && query ? { url: path, params: new URLSearchParams(query) } : { url };
};

const toHeaders = ({ headers, body }: Call) => {
  const contentType = body && CONTENT_TYPES[body.kind];
  return contentType ? { "content-type": contentType, ...headers } : headers;
};

/** Returns an agent that connects every request to this origin. */
const agentTo = (origin: string) => {
  const { hostname: host, port } = new URL(origin);
  return new Agent({ host, port: Number(port) } as AgentOptions);
};

const RESPONSE_TYPES = { text: "text", json: "json", bytes: "arraybuffer", stream: "stream" } as const;

const toConfig = (call: Call): AxiosRequestConfig => {
  const { method, url, baseURL, connectTo, query, body, read, signal, timeout, settings } = call;
  return {
    ...toURL(url),
    ...defined({
      method,
      baseURL,
      params: query,
      headers: toHeaders(call),
      data: body?.value,
      responseType: read && RESPONSE_TYPES[read],
      signal,
      timeout,
      httpAgent: connectTo && agentTo(connectTo),
    }),
    ...(settings && perRequest(settings)),
  };
};

/** Sends a call. A status is an outcome, even if axios throws for it. */
const send = (client: AxiosInstance, call: Call): Promise<Outcome> =>
  client.request(toConfig(call)).then(
    ({ status, data }) => ({ status, body: data }),
    (error: unknown) => {
      if (!axios.isAxiosError(error) || !error.response) throw error;
      return { status: error.response.status, body: error.response.data, error };
    },
  );

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

/** axios 1.0 reads `hostname` instead of the documented `host`. */
const proxyOf = (given: string) => {
  const { hostname, port } = new URL(given);
  return { hostname, host: hostname, port: Number(port) };
};

const watch = ({ interceptors }: AxiosInstance, name: string, { onHook }: ClientSetup) => {
  if (!onHook) return;
  interceptors.request.use((config) => {
    onHook(`request ${name}`);
    return config;
  });
  interceptors.response.use((response) => {
    onHook(`response ${name} ${response.status}`);
    return response;
  });
};

/** A transport of axios, which axios calls "adapter". */
interface Transport {
  readonly config: (setup: ClientSetup) => AxiosRequestConfig;
  readonly bodies: AdapterHarness["bodies"];
  readonly unsupported: AdapterHarness["unsupported"];
  /** The copy of axios. Default: its ES module. */
  readonly copy?: typeof axios;
}

const BODIES = {
  json: "repeated",
  form: "repeated",
  searchParams: "repeated",
  string: "repeated",
  buffer: "repeated",
  stream: "once",
} as const;

const http: Transport = {
  config: ({ proxy, onConnect }) => ({
    ...(proxy && { proxy: proxyOf(proxy) }),
    ...(onConnect && { httpAgent: new ObservedAgent(onConnect) }),
  }),
  bodies: isOldest ? BODIES : { ...BODIES, formData: "repeated", blob: "repeated" },
  unsupported: { fetch: "this transport of axios does not use fetch" },
};

const viaFetch: Transport = {
  config: ({ fetch: send = fetch, onConnect }) => ({
    adapter: "fetch",
    env: {
      fetch: (...parameters: Parameters<typeof fetch>) => {
        onConnect?.();
        return send(...parameters);
      },
    },
  }),
  bodies: { ...BODIES, formData: "repeated", blob: "repeated", webStream: "once" },
  unsupported: {
    connectTo: "the fetch transport of axios ignores agents",
    proxy: "the fetch transport of axios does not support proxies",
    redirects: "the fetch transport of axios does not report the URL after redirects",
  },
};

/** Attaches an adapter to a client, and returns a function that detaches it. */
type Attach = (client: AxiosInstance, tokens: TokenSource, setup: ClientSetup) => () => void;

const attachUnexpired: Attach = (client, tokens, { origins, allowInsecure, isUnauthorized }) =>
  attachTokens(client, tokens, {
    origins,
    allowInsecure,
    isUnauthorized: isUnauthorized && (({ status, data }: AxiosResponse) => isUnauthorized(status, data)),
  });

/** Creates a harness for axios with the given adapter: this package, or another for comparison. */
export const harnessWith = (
  attachTo: Attach,
  { config, bodies, unsupported, copy = axios } = http,
): AdapterHarness => ({
  connect(setup): Client {
    const { tokens, baseURL, statusValues } = setup;
    const client = copy.create({
      baseURL,
      ...(statusValues && { validateStatus: () => true }),
      ...config(setup),
    });
    const attach = () => (tokens ? attachTo(client, tokens, setup) : () => {});
    watch(client, "before", setup);
    let detach = attach();
    watch(client, "after", setup);
    return {
      send: (call) => send(client, call),
      defaults: client.defaults,
      detach: () => detach(),
      attach() {
        detach = attach();
      },
    };
  },
  bodies,
  hooks: ["request after", "request before", "response before 200", "response after 200"],
  unsupported: { retries: "axios has no retries", ...unsupported },
  isAbort: axios.isCancel,
  isTimeout: (error) => axios.isAxiosError(error) && /^(ECONNABORTED|ETIMEDOUT)$/.test(error.code ?? ""),
});

/** axios through `node:http`, the default in Node. */
export const httpHarness = harnessWith(attachUnexpired);

/** The CommonJS module of axios, through `node:http`. */
export const commonJsHarness = harnessWith(attachUnexpired, {
  ...http,
  copy: createRequire(import.meta.url)("axios"),
});

/** axios through `fetch`. */
export const fetchHarness = harnessWith(attachUnexpired, viaFetch);
