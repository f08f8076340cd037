import { createFetch, perRequest } from "@unexpired/core";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import type { AdapterHarness, Body, Call, Client, ClientSetup } from "../../src/index.ts";

/** Converts a body to the options of `fetch`. */
function bodyOf(body: Body): RequestInit {
  switch (body.kind) {
    case "json":
      return { body: JSON.stringify(body.value) };
    case "form":
      return { body: new URLSearchParams(body.value) };
    case "stream":
    case "webStream":
    case "asyncIterable":
      return { body: body.value as ReadableStream, duplex: "half" } as RequestInit;
    default:
      return { body: body.value };
  }
}

/** Returns a dispatcher. Node's `fetch` accepts one, although its types do not declare it. */
function dispatcherOf({ proxy, onConnect }: ClientSetup): Dispatcher | undefined {
  if (proxy) return new ProxyAgent(proxy);
  if (!onConnect) return undefined;
  return new Agent().compose((dispatch) => (options, handler) => {
    onConnect();
    return dispatch(options, handler);
  });
}

const readers = {
  text: (response: Response) => response.text(),
  json: (response: Response) => response.json(),
  bytes: (response: Response) => response.arrayBuffer(),
  stream: async (response: Response) => response.body,
};

const isAbsolute = (url: string) => /^(\w+:)?\/\//.test(url);

function connect(setup: ClientSetup): Client {
  const { tokens, baseURL, origins, allowInsecure, fetch: ownFetch = fetch, isUnauthorized } = setup;
  const dispatcher = dispatcherOf(setup);
  const rule = isUnauthorized && {
    isUnauthorized: async (response: Response) => {
      const text = await response.clone().text();
      return isUnauthorized(response.status, text ? JSON.parse(text) : undefined);
    },
  };
  const send = tokens ? createFetch(tokens, { origins, allowInsecure, fetch: ownFetch, ...rule }) : ownFetch;
  return {
    async send({ url, query, body, settings, read = "text", timeout, ...init }: Call) {
      const target = `${isAbsolute(url) ? url : baseURL + url}${query ? `?${new URLSearchParams(query)}` : ""}`;
      const response = await send(target, {
        ...init,
        ...(dispatcher && { dispatcher }),
        ...(body && bodyOf(body)),
        ...(settings && perRequest(settings)),
        ...(timeout && { signal: AbortSignal.timeout(timeout) }),
      } as RequestInit);
      return { status: response.status, body: await readers[read](response) };
    },
  };
}

/** Node's `fetch` with the core's adapter. */
export const fetchHarness: AdapterHarness = {
  connect,
  bodies: {
    json: "repeated",
    form: "repeated",
    searchParams: "repeated",
    formData: "repeated",
    string: "repeated",
    buffer: "repeated",
    blob: "repeated",
    stream: "once",
    webStream: "once",
    asyncIterable: "once",
  },
  unsupported: {
    baseURL: "fetch has no base URL",
    connectTo: "a dispatcher does not show where it connects to",
    defaults: "fetch has no instances",
    detach: "createFetch returns a separate function, so nothing can be detached",
    hooks: "fetch has no hooks",
    retries: "fetch has no retries",
    statusErrors: "fetch does not throw for a status",
  },
  isAbort: (error) => error instanceof DOMException && error.name === "AbortError",
  isTimeout: (error) => error instanceof DOMException && error.name === "TimeoutError",
};
