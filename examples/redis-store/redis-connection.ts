import { StoreError } from "@unexpired/core";
import { createClient, ErrorReply } from "redis";

const SILENCE = 5_000;
const PAUSE = 1_000;

/** It ends where the server is gone, and is not mended: the next use opens another. It keeps no process alive. */
function open(url: string, socket: { socketTimeout?: number } = {}) {
  const client = createClient({ url, socket: { ...socket, reconnectStrategy: false } });
  client.on("error", () => {}); // whoever waits for an answer is told, too
  client.unref();
  return client;
}

type Client = ReturnType<typeof open>;

/** A connection for commands. It closes when nothing was heard for five seconds, so a server that hangs is an error. */
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
    const alive = setInterval(() => {}, SILENCE); // a command does keep the process alive
    try {
      if (!this.#client?.isOpen) {
        this.#client = open(this.#url, { socketTimeout: SILENCE });
        this.#opened = this.#client.connect();
      }
      await this.#opened;
      return await command(this.#client);
    } catch (error) {
      throw storeError(this.#location, error);
    } finally {
      clearInterval(alive);
    }
  }

  close(): void {
    this.#client?.destroy();
  }
}

function storeError(location: string, cause: unknown): StoreError {
  const details = { location, problem: `cannot be used (${(cause as Error).message})`, cause };
  return cause instanceof ErrorReply && cause.message.startsWith("WRONGTYPE")
    ? new StoreError("STORE_UNREADABLE", { ...details, hint: "It was left as it is. Choose another key." })
    : new StoreError("STORE_UNAVAILABLE", { ...details, hint: "See to the server, and try again." });
}

/** Listens to a channel until the returned function is called, and again where the connection ended. */
export function subscribe(url: string, channel: string, onMessage: () => void): () => void {
  let client: Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  const listen = () => {
    const opened = open(url).on("terminated", () => {
      timer = setTimeout(listen, PAUSE).unref();
    });
    client = opened;
    const subscribed = opened.connect().then(() => opened.subscribe(channel, () => onMessage()));
    subscribed.then(onMessage).catch(() => {}); // what was said before nobody has heard
  };
  listen();
  return () => {
    clearTimeout(timer);
    client?.destroy();
  };
}
