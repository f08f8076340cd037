import { perRequest, type TokenSource } from "@unexpired/core";
import {
  type Authorization,
  type Authorizer,
  createAuthorizer,
  discardBody,
  type ResponseInfo,
  redactRequest,
} from "@unexpired/core/adapter";
import { Agent, buildConnector, type Dispatcher, ProxyAgent } from "undici";
import type { Body, Call, Client, ClientSetup, Outcome } from "../../src/index.ts";

/** A call, translated into a request. */
export interface PreparedRequest {
  readonly call: Call;
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: BodyInit | undefined;
  readonly signal: AbortSignal;
  readonly dispatcher: Dispatcher | undefined;
  readonly redirect: RequestRedirect;
}

/** A request with its authorization and response. */
export interface Attempt {
  readonly authorization: Authorization<Response>;
  readonly request: PreparedRequest;
  readonly response: Response;
}

/**
 * An HTTP client over Node's `fetch` with a built-in adapter that passes every case, split into methods for mutants to
 * override.
 */
export class ReferenceClient implements Client {
  readonly defaults: { readonly baseURL: string; readonly headers: Record<string, string> };
  protected readonly setup: ClientSetup;
  protected readonly dispatcher: Dispatcher | undefined;
  protected authorizer: Authorizer<Response> | undefined;

  constructor(setup: ClientSetup) {
    this.setup = setup;
    this.defaults = { baseURL: setup.baseURL, headers: { accept: "*/*" } };
    this.dispatcher = dispatcherOf(setup);
    this.attach();
  }

  attach(): void {
    const { tokens } = this.setup;
    this.authorizer = tokens && this.authorizerFor(tokens);
  }

  detach(): void {
    this.authorizer = undefined;
  }

  async send(call: Call): Promise<Outcome> {
    this.runHooks("request");
    const request = this.prepare(call);
    const response = await this.exchange(request);
    this.runHooks("response");
    return this.settle(request, response);
  }

  /** Sends a request through the adapter. */
  protected async exchange(request: PreparedRequest): Promise<Response> {
    const authorization = await this.authorize(request);
    if (!authorization) return this.sendWithRetries(request);
    const response = await this.sendWithRetries(this.withHeader(request, authorization.header));
    const header = await this.renew({ authorization, request, response }).catch(async (error: unknown) => {
      await this.discard(response);
      throw error;
    });
    if (header === undefined) return response;
    await this.discard(response);
    return this.retry(request, header);
  }

  protected authorizerFor(tokens: TokenSource): Authorizer<Response> {
    const { origins, allowInsecure, isUnauthorized } = this.setup;
    return createAuthorizer(tokens, {
      origins,
      allowInsecure,
      isUnauthorized: isUnauthorized && ((response) => this.isRefusal(response)),
    });
  }

  /** Applies the caller's `isUnauthorized`. */
  protected async isRefusal(response: Response): Promise<boolean> {
    return this.setup.isUnauthorized?.(response.status, await parse(response.clone())) ?? false;
  }

  protected async authorize({
    url,
    headers,
    signal,
    call,
  }: PreparedRequest): Promise<Authorization<Response> | undefined> {
    if (headers.has("authorization") || call.connectTo) return undefined;
    const host = headers.get("host");
    return this.authorizer?.authorize({ url, host, signal, ...(call.settings && perRequest(call.settings)) });
  }

  protected withHeader(request: PreparedRequest, header: string): PreparedRequest {
    const headers = new Headers(request.headers);
    headers.set("authorization", header);
    return { ...request, headers };
  }

  protected async renew(attempt: Attempt): Promise<string | undefined> {
    return attempt.authorization.renew(this.responseInfo(attempt));
  }

  protected responseInfo({ request, response }: Attempt): ResponseInfo<Response> {
    const { status, headers, url } = response;
    return { response, status, headers, url, method: request.method, body: request.body };
  }

  protected async discard({ body }: Response): Promise<void> {
    discardBody(body);
  }

