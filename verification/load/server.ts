/** A server process: each request names a user, and makes it call the API with that user's token. */
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ServerConfig } from "./backend.ts";
import { openBackend } from "./backends.ts";
import { answerParent, configOf } from "./child.ts";

/** The work of a server process since the last {@link ServerWork}. */
export interface ServerWork {
  readonly requests: number;
  /** Processor time in microseconds. */
  readonly cpu: number;
}

const config = configOf<ServerConfig>();
const backend = openBackend(config);
let requests = 0;
let before = process.cpuUsage();

async function respond(user: string, response: ServerResponse): Promise<void> {
  requests++;
  const result = await backend.callApi(user).then(
    async (upstream) => ({ status: upstream.status, body: await upstream.text() }),
    (error: { name: string; code?: string; message: string }) => ({
      status: 502,
      body: `${error.code ?? error.name}: ${error.message}`,
    }),
  );
  response.writeHead(result.status, { "content-type": "application/json" }).end(result.body);
}

function takeWork(): ServerWork {
  const { user, system } = process.cpuUsage(before);
  const work = { requests, cpu: user + system };
  requests = 0;
  before = process.cpuUsage();
  return work;
}

const server = createServer((request, response) => void respond((request.url ?? "/").slice(1), response));
server.keepAliveTimeout = 600_000; // a connection never ends just when a request is sent
server.listen(0, "127.0.0.1");
await once(server, "listening");

answerParent({
  port: () => (server.address() as AddressInfo).port,
  takeWork,
  close: () => backend[Symbol.asyncDispose](),
});
