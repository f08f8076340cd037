import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** An HTTP server on a free port of 127.0.0.1. */
export interface LoopbackServer {
  readonly origin: string;
  readonly server: Server;
  close(): Promise<void>;
}

/** Listens without a handler: an issuer has to know its port before it can be built. */
export async function listenOnLoopback(handler?: RequestListener): Promise<LoopbackServer> {
  const server = createServer(handler);
  // Node hangs up idle connections after 5 s by default, and a request may be on its way at that moment.
  server.keepAliveTimeout = 120_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, server, close: () => closeServer(server) };
}

const closeServer = (server: Server) =>
  new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
