import type { Origins, RequestTokenOptions, TokenSource } from "@unexpired/core";

/** What an adapter's author says about the adapter and its client, for the kit to test them. */
export interface AdapterHarness {
  /** Makes a client, with the adapter where `setup` has tokens. Called at least once for every case. */
  connect(setup: ClientSetup): Client | Promise<Client>;
  /** What a 401 leads to for each kind of body. A kind that is absent is one that the client does not take. */
  readonly bodies: Partial<Readonly<Record<BodyKind, "repeated" | "once">>>;
  /**
   * What the client's own hooks tell `onHook` of one call that is repeated after a 401, in the order that the client's
   * documentation leads one to expect.
   */
  readonly hooks?: readonly string[] | undefined;
  /** What the client or the adapter lacks, with the reason. It is printed where a case is skipped for it. */
  readonly unsupported?: Partial<Readonly<Record<Feature, string>>> | undefined;
  /** Whether this is how the client says that the caller aborted. */
  isAbort(error: unknown): boolean;
  /** Whether this is how the client says that its own timeout is over. */
  isTimeout(error: unknown): boolean;
  /** The token manager's error in what the client throws. Default: what it throws. */
  unwrapError?(error: unknown): unknown;
}

/** What clients and adapters have that the cases need. */
export type Feature =
  /** A transport of the caller's own, such as an agent or a dispatcher: `onConnect`. */
  | "agent"
  /** A base URL of a single request's own. */
  | "baseURL"
  /** Defaults that belong to an instance. */
  | "defaults"
  /** Taking the adapter off the client again. */
  | "detach"
  /** Hooks or interceptors of the caller's own. */
  | "hooks"
  /** `isUnauthorized`. */
  | "isUnauthorized"
  /** `perRequest`. */
  | "perRequest"
  /** A forward proxy. */
  | "proxy"
  /** Following redirects. */
  | "redirects"
  /** Retries of the client's own. */
  | "retries"
  /** A body of the response that is read while it arrives. */
  | "stream"
  /** Errors for a status. */
  | "statusErrors"
  /** Handing out every response as a success. */
  | "statusValues"
  /** A timeout of the client's own. */
  | "timeout";

/** How a client is made. */
export interface ClientSetup {
  /** Absent: the client alone, without the adapter. */
  readonly tokens?: TokenSource | undefined;
  /** The client's own base URL, where it has such a thing. */
  readonly baseURL: string;
  /** For the adapter. */
  readonly origins: Origins;
  /** How often the client itself sends a request again that was answered with 503, without waiting. Default 0. */
  readonly retries?: number | undefined;
  /** The client throws for no status. */
  readonly statusValues?: boolean | undefined;
  /** For the adapter, to be called with the status and the parsed JSON body of the client's own response or error. */
  readonly isUnauthorized?: ((status: number, body: unknown) => boolean) | undefined;
  /** The client's requests go through this forward proxy: `http://127.0.0.1:<port>`. */
  readonly proxy?: string | undefined;
  /** To be called by a transport of the client's own for each request that it carries. */
  readonly onConnect?: (() => void) | undefined;
  /** To be called by hooks of the client's own, attached before and after the adapter. */
  readonly onHook?: ((event: string) => void) | undefined;
}

/** One client, in the kit's words. */
export interface Client {
  /** Sends a request. Rejects with what the client throws, unless that is about a status. */
  send(call: Call): Promise<Outcome>;
  /** The client's own defaults, which are compared before and after a request. */
  readonly defaults?: unknown;
  /** Takes the adapter off the client. */
  detach?(): void;
  /** Puts it on again. */
  attach?(): void;
}

/** One request, to be made in the client's own words. What is absent is left to the client. */
export interface Call {
  /** Default `"GET"`. */
  readonly method?: string | undefined;
  /** A path under the base URL, or an absolute URL; to be passed on as it is, where the client takes it. */
  readonly url: string;
  readonly baseURL?: string | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Body | undefined;
  /** How to read the response. Default: as the client does unasked. */
  readonly read?: "text" | "json" | "bytes" | "stream" | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The client's own timeout, in milliseconds. */
  readonly timeout?: number | undefined;
  /** For the adapter's `perRequest`. */
  readonly settings?: RequestTokenOptions | undefined;
}

/** A request body, from which the client's own kind is made. */
export type Body =
  /** A value that the client serialises. */
  | { readonly kind: "json"; readonly value: Readonly<Record<string, unknown>> }
  /** A form that the client serialises: `application/x-www-form-urlencoded`. */
  | { readonly kind: "form"; readonly value: Readonly<Record<string, string>> }
  | { readonly kind: "searchParams"; readonly value: URLSearchParams }
  | { readonly kind: "formData"; readonly value: FormData }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "buffer"; readonly value: Buffer<ArrayBuffer> }
  | { readonly kind: "blob"; readonly value: Blob }
  /** A stream of Node's. */
  | { readonly kind: "stream"; readonly value: NodeJS.ReadableStream }
  | { readonly kind: "webStream"; readonly value: ReadableStream<Uint8Array> }
  | { readonly kind: "asyncIterable"; readonly value: AsyncIterable<Uint8Array> };

/** The kinds of bodies. */
export type BodyKind = Body["kind"];

/** How a request ended that was answered. */
export interface Outcome {
  readonly status: number;
  /** What the client gave for the body: a string, a value, bytes (`ArrayBuffer` or `Uint8Array`), or an iterable of bytes. */
  readonly body?: unknown;
  /** What the client threw, where it throws for a status. */
  readonly error?: unknown;
}
