import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { deferred, within } from "./until.ts";

/** A response of the token endpoint. */
interface Reply {
  readonly status: number;
  readonly body: string;
}

/** Decides what happens to a token request: `forward` sends it to the authorization server. */
type Handler = (forward: () => Promise<Reply>, sender: number) => Promise<Reply>;

/** An exchange that is held back. */
interface Held {
  /**
   * Waits until the request has arrived; if the response is held, until the server has rotated. Returns the number of the
   * process that sent it, if the URL that this process was given contains it.
   */
  readonly arrive: () => Promise<number>;
  /** Lets it go on. */
  readonly release: () => void;
}

const SERVER_ERROR: Reply = { status: 500, body: "<html>Internal Server Error</html>" };

/** A proxy in front of the token endpoint, as real ones have it. It counts the exchanges, and fails on request. */
export class Gateway {
  readonly tokenEndpoint: string;
  /** Every token that has passed. */
  readonly tokens = new Set<string>();
  /** The access tokens that were issued, in their order. */
  readonly issued: string[] = [];
  /** The number of token requests that arrived. */
  exchanges = 0;
  readonly #target: string;
  readonly #server: Server;
  readonly #port: number;
  readonly #next: Handler[] = [];
  #always: Handler = (forward) => forward();

  private constructor(server: Server, target: string) {
    this.#port = (server.address() as AddressInfo).port;
    this.tokenEndpoint = `http://127.0.0.1:${this.#port}/token`;
    this.#target = target;
    this.#server = server.on("request", (request, response) => void this.#serve(request, response));
  }

  static async start(target: string): Promise<Gateway> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new Gateway(server, target);
  }

  /** Holds back the next request, before the authorization server sees it, or the response to it. */
  holdNext(what: "request" | "response"): Held {
    const [arrived, released] = [deferred(), deferred()];
    let sentBy = 0;
    this.#next.push(async (forward, sender) => {
      sentBy = sender;
      const reply = what === "response" ? await forward() : undefined;
      arrived.resolve();
      await released.promise;
      return reply ?? forward();
    });
    const arrive = async () => {
      await within("a token request", arrived.promise);
      return sentBy;
    };
    return { arrive, release: released.resolve };
  }

  /** Loses the response to the next request: the server has rotated, and the client gets a 500. */
  async loseNext(): Promise<void> {
    const lost = deferred();
    this.#next.push(async (forward) => {
      await forward();
      lost.resolve();
      return SERVER_ERROR;
    });
    await within("a token request", lost.promise);
  }

  /** Responds with 500, and forwards nothing, until the returned function is called. */
  fail(): () => void {
    return this.#use(async () => SERVER_ERROR);
  }

  /** Says `invalid_grant` with the status 403 until the returned function is called, as some servers do. */
  forbid(): () => void {
    return this.#use(async (forward) => {
      const reply = await forward();
      return reply.body.includes("invalid_grant") ? { ...reply, status: 403 } : reply;
    });
  }

  /** Refuses connections until the returned function is called. */
  async goDown(): Promise<() => Promise<void>> {
    await this.close();
    return () => new Promise((resolve) => this.#server.listen(this.#port, "127.0.0.1", () => resolve()));
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #use(handler: Handler): () => void {
    const before = this.#always;
    this.#always = handler;
    return () => {
      this.#always = before;
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const refreshToken = new URLSearchParams(body).get("refresh_token") ?? "";
    this.exchanges += 1;
    this.tokens.add(refreshToken);
    const handler = this.#next.shift() ?? this.#always;
    const sender = new URL(request.url ?? "", this.tokenEndpoint).searchParams.get("process");
    const reply = await handler(() => this.#forward(body), Number(sender));
    response.writeHead(reply.status, { "content-type": reply.body.startsWith("{") ? "application/json" : "text/html" });
    response.end(reply.body);
  }

  async #forward(body: string): Promise<Reply> {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const response = await fetch(this.#target, { method: "POST", headers, body });
    const reply = { status: response.status, body: await response.text() };
    if (response.ok) this.#remember(JSON.parse(reply.body));
    return reply;
  }

  #remember(tokens: {
    readonly access_token: string;
    readonly refresh_token: string;
    readonly id_token: string;
  }): void {
    this.issued.push(tokens.access_token);
    for (const token of [tokens.access_token, tokens.refresh_token, tokens.id_token]) this.tokens.add(token);
  }
}
