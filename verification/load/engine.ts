import type { TokenStore } from "@unexpired/core";
import { migrate, postgresStore, type Query } from "@unexpired/store-postgres";
import { redisStores } from "@unexpired/store-redis";
import { type ConnectionOptions, PostgresServer } from "@unexpired-internal/engines/postgres";
import { RedisServer } from "@unexpired-internal/engines/redis";
import { Redis } from "ioredis";
import { Pool } from "pg";

/** How processes connect to an engine. */
export type EngineConfig =
  | { readonly name: "postgres"; readonly connection: ConnectionOptions }
  | { readonly name: "redis"; readonly url: string };

/** The engines that sessions are kept in. */
export type EngineName = EngineConfig["name"];

/** A real server of an engine. Disposing it stops it. */
export interface Engine extends AsyncDisposable {
  readonly config: EngineConfig;
}

/** The stores of a process. Disposing them closes their connections. */
interface Stores extends AsyncDisposable {
  readonly store: (key: string) => TokenStore;
}

const POOL = 10; // connections of each process

/** Starts an engine that keeps no sessions yet. */
export const startEngine = (name: EngineName): Promise<Engine> =>
  name === "postgres" ? startPostgres() : startRedis();

async function startPostgres(): Promise<Engine> {
  const server = await PostgresServer.start();
  const pool = new Pool(server.connection);
  await migrate({ query: (sql, params) => pool.query(sql, params) });
  await pool.end();
  const config = { name: "postgres", connection: server.connection } as const;
  return { config, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function startRedis(): Promise<Engine> {
  const server = await RedisServer.start();
  return { config: { name: "redis", url: server.url }, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Connects this process to an engine. */
export const connect = (config: EngineConfig): Stores =>
  config.name === "postgres" ? connectToPostgres(config.connection) : connectToRedis(config.url);

function connectToPostgres(connection: ConnectionOptions): Stores {
  const pool = new Pool({ ...connection, max: POOL });
  pool.on("error", () => {}); // of idle connections
  const query: Query = (sql, params) => pool.query(sql, params);
  return {
    store: (key) => postgresStore({ query, key }),
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

function connectToRedis(url: string): Stores {
  const redis = new Redis(url);
  const { store } = redisStores({
    evaluate: (script, keys, args) => redis.eval(script, keys.length, ...keys, ...args),
    subscribe(channel, { onMessage, onReady, onDisconnect }) {
      const subscriber = new Redis(url, { autoResubscribe: false, maxRetriesPerRequest: null });
      subscriber.on("close", onDisconnect).on("message", (_, message) => onMessage(message));
      subscriber.on("ready", () => void subscriber.subscribe(channel).then(onReady, () => {}));
      return () => subscriber.disconnect();
    },
    durable: true,
  });
  return { store, [Symbol.asyncDispose]: async () => redis.disconnect() };
}
