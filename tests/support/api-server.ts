import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** What arrived, byte for byte. */
interface Received {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

type Responder = (received: Received, index: number) => Reply | Promise<Reply>;

/** A real HTTP server on 127.0.0.1 that keeps what it received. */
export interface ApiServer extends AsyncDisposable {
  readonly origin: string;
  readonly received: Received[];
  /** How it answers from now on. Default: 200 for everything. */
  respond: Responder;
}

const read = async (request: IncomingMessage): Promise<Received> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    authorization: request.headers.authorization,
    contentType: request.headers["content-type"],
    body: Buffer.concat(chunks),
  };
};

export async function startApi(): Promise<ApiServer> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const arrived = await read(request);
    const { status, headers, body } = await api.respond(arrived, received.push(arrived) - 1);
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(body ?? '{"ok":true}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const api: ApiServer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    respond: () => ({ status: 200 }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return api;
}

export const UNAUTHORIZED: Reply = { status: 401, headers: { "www-authenticate": 'Bearer error="invalid_token"' } };

/** 200 for requests with one of these access tokens, else 401. */
export const accepting =
  (...accessTokens: string[]): Responder =>
  ({ authorization }) =>
    accessTokens.some((token) => authorization === `Bearer ${token}`) ? { status: 200 } : UNAUTHORIZED;
