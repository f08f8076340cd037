import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Forwards TCP connections to a port of this machine that can be changed, as a load balancer or a DNS name does. */
export class Forwarder implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: number | undefined;

  private constructor(target: number) {
    this.#target = target;
    this.#server = createServer((socket) => this.#forward(socket));
  }

  /** Starts it on a free port, with the port that it forwards to. */
  static async start(target: number): Promise<Forwarder> {
    const forwarder = new Forwarder(target);
    await new Promise<void>((resolve) => forwarder.#server.listen(0, "127.0.0.1", resolve));
    return forwarder;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections, and forwards new ones to another port; `undefined` refuses them. */
  switchTo(target: number | undefined): void {
    this.#target = target;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Forwards nothing on its connections any more, and leaves them open, as if a host had vanished. New ones work. */
  stall(): void {
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  #forward(client: Socket): void {
    if (this.#target === undefined) return void client.destroy();
    const server = connect(this.#target, "127.0.0.1");
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.pipe(other);
      socket.on("error", () => {}); // it closes, too
      socket.on("close", () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.switchTo(undefined);
    await closed;
  }
}
