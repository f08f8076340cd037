import type { RedisStoresOptions } from "@unexpired/store-redis";
import { Redis } from "ioredis";
import { createClient } from "redis";

/** A client as the options of `redisStores`. Disposing it closes its connection. */
export interface Connected extends AsyncDisposable {
  readonly options: Pick<RedisStoresOptions, "evaluate" | "scan" | "subscribe">;
}

const TIMEOUT = 2_000; // ms

/** The clients of the README, with a shorter timeout. */
export const clients = {
  ioredis(url: string): Connected {
    const settings = {
      commandTimeout: TIMEOUT,
      maxRetriesPerRequest: 1,
      autoResendUnfulfilledCommands: false,
    };
    const redis = new Redis(url, settings).on("error", () => {}); // commands fail as well
    return {
      options: {
        evaluate: (script, keys, args) => redis.eval(script, keys.length, ...keys, ...args),
        scan: (match) => redis.scanStream({ match }),
        subscribe(channel, { onMessage, onReady, onDisconnect }) {
          const subscriber = new Redis(url, { autoResubscribe: false, maxRetriesPerRequest: null });
          subscriber.on("error", () => {}).on("close", onDisconnect);
          subscriber.on("message", (_, message) => onMessage(message));
          subscriber.on("connect", () => subscriber.stream.unref());
          subscriber.on("ready", () => void subscriber.subscribe(channel).then(onReady, () => {}));
          return () => subscriber.disconnect();
        },
      },
      [Symbol.asyncDispose]: async () => redis.disconnect(),
    };
  },
  redis(url: string): Connected {
    const socket = { socketTimeout: TIMEOUT, reconnectStrategy: (retries: number) => Math.min(retries * 50, 1_000) };
    const client = createClient({ url, socket, pingInterval: TIMEOUT / 2, commandOptions: { timeout: TIMEOUT } });
    client.on("error", () => {}); // commands fail as well
    client.connect().catch(() => {});
    return {
      options: {
        evaluate: (script, keys, args) => client.eval(script, { keys, arguments: args }),
        scan: (MATCH) => client.scanIterator({ MATCH }),
        subscribe(channel, { onMessage, onReady, onDisconnect }) {
          const subscriber = createClient({ url });
          subscriber.on("error", onDisconnect);
          subscriber.on("ready", () => void Promise.resolve().then(onReady));
          subscriber.unref();
          subscriber.subscribe(channel, onMessage).catch(() => {});
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
