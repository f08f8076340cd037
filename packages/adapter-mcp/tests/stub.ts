import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A request as it arrived. */
export interface Received {
  readonly method: string;
  /** The path with the query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
}

/** A server that responds as a test says, and an MCP server and an authorization server at once. */
export interface Stub {
  readonly origin: string;
  readonly received: Received[];
  /** Returns the requests to a path. */
  to(path: string): Received[];
}

async function read(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

/** Starts a server. `replies` maps paths to responses; the other paths are not found. */
export async function startStub(
  replies: (origin: string) => Readonly<Record<string, Reply | ((request: Received) => Reply)>>,
): Promise<Stub> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    const { method = "", url: path = "", headers } = request;
    const arrived = { method, path, authorization: headers.authorization, body: await read(request) };
    received.push(arrived);
    const reply = replies(origin)[path.split("?")[0] ?? ""] ?? { status: 404 };
    const { status = 200, headers: given, json } = typeof reply === "function" ? reply(arrived) : reply;
    response.writeHead(status, { "content-type": "application/json", ...given }).end(JSON.stringify(json ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { origin, received, to: (path) => received.filter((request) => request.path === path) };
}
