/** An API that speaks the protocols of all clients, and accepts the tokens that it is told to accept. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { listenOnLoopback } from "@unexpired-internal/demo/loopback";
import { type Deferred, deferred } from "@unexpired-internal/tables/deferred";
import { chatCompletions, messages } from "./chat.ts";
import { graphql } from "./graphql.ts";
import type { Exchange, Handler } from "./handler.ts";
import { rest } from "./rest.ts";
import { trpc, trpcInContext } from "./router.ts";

/** Where the API stops, and goes on only at its end: before it responds, or after the first part of a stream. */
export type Stop = "before the response" | "in the stream";

export class Api implements AsyncDisposable {
  readonly origin: string;
  /** The `Authorization` headers of the requests, in their order, without the scheme. */
  readonly received: (string | undefined)[] = [];
  /** Whether a request had an `x-api-key` header, or another one with a credential. */
  hasOtherCredentials = false;
  readonly #close: () => Promise<void>;
  readonly #released = deferred<void>();
  #stop: { readonly at: Stop; readonly reached: Deferred<void> } | undefined;
  readonly #closed = deferred<void>();

  private constructor(origin: string, close: () => Promise<void>) {
    this.origin = origin;
    this.#close = close;
  }

  /** Starts an API. */
  static async start(accepts: (token: string) => Promise<boolean>): Promise<Api> {
    const { origin, server, close } = await listenOnLoopback();
    const api = new Api(origin, close);
    server.on("request", (request, response) => {
      api.#respond(request, response, accepts).catch(() => response.destroy());
    });
    return api;
  }

  /** Stops the next request there. Resolves when it has arrived there. */
  stopAt(at: Stop): Promise<void> {
    const reached = deferred<void>();
    this.#stop = { at, reached };
    return reached.promise;
  }

  /** Resolves when a connection was closed before its response was complete. */
  get connectionClosed(): Promise<void> {
    return this.#closed.promise;
  }

  async #respond(request: IncomingMessage, response: ServerResponse, accepts: (token: string) => Promise<boolean>) {
    const { authorization, "x-api-key": key, "api-key": other } = request.headers;
    const token = authorization?.replace(/^Bearer /, "");
    this.received.push(token);
    this.hasOtherCredentials ||= key !== undefined || other !== undefined;
    response.on("close", () => response.writableFinished || this.#closed.resolve());
    const isAccepted = token !== undefined && (await accepts(token));
    if (isAccepted) await this.#pass("before the response");
    const handler = handlerOf(request.url ?? "");
    await handler({ request, response, isAccepted, pause: () => this.#pass("in the stream") });
  }

  async #pass(at: Stop): Promise<void> {
    if (this.#stop?.at !== at) return;
    this.#stop.reached.resolve();
    this.#stop = undefined;
    await this.#released.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#released.resolve();
    await this.#close();
  }
}

const HANDLERS: readonly (readonly [prefix: string, handler: Handler])[] = [
  ["/v1/chat/completions", chatCompletions],
  ["/v1/messages", messages],
  ["/graphql", graphql],
  ["/trpc/", trpc],
  ["/trpc-in-context/", trpcInContext],
];

const handlerOf = (path: string): ((exchange: Exchange) => Promise<void>) =>
  HANDLERS.find(([prefix]) => path.startsWith(prefix))?.[1] ?? rest;
