import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An HTTP proxy in front of a server. It records the responses, and can hold one back. */
export class RecordingProxy implements AsyncDisposable {
  readonly origin: string;
  /** The statuses of the server's responses, in their order. */
  readonly statuses: number[] = [];
  readonly #server: Server;
  readonly #target: string;
  #onHeld: (() => void) | undefined;

  private constructor(server: Server, target: string) {
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.#server = server.on("request", (incoming, outgoing) => this.#forward(incoming, outgoing));
    this.#target = target;
  }

  /** Starts a proxy in front of the server at the origin `target`. */
  static async start(target: string): Promise<RecordingProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new RecordingProxy(server, target);
  }

  /** Never delivers the next response. Resolves when the server has sent it. */
  holdNext(): Promise<void> {
    return new Promise((resolve) => {
      this.#onHeld = resolve;
    });
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, headers, url = "/" } = incoming;
    const forwarded = request(this.#target + url, { method, headers }, (received) => this.#deliver(received, outgoing));
    forwarded.on("error", () => outgoing.destroy());
    incoming.pipe(forwarded);
  }

  #deliver(received: IncomingMessage, outgoing: ServerResponse): void {
    const { statusCode = 0, headers } = received;
    this.statuses.push(statusCode);
    const onHeld = this.#onHeld;
    this.#onHeld = undefined;
    if (onHeld) return void received.resume().once("end", onHeld);
    outgoing.writeHead(statusCode, headers);
    received.pipe(outgoing);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}
