import type { TokenSource } from "@unexpired/core";
import type { AdapterHarness, Body, Call, Client, ClientSetup, Outcome } from "@unexpired/testing";
import { createFetch, FetchError, type FetchOptions, type FetchResponse, ofetch } from "ofetch";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { perRequest, withTokens } from "../src/index.ts";

/** Whether this is ofetch 1.0.0, the only version whose `createFetch` requires options. */
export const isOldest = createFetch.length > 0;

const FORM = { "content-type": "application/x-www-form-urlencoded" };

const bodyOf = ({ kind, value }: Body): FetchOptions => {
  if (kind === "form") return { body: value, headers: FORM };
  const isRead = kind === "stream" || kind === "webStream" || kind === "asyncIterable";
  return { body: value as BodyInit, ...(isRead && { duplex: "half" }) };
};

const RESPONSE_TYPES = { text: "text", json: "json", bytes: "arrayBuffer", stream: "stream" } as const;

const optionsOf = ({ url: _, headers, body, read, settings, ...rest }: Call): FetchOptions => {
  const { headers: type, ...content } = body ? bodyOf(body) : {};
  return {
    ...(rest as FetchOptions),
    ...content,
    headers: { ...type, ...headers } as Record<string, string>,
    ...(read && { responseType: RESPONSE_TYPES[read] }),
    ...(settings && perRequest(settings)),
  };
};

/** A dispatcher that reports each request. */
class ObservedAgent extends Agent {
  readonly #onConnect: () => void;

  constructor(onConnect: () => void) {
    super();
    this.#onConnect = onConnect;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#onConnect();
    return super.dispatch(options, handler);
  }
}

const transportOf = ({ proxy, onConnect }: ClientSetup): object => {
  if (proxy) return { dispatcher: new ProxyAgent(proxy) };
  return onConnect ? { dispatcher: new ObservedAgent(onConnect) } : {};
};

const hooksOf = (onHook: (event: string) => void): FetchOptions => {
  const request = (name: string) => () => onHook(`request ${name}`);
  const response =
    (name: string) =>
    ({ response }: { response: FetchResponse<unknown> }) =>
      onHook(`response ${name} ${response.status}`);
  return {
    onRequest: [request("before"), request("after")],
    onResponse: [response("before"), response("after")],
    onResponseError: () => onHook("response error"),
  };
};

/** Adds an adapter to the options of an instance. */
type AddTokens = (options: FetchOptions, tokens: TokenSource, setup: ClientSetup) => FetchOptions;

const addTokens: AddTokens = (options, tokens, { origins, allowInsecure, isUnauthorized }) =>
  withTokens(tokens, {
    ...options,
    origins,
    allowInsecure,
    ...(isUnauthorized && { isUnauthorized: ({ status, _data }) => isUnauthorized(status, _data) }),
  });

const connectWith =
  (complete: AddTokens) =>
  (setup: ClientSetup): Client => {
    const { tokens, baseURL, retries = 0, statusValues = false, onHook } = setup;
    const own: FetchOptions = {
      baseURL,
      retry: retries,
      ...(statusValues && { ignoreResponseError: true }),
      ...(onHook && hooksOf(onHook)),
      ...transportOf(setup),
    };
    const defaults = tokens ? complete(own, tokens, setup) : own;
    const { fetch } = setup;
    const client = (fetch ? createFetch({ fetch, Headers, AbortController }) : ofetch).create(defaults);
    return {
      defaults,
      async send(call): Promise<Outcome> {
        try {
          const { status, _data } = await client.raw(call.url, optionsOf(call));
          return { status, body: _data };
        } catch (error) {
          if (error instanceof FetchError && error.status) return { status: error.status, body: error.data, error };
          throw error;
        }
      },
    };
  };

/** Returns the name of the cause. ofetch 1.0.0 keeps only its message. */
const nameOf = (error: unknown): string => {
  if (!(error instanceof FetchError)) return "";
  if (error.cause instanceof Error) return error.cause.name;
  return error.message.startsWith("This operation was aborted") ? "AbortError" : "";
};

/** Creates a harness for ofetch with the given adapter: this package, or another for comparison. */
export const harnessWith = (complete: AddTokens): AdapterHarness => ({
  connect: connectWith(complete),
  bodies: {
    json: "repeated",
    searchParams: "repeated",
    formData: "repeated",
    string: "repeated",
    blob: "repeated",
    stream: "once",
    webStream: "once",
    asyncIterable: "once",
    // ofetch 1.0.0 serializes a form and a Buffer as JSON
    ...(!isOldest && { form: "repeated", buffer: "repeated" }),
  },
  hooks: [
    "request before",
    "request after",
    "request before",
    "request after",
    "response before 200",
    "response after 200",
  ],
  unsupported: {
    connectTo: "a dispatcher does not show where it connects to",
    detach: "the options of an ofetch instance cannot be changed",
    ...(isOldest && {
      statusValues: "ofetch 1.0.0 has no ignoreResponseError",
      timeout: "ofetch 1.0.0 has no timeout",
    }),
  },
  isAbort: (error) => nameOf(error) === "AbortError",
  isTimeout: (error) => nameOf(error) === "TimeoutError",
});

export const ofetchHarness = harnessWith(addTokens);
