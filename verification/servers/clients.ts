/** The four adapters with their clients, behind one function. */
import type { Agent } from "node:http";
import type { RequestTokenOptions, TokenSource } from "@unexpired/core";
import type { OptionsInit } from "got";
import type { Packed } from "./packed.ts";

export type ClientName = "createFetch" | "axios" | "ofetch" | "got";

export const ALL: readonly ClientName[] = ["createFetch", "axios", "ofetch", "got"];

/** The options that a client is created with. */
export interface ClientSetup {
  readonly tokens: TokenSource;
  readonly origins?: readonly string[] | undefined;
  /** The client's own base URL, if it has one. */
  readonly baseURL?: string | undefined;
  readonly allowInsecure?: boolean | undefined;
  /** The `fetch` of the client. axios then uses its fetch transport; got has none. */
  readonly fetch?: typeof fetch | undefined;
  /** The copy of axios. */
  readonly axios?: Packed["axios"] | undefined;
}

/** A request. */
export interface ClientRequest {
  readonly url: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly perRequest?: RequestTokenOptions | undefined;
  /** An agent of `node:http` for this request. */
  readonly agent?: Agent | undefined;
  /** Further options of the client. */
  readonly more?: object | undefined;
}

/** Sends a request, and resolves to the status. Rejects with the client's own error. */
export type Send = (request: ClientRequest) => Promise<number>;

/** Creates a client. */
type Connect = (packed: Packed, setup: ClientSetup) => Send;

const methodOf = ({ body }: ClientRequest) => (body === undefined ? "GET" : "POST");

/** The options that the adapters have in common. Those that are not given must be absent, even from the prototype. */
const commonOf = (setup: ClientSetup): Pick<ClientSetup, "origins" | "allowInsecure"> =>
  Object.fromEntries(Object.entries(setup).filter(([name]) => name === "origins" || name === "allowInsecure"));

const connectFetch: Connect = ({ core }, setup) => {
  const { tokens, fetch } = setup;
  const options = { ...commonOf(setup), ...(fetch && { fetch }) };
  const send = core.createFetch(tokens, options as Parameters<typeof core.createFetch>[1]);
  return async (request) => {
    const { url, body, headers, perRequest, more } = request;
    const init = { method: methodOf(request), headers, body, duplex: "half", ...more } as RequestInit;
    const response = await send(url, { ...init, ...(perRequest && core.perRequest(perRequest)) });
    return response.status;
  };
};

const connectAxios: Connect = ({ axios, forAxios }, setup) => {
  const { tokens, baseURL, fetch } = setup;
  const transport = fetch && { adapter: "fetch", env: { fetch } };
  const client = (setup.axios ?? axios).create({ ...(baseURL && { baseURL }), ...(transport as object) });
  forAxios.attachTokens(client, tokens, commonOf(setup));
  return async (request) => {
    const { url, body, headers, perRequest, agent, more } = request;
    const { status } = await client.request({
      url,
      method: methodOf(request),
      ...(body !== undefined && { data: body }),
      ...(headers && { headers: { ...headers } }),
      ...(perRequest && forAxios.perRequest(perRequest)),
      ...(agent && { httpAgent: agent }),
      ...more,
    });
    return status;
  };
};

const connectOfetch: Connect = ({ ofetch, forOfetch }, setup) => {
  const { tokens, baseURL, fetch } = setup;
  const options = forOfetch.withTokens(tokens, { ...commonOf(setup), ...(baseURL && { baseURL }), retry: 0 });
  const base = fetch ? ofetch.createFetch({ fetch, Headers: globalThis.Headers }) : ofetch.ofetch;
  const client = base.create(options);
  return async (request) => {
    const { url, body, headers, perRequest, more } = request;
    const response = await client.raw(url, {
      method: methodOf(request),
      ...(headers && { headers }),
      ...(body !== undefined && { body: body as BodyInit, duplex: "half" }),
      ...(perRequest && forOfetch.perRequest(perRequest)),
      ...more,
    });
    return response.status;
  };
};

const connectGot: Connect = ({ got, forGot }, setup) => {
  const options = commonOf(setup) as Parameters<typeof forGot.withTokens>[1];
  const client = got.extend(forGot.withTokens(setup.tokens, options), { retry: { limit: 0 } });
  return async (request) => {
    const { url, body, headers, perRequest, agent, more } = request;
    const response = await client(url, {
      method: methodOf(request),
      ...(headers && { headers: { ...headers } }),
      ...(body !== undefined && { body: body as OptionsInit["body"] & object }),
      ...(perRequest && forGot.perRequest(perRequest)),
      ...(agent && { agent: { http: agent } }),
      ...more,
    });
    return (response as unknown as { statusCode: number }).statusCode;
  };
};

const CONNECT: Readonly<Record<ClientName, Connect>> = {
  createFetch: connectFetch,
  axios: connectAxios,
  ofetch: connectOfetch,
  got: connectGot,
};

/** Creates a client with the tokens. */
export const connect = (name: ClientName, packed: Packed, setup: ClientSetup): Send => CONNECT[name](packed, setup);
