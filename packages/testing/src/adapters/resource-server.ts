import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request that a {@link ResourceServer} received, byte for byte. */
export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  /** All headers, with lower-case names. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A response of a {@link ResourceServer}. */
export interface Reply {
  readonly status: number;
  /** Headers, added to `content-type: application/json` or replacing it. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Default `{"ok":true}`. */
  readonly body?: string | undefined;
  /** Closes the connection after the headers. */
  readonly truncate?: boolean | undefined;
}

/** Returns the response to a request; `index` counts from 0. */
export type Responder = (received: Received, index: number) => Reply | Promise<Reply>;

/** A resource server on a local port, for tests. Disposing it closes its connections. */
export interface ResourceServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly origin: string;
  /** The requests received, in order. */
  readonly received: Received[];
  /** Returns the response to each request; assign it to change them. Default: 200 for every request. */
  respond: Responder;
}

const BACKLOG = 4096; // connections at once

/** Starts a real HTTP server that records the requests it receives. */
export async function startResourceServer(): Promise<ResourceServer> {
  const received: Received[] = [];
  const respond = async (request: IncomingMessage, response: ServerResponse) => {
    const arrived = await read(request);
    const { status, headers, body = '{"ok":true}', truncate } = await api.respond(arrived, received.push(arrived) - 1);
    response.writeHead(status, { "content-type": "application/json", ...headers });
    if (!truncate) return void response.end(body);
    response.flushHeaders();
    response.write(body.slice(0, 1), () => response.destroy());
  };
  // a client that is still connected sees that the response failed
  const server = createServer((request, response) => respond(request, response).catch(() => response.destroy()));
  server.listen({ port: 0, host: "127.0.0.1", backlog: BACKLOG });
  await once(server, "listening");
  const api: ResourceServer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    respond: () => ({ status: 200 }),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return api;
}

async function read(request: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    authorization: request.headers.authorization,
    contentType: request.headers["content-type"],
    headers: request.headers,
    body: Buffer.concat(chunks),
  };
}

/** A 401 for an invalid token, as in {@link https://www.rfc-editor.org/rfc/rfc6750#section-3 RFC 6750 §3}. */
export const UNAUTHORIZED: Reply = {
  status: 401,
  headers: { "www-authenticate": 'Bearer error="invalid_token"' },
  body: '{"error":"invalid_token"}',
};

/** Returns a responder: 200 for requests with one of these access tokens, otherwise 401. */
export const accepting =
  (...accessTokens: readonly string[]) =>
  ({ authorization }: Pick<Received, "authorization">): Reply =>
    accessTokens.some((token) => authorization === `Bearer ${token}`) ? { status: 200 } : UNAUTHORIZED;
