import type { RedisStoresOptions } from "@unexpired/store-redis";
import { Redis } from "ioredis";
import { createClient } from "redis";

/** A client as the options of `redisStores`. Disposing it closes its connection. */
export interface Connected extends AsyncDisposable {
  readonly options: Pick<RedisStoresOptions, "evaluate" | "scan" | "subscribe">;
}

const TIMEOUT = 2_000; // ms
const QUEUED = 500; // ms; how long a command waits for a connection

/** The clients of the README, with shorter timeouts. */
export const clients = {
  ioredis(url: string): Connected {
    const retryStrategy = (attempt: number) => Math.min(attempt * 50, 500);
    const redis = new Redis(url, { retryStrategy, maxRetriesPerRequest: 0, socketTimeout: TIMEOUT });
    redis.on("error", () => {}); // commands fail as well
    return {
      options: {
        evaluate: (script, keys, args) => redis.eval(script, keys.length, ...keys, ...args),
        scan: (match) => redis.scanStream({ match }),
        subscribe(channel, { onMessage, onReady, onDisconnect }) {
          const subscriber = new Redis(url, { retryStrategy, autoResubscribe: false });
          subscriber.on("error", () => {}).on("close", onDisconnect);
          subscriber.on("connect", () => subscriber.stream.unref());
          subscriber.on("ready", () => subscriber.subscribe(channel).then(onReady, () => {}));
          subscriber.on("message", (_, message) => onMessage(message));
          return () => subscriber.disconnect();
        },
      },
      [Symbol.asyncDispose]: async () => redis.disconnect(),
    };
  },
  redis(url: string): Connected {
    const reconnectStrategy = (attempt: number) => Math.min(attempt * 50, 500);
    const settings = { pingInterval: TIMEOUT / 2, commandOptions: { timeout: QUEUED } };
    const client = createClient({ url, ...settings, socket: { socketTimeout: TIMEOUT, reconnectStrategy } });
    client.on("error", () => {}); // commands fail as well
    client.connect().catch(() => {});
    return {
      options: {
        evaluate: (script, keys, args) => client.eval(script, { keys, arguments: args }),
        scan: (MATCH) => client.scanIterator({ MATCH }),
        subscribe(channel, { onMessage, onReady, onDisconnect }) {
          const subscriber = createClient({ url, socket: { reconnectStrategy } });
          subscriber.unref();
          subscriber.on("error", onDisconnect);
          subscriber.on("ready", () => subscriber.subscribe(channel, onMessage).then(onReady, () => {}));
          subscriber.connect().catch(() => {});
          return () => subscriber.destroy();
        },
      },
      [Symbol.asyncDispose]: async () => client.destroy(),
    };
  },
} satisfies Record<string, (url: string) => Connected>;

/** The name of one of the {@link clients}. */
export type Client = keyof typeof clients;
