import { StoreError } from "@unexpired/core";
import { createClient, ErrorReply } from "redis";

const SOCKET_TIMEOUT = 5_000; // ms
const RESUBSCRIBE_DELAY = 1_000; // ms

/** Opens a client that does not reconnect: the next use opens a new one. It does not keep the process alive. */
function open(url: string, socket: { socketTimeout?: number } = {}) {
  const client = createClient({ url, socket: { ...socket, reconnectStrategy: false } });
  client.on("error", () => {}); // pending commands are rejected, too
  client.unref();
  return client;
}

type Client = ReturnType<typeof open>;

/** A connection for commands. It closes after five seconds without data, so a server that hangs causes an error. */
export class RedisConnection {
  readonly #url: string;
  readonly #location: string;
  #client: Client | undefined;
  #opened: Promise<unknown> | undefined;

  constructor(url: string, location: string) {
    this.#url = url;
    this.#location = location;
  }

  async run<T>(command: (client: Client) => Promise<T>): Promise<T> {
    const keepAlive = setInterval(() => {}, SOCKET_TIMEOUT); // a pending command keeps the process alive
    try {
      if (!this.#client?.isOpen) {
        this.#client = open(this.#url, { socketTimeout: SOCKET_TIMEOUT });
        this.#opened = this.#client.connect();
      }
      await this.#opened;
      return await command(this.#client);
    } catch (error) {
      throw storeError(this.#location, error);
    } finally {
      clearInterval(keepAlive);
    }
  }

  close(): void {
    this.#client?.destroy();
  }
}

function storeError(location: string, cause: unknown): StoreError {
  const details = { location, problem: `cannot be used (${(cause as Error).message})`, cause };
  return cause instanceof ErrorReply && cause.message.startsWith("WRONGTYPE")
    ? new StoreError("STORE_UNREADABLE", { ...details, hint: "The value was not changed. Choose another key." })
    : new StoreError("STORE_UNAVAILABLE", { ...details, hint: "Check the Redis server, and try again." });
}

/** Subscribes to a channel until the returned function is called. Subscribes again if the connection ends. */
export function subscribe(url: string, channel: string, onMessage: () => void): () => void {
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  const listen = () => {
    const subscriber = open(url).on("terminated", () => {
      timer = setTimeout(listen, RESUBSCRIBE_DELAY).unref();
    });
    client = subscriber;
    const subscribed = subscriber.connect().then(() => subscriber.subscribe(channel, () => onMessage()));
    subscribed.then(onMessage).catch(() => {}); // earlier messages were missed
  };
  listen();
  return () => {
    clearTimeout(timer);
    client?.destroy();
  };
}
