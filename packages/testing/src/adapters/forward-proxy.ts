import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A forward proxy on a local port. Disposing it closes its connections. */
export interface ForwardProxy extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
}

/**
 * Starts a forward proxy that supports both {@link https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6 CONNECT} and
 * requests in absolute form. It forwards every request to `origin`, whatever host the client names.
 */
export async function startForwardProxy(origin: string): Promise<ForwardProxy> {
  const { hostname, port } = new URL(origin);
  const sockets = new Set<Duplex>();
  const forward = (incoming: IncomingMessage, response: ServerResponse) => {
    const { pathname, search } = new URL(incoming.url ?? "/", origin);
    const { method, headers } = incoming;
    const onward = request({ hostname, port, path: pathname + search, method, headers }, (upstream) => {
      response.writeHead(upstream.statusCode ?? 502, upstream.headers);
      upstream.pipe(response);
    });
    incoming.pipe(onward.on("error", () => response.destroy()));
  };
  const tunnel = (_: IncomingMessage, socket: Duplex, head: Buffer) => {
    const onward: Socket = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward])
      sockets.add(end.on("error", () => [socket, onward].map((each) => each.destroy())));
  };
  const server = createServer(forward).on("connect", tunnel).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