  protected retry(request: PreparedRequest, header: string): Promise<Response> {
    return this.sendWithRetries(this.withHeader(request, header));
  }

  /** Sends a request with the client's own retries. */
  protected async sendWithRetries(request: PreparedRequest): Promise<Response> {
    let response = await this.transmit(request);
    for (let left = this.setup.retries ?? 0; left > 0 && response.status === 503; left--) {
      await this.discard(response);
      response = await this.transmit(request);
    }
    return response;
  }

  protected transmit({ url, ...init }: PreparedRequest): Promise<Response> {
    const { fetch: send = fetch } = this.setup;
    return send(url, { ...init, duplex: "half" } as RequestInit);
  }

  protected runHooks(event: "request" | "response"): void {
    for (const position of ["before", "after"]) this.setup.onHook?.(`${event}, ${position} the adapter`);
  }

  protected prepare(call: Call): PreparedRequest {
    const url = this.resolve(call);
    const { body, type } = call.body ? write(call.body) : {};
    const own = {
      ...(type && { "content-type": type }),
      ...(url.username && { authorization: `Basic ${btoa(`${url.username}:${url.password}`)}` }),
    };
    Object.assign(url, { username: "", password: "" });
    const headers = new Headers({ ...this.defaults.headers, ...own, ...call.headers });
    const dispatcher = call.connectTo ? dispatcherTo(call.connectTo) : this.dispatcher;
    const { method = "GET" } = call;
    return { call, url, method, headers, body, signal: this.signalOf(call), dispatcher, redirect: "follow" };
  }

  protected resolve({ url, baseURL = this.defaults.baseURL, query = {} }: Call): URL {
    const resolved = /^(\w+:)?\/\//.test(url) ? new URL(url, baseURL) : new URL(baseURL + url);
    for (const [name, value] of Object.entries(query)) resolved.searchParams.set(name, value);
    return resolved;
  }

  protected signalOf({ signal, timeout }: Call): AbortSignal {
    return AbortSignal.any([...(signal ? [signal] : []), ...(timeout ? [AbortSignal.timeout(timeout)] : [])]);
  }

  protected async settle(request: PreparedRequest, response: Response): Promise<Outcome> {
    const outcome = { status: response.status, body: await this.read(request.call, response) };
    if (response.ok || this.setup.statusValues) return outcome;
    return { ...outcome, error: this.errorOf(request, outcome) };
  }

  protected read({ read = "text" }: Call, response: Response): Promise<unknown> {
    return readers[read](response);
  }

  protected errorOf({ method, url: { href: url } }: PreparedRequest, { status, body }: Outcome): Error {
    const request = redactRequest({ method, url, status });
    return Object.assign(new Error(`Status ${status}`), { request, response: { status, body, request } });
  }
}

const readers = {
  text: (response: Response) => response.text(),
  json: (response: Response) => response.json(),
  bytes: (response: Response) => response.arrayBuffer(),
  stream: async (response: Response) => response.body,
};

async function parse(response: Response): Promise<unknown> {
  const text = await response.text();
  return text ? JSON.parse(text) : undefined;
}

function write(body: Body): { readonly body: BodyInit; readonly type?: string } {
  if (body.kind === "json") return { body: JSON.stringify(body.value), type: "application/json" };
  if (body.kind === "form") return { body: new URLSearchParams(body.value) };
  return { body: body.value as BodyInit }; // Node's fetch accepts any iterable
}

/** Returns a dispatcher that connects every request to this origin. */
function dispatcherTo(origin: string): Dispatcher {
  const { hostname, port } = new URL(origin);
  const open = buildConnector({});
  return new Agent({ connect: (options, done) => open({ ...options, hostname, port }, done) });
}

function dispatcherOf({ proxy, onConnect }: ClientSetup): Dispatcher | undefined {
  if (proxy) return new ProxyAgent(proxy);
  if (!onConnect) return undefined;
  return new Agent().compose((dispatch) => (options, handler) => {
    onConnect();
    return dispatch(options, handler);
  });
}
