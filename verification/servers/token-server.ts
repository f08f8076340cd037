import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { canary } from "@unexpired-internal/test-support/canary";

/** A request that the server received. */
export interface TokenRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly form: Readonly<Record<string, string>>;
}

/** The tokens of a request, for the body of its response. */
export interface Issued {
  readonly presented: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** A response, in place of that of a strict server. */
export interface Reply {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);
  /** An object is sent as JSON, a string as it is. Default: nothing. */
  readonly body?: object | string | ((issued: Issued) => object | string);
  /** Whether the server rotates first, and so uses the presented refresh token up. Default `false`. */
  readonly rotates?: boolean;
  /** Closes the connection: before the response, or after half of its body. */
  readonly drop?: "before" | "half";
  /** Sends no `Date` header. */
  readonly hasNoDate?: boolean;
}

/** A token endpoint on loopback with single-use refresh tokens, which revokes the session on a replay. */
export class TokenServer implements AsyncDisposable {
  /** The requests to the token endpoint. */
  readonly requests: TokenRequest[] = [];
  /** The requests to other paths. */
  readonly others: TokenRequest[] = [];
  /** Returns the response to a request for another path. Default: 200. */
  respondToOthers: () => Reply | Promise<Reply> = () => ({});
  isRevoked = false;
  readonly #replies: Reply[] = [];
  readonly #server = createServer((request, response) => this.#respond(request, response));
  #number = 1;

  private constructor() {}

  static async start(): Promise<TokenServer> {
    const server = new TokenServer();
    server.#server.listen(0, "127.0.0.1");
    await once(server.#server, "listening");
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Queues replies, one per request. A request without one gets the response of a strict server. */
  next(...replies: readonly Reply[]): void {
    this.#replies.push(...replies);
  }

  /** Describes the exchanges: how many, and whether a refresh token was presented more than once. */
  get exchanges(): string {
    const presented = this.requests.map(({ form }) => form.refresh_token);
    const twice = presented.length - new Set(presented).size;
    return [
      `${presented.length} ${presented.length === 1 ? "exchange" : "exchanges"}`,
      ...(twice > 0 ? [`${twice + 1} with the same token`] : []),
      ...(this.isRevoked ? ["session revoked"] : []),
    ].join(", ");
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
    const { url: path = "", headers } = request;
    const isExchange = path === "/token";
    (isExchange ? this.requests : this.others).push({ path, headers, form });
    const reply = isExchange ? (this.#replies.shift() ?? this.#strict(form)) : await this.respondToOthers();
    send(response, reply, this.#issue(form, reply.rotates === true));
  }

  #strict({ refresh_token }: TokenRequest["form"]): Reply {
    if (refresh_token === canary("refresh", this.#number) && !this.isRevoked) return { rotates: true, body: tokensOf };
    this.isRevoked = true;
    return { status: 400, body: { error: "invalid_grant", error_description: "The grant does not exist" } };
  }

  #issue({ refresh_token = "" }: TokenRequest["form"], rotates: boolean): Issued {
    const number = rotates ? ++this.#number : this.#number;
    return { presented: refresh_token, accessToken: canary("access", number), refreshToken: canary("refresh", number) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** The body of a usual token response. */
export const tokensOf = ({ accessToken, refreshToken }: Issued) => ({
  access_token: accessToken,
  refresh_token: refreshToken,
  token_type: "Bearer",
  expires_in: 3600,
});

function send(response: ServerResponse, reply: Reply, issued: Issued): void {
  if (reply.drop === "before") return void response.destroy();
  const body = typeof reply.body === "function" ? reply.body(issued) : (reply.body ?? "");
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const type = typeof body === "string" ? "text/html" : "application/json";
  const headers = typeof reply.headers === "function" ? reply.headers() : reply.headers;
  response.sendDate = reply.hasNoDate !== true;
  const length = { "content-length": Buffer.byteLength(text) };
  response.writeHead(reply.status ?? 200, { ...(text && { "content-type": type }), ...length, ...headers });
  if (reply.drop === "half") response.write(text.slice(0, text.length / 2), () => response.destroy());
  else response.end(text);
}
