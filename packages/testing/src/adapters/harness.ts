import type { Origins, RequestTokenOptions, TokenSource } from "@unexpired/core";

/** Gives the kit access to the adapter under test and its client. */
export interface AdapterHarness {
  /** Creates a client, with the adapter if `setup` has tokens. Called at least once for every case. */
  connect(setup: ClientSetup): Client | Promise<Client>;
  /**
   * For each kind of body, the outcome of a 401: the body is resent, or was sent only once. Omit the kinds that the
   * client does not accept.
   */
  readonly bodies: Partial<Readonly<Record<BodyKind, "repeated" | "once">>>;
  /**
   * The events that the client's own hooks report to `onHook` for one call that is retried after a 401, in the order
   * that the client documents.
   */
  readonly hooks?: readonly string[] | undefined;
  /** The features that the client or the adapter lacks, each with a reason, which is printed for each skipped case. */
  readonly unsupported?: Partial<Readonly<Record<Feature, string>>> | undefined;
  /** Whether the client throws such an error if the caller aborts. */
  isAbort(error: unknown): boolean;
  /** Whether the client throws such an error if its own timeout expires. */
  isTimeout(error: unknown): boolean;
  /** Returns the token manager's error from the client's error. Default: the client's error itself. */
  unwrapError?(error: unknown): unknown;
}

/** A feature of a client or an adapter that some cases need. */
export type Feature =
  /** A custom transport, such as an agent or a dispatcher: `onConnect`. */
  | "agent"
  /** A base URL for a single request. */
  | "baseURL"
  /** An option of a single request that connects it to another server, and that the adapter can see: `connectTo`. */
  | "connectTo"
  /** Defaults that belong to an instance. */
  | "defaults"
  /** Detaching the adapter from the client. */
  | "detach"
  /** A `fetch` of the caller's own that sends the client's requests: `fetch`. */
  | "fetch"
  /** Hooks or interceptors of the caller. */
  | "hooks"
  /** `isUnauthorized`. */
  | "isUnauthorized"
  /** `perRequest`. */
  | "perRequest"
  /** A forward proxy. */
  | "proxy"
  /** Following redirects. */
  | "redirects"
  /** The client's own retries. */
  | "retries"
  /** A response body that is read while it arrives. */
  | "stream"
  /** Throwing an error for a status such as 401. */
  | "statusErrors"
  /** Returning every response without throwing for its status. */
  | "statusValues"
  /** The client's own timeout. */
  | "timeout"
  /** A user name and a password in a URL. A client that drops them sends no credentials of the caller. */
  | "userInformation";

/** The configuration of a client under test. */
export interface ClientSetup {
  /** The tokens for the adapter. If omitted, the client is created without the adapter. */
  readonly tokens?: TokenSource | undefined;
  /** The client's own base URL, if it supports one. */
  readonly baseURL: string;
  /** The origins for the adapter. */
  readonly origins: Origins;
  /** The adapter's option of that name. */
  readonly allowInsecure?: boolean | undefined;
  /** How often the client itself retries a request after a 503, without waiting. Default 0. */
  readonly retries?: number | undefined;
  /** Whether the client returns responses of every status instead of throwing. */
  readonly statusValues?: boolean | undefined;
  /** A rule for the adapter. Call it with the status and the parsed JSON body of the client's own response or error. */
  readonly isUnauthorized?: ((status: number, body: unknown) => boolean) | undefined;
  /** A forward proxy for the client's requests: `http://127.0.0.1:<port>`. */
  readonly proxy?: string | undefined;
  /** The `fetch` that sends the client's requests, in place of its default. */
  readonly fetch?: typeof fetch | undefined;
  /** Called by a custom transport for each request that it carries. */
  readonly onConnect?: (() => void) | undefined;
  /** Called by hooks of the client that are attached before and after the adapter. */
  readonly onHook?: ((event: string) => void) | undefined;
}

/** A client, in the form that the kit calls. */
export interface Client {
  /** Sends a request. Rejects with the client's error, unless that error is about a status. */
  send(call: Call): Promise<Outcome>;
  /** The client's own defaults, which the kit compares before and after a request. */
  readonly defaults?: unknown;
  /** Detaches the adapter from the client. */
  detach?(): void;
  /** Attaches the adapter again. */
  attach?(): void;
}

/** One request, which the harness translates for its client. Omitted members use the client's defaults. */
export interface Call {
  /** Default `"GET"`. */
  readonly method?: string | undefined;
  /** A path under the base URL, or an absolute URL. Pass it on unmodified if the client accepts it. */
  readonly url: string;
  /** A base URL for this request in place of the client's own. It is not one of the adapter's origins. */
  readonly baseURL?: string | undefined;
  /** Parameters that the client adds to the query of the URL. */
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Body | undefined;
  /**
   * The origin of another server on this machine, to which an option of this request connects it: an agent, a proxy, or a
   * function that opens the connection. The URL stays as it is.
   */
  readonly connectTo?: string | undefined;
  /** How to read the response. Default: the client's default. */
  readonly read?: "text" | "json" | "bytes" | "stream" | undefined;
  /** Ends the call with the client's own error, whatever the adapter is doing: see `isAbort`. */
  readonly signal?: AbortSignal | undefined;
  /** The client's own timeout, in milliseconds. */
  readonly timeout?: number | undefined;
  /** The argument of the adapter's `perRequest`. */
  readonly settings?: RequestTokenOptions | undefined;
}

/** A request body, which the harness converts to the type that its client accepts. */
export type Body =
  /** A value that the client serializes. */
  | { readonly kind: "json"; readonly value: Readonly<Record<string, unknown>> }
  /** A form that the client serializes as `application/x-www-form-urlencoded`. */
  | { readonly kind: "form"; readonly value: Readonly<Record<string, string>> }
  | { readonly kind: "searchParams"; readonly value: URLSearchParams }
  | { readonly kind: "formData"; readonly value: FormData }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "buffer"; readonly value: Buffer<ArrayBuffer> }
  | { readonly kind: "blob"; readonly value: Blob }
  /** A Node.js stream. */
  | { readonly kind: "stream"; readonly value: NodeJS.ReadableStream }
  | { readonly kind: "webStream"; readonly value: ReadableStream<Uint8Array> }
  | { readonly kind: "asyncIterable"; readonly value: AsyncIterable<Uint8Array> };

/** The kind of a request body. */
export type BodyKind = Body["kind"];

/** The outcome of a request that received a response. */
export interface Outcome {
  readonly status: number;
  /**
   * The body as the client returns it: a string, a value, bytes (`ArrayBuffer` or `Uint8Array`), or an iterable of
   * bytes.
   */
  readonly body?: unknown;
  /** The error that the client threw for the status, if any. */
  readonly error?: unknown;
}
