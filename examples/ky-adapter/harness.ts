import { perRequest } from "@unexpired/core";
import type { AdapterHarness, Body, Call, Client, ClientSetup } from "@unexpired/testing";
import ky, { isHTTPError, isTimeoutError, type KyInstance, type Options } from "ky";
import { Agent, ProxyAgent } from "undici";
import { withTokens } from "./with-tokens.ts";

function bodyOf(body: Body): Options {
  if (body.kind === "json") return { json: body.value };
  if (body.kind === "form") return { body: new URLSearchParams(body.value) };
  return { body: body.value as NonNullable<Options["body"]> };
}

/** ky passes unknown options on to `fetch`, and Node's `fetch` accepts a dispatcher. */
function dispatcherOf({ proxy, onConnect }: ClientSetup): Options {
  const dispatcher = proxy
    ? new ProxyAgent(proxy)
    : new Agent().compose((dispatch) => (options, handler) => {
        onConnect?.();
        return dispatch(options, handler);
      });
  return { dispatcher } as Options;
}

/** The caller's own hooks. */
const watch = (name: string, onHook: ClientSetup["onHook"]): Options => ({
  hooks: {
    beforeRequest: [() => onHook?.(`request ${name}`)],
    afterResponse: [({ response }) => onHook?.(`response ${name} ${response.status}`)],
  },
});

function optionsOf({ url, body, baseURL, query, settings, read, ...call }: Call): [string, Options] {
  const isAbsolute = /^(\w+:)?\/\//.test(url);
  const target = isAbsolute ? url : url.slice(1);
  return [
    target,
    {
      ...call,
      ...(isAbsolute ? { prefix: "" } : baseURL && { prefix: baseURL }),
      ...(body && bodyOf(body)),
      ...(query && { searchParams: query }),
      ...(settings && perRequest(settings)),
    } as Options,
  ];
}

const readers = {
  text: (response: Response) => response.text(),
  json: (response: Response) => response.json(),
  bytes: (response: Response) => response.arrayBuffer(),
  stream: async (response: Response) => response.body,
};

const clientOf = (client: KyInstance): Client => ({
  async send(call) {
    const { read = "text" } = call;
    try {
      const response = await client(...optionsOf(call));
      return { status: response.status, body: await readers[read](response) };
    } catch (error) {
      if (isHTTPError(error)) return { status: error.response.status, body: error.data, error };
      throw error;
    }
  },
});

function connect(setup: ClientSetup): Client {
  const { tokens, baseURL, origins, allowInsecure, retries = 0, statusValues = false, isUnauthorized, onHook } = setup;
  const rule = isUnauthorized && {
    isUnauthorized: async (response: Response) => isUnauthorized(response.status, await response.clone().json()),
  };
  const retry = { limit: retries, statusCodes: [503], delay: () => 0 };
  const client = ky
    .create({ prefix: baseURL, retry, throwHttpErrors: !statusValues, ...dispatcherOf(setup) })
    .extend(watch("before", onHook))
    .extend(tokens ? withTokens(tokens, { origins, allowInsecure, ...rule }) : {})
    .extend(watch("after", onHook));
  return clientOf(client);
}

export const harness: AdapterHarness = {
  connect,
  bodies: {
    json: "repeated",
    form: "repeated",
    searchParams: "repeated",
    formData: "repeated",
    string: "repeated",
    buffer: "repeated",
    blob: "repeated",
    stream: "repeated",
    webStream: "repeated",
    asyncIterable: "repeated",
  },
  hooks: ["request before", "request after", "response before 200", "response after 200"],
  unsupported: {
    connectTo: "a dispatcher does not show where it connects to",
    defaults: "ky does not expose the defaults of an instance",
    detach: "ky.create returns a separate instance, so nothing can be detached",
    fetch: "the adapter is the fetch of ky",
  },
  isAbort: (error) => error instanceof DOMException && error.name === "AbortError",
  isTimeout: isTimeoutError,
};
